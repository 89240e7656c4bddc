//! The running version is the version that is shown.

use std::process::Command;

use harness::{Plugin, Stage, Vault, binaries};
use serde_json::json;

async fn mounted() -> (Stage, Plugin) {
    let vault = Vault::bare(harness::Settings::of(harness::Storage::Memory)).await;
    let plugin = vault.register(binaries::plugin()).await;
    (Stage::without_ca(vault).await, plugin)
}

#[tokio::test]
async fn plugin_list_shows_the_version() {
    let (stage, plugin) = mounted().await;

    let table = stage.vault.cli(&["plugin", "list", "-detailed", "secret"]).await.ok();

    let line = table.lines().find(|line| line.starts_with(&plugin.name)).expect("the plugin is listed");
    assert!(line.contains(&plugin.version), "{line}");
}

#[tokio::test]
async fn secrets_list_shows_the_running_version_and_its_checksum() {
    let (stage, plugin) = mounted().await;

    let table = stage.vault.cli(&["secrets", "list", "-detailed"]).await.ok();

    let line = table.lines().find(|line| line.starts_with("iamra/")).expect("the mount is listed");
    assert!(line.contains(&plugin.version) && line.contains(&plugin.sha256), "{line}");
}

#[tokio::test]
async fn another_version_than_the_binary_says_is_refused() {
    let (stage, plugin) = mounted().await;
    let entry = json!({ "sha256": plugin.sha256, "command": plugin.name, "version": "v9.9.9" });

    let catalog = format!("sys/plugins/catalog/secret/{}", plugin.name);
    let registered = stage.root().write(&catalog, entry).await;
    let mount = json!({ "type": plugin.name, "plugin_version": "v9.9.9" });
    let mounted = stage.root().write("sys/mounts/wrong", mount).await;

    assert!(registered.status >= 400 || mounted.status >= 400, "{} {}", registered.text, mounted.text);
}

#[test]
fn run_by_hand_it_explains_how_to_register_it() {
    let run = Command::new(binaries::plugin()).env_clear().output().unwrap();

    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stdout.is_empty(), "standard output is the handshake's");
    assert!(said.contains("vault plugin register"), "{said}");
}
