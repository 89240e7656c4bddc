//! The plugin is replaced by a later release, and by the earlier one again, while readers read all the time.

use std::path::PathBuf;

use e2e::clients::{Clients, Tally};
use e2e::say;
use harness::{Plugin, ROLE_ARN, Reply, Stage, Vault, binaries, sha256_of};
use serde_json::{Value, json};

const READERS: usize = 6;
const READ: &str = "iamra/creds/app";
/// The version that `plugin/iamra/examples/later_release.rs` reports.
const LATER: &str = "v100.0.0";

/// A mount of this release, and the later one's binary in the plugin folder under a name of its own.
struct Upgrade {
    stage: Stage,
    current: Plugin,
    file: String,
    sha256: String,
}

impl Upgrade {
    async fn new() -> Upgrade {
        let later = later_release();
        let vault = Vault::bare(harness::Settings::of(harness::Storage::File)).await;
        let current = vault.register(binaries::plugin()).await;
        let (file, _) = vault.install(&later);
        let stage = Stage::on(vault).await;
        let role = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
        let _ = stage.root().write("iamra/roles/app", role).await.ok();
        Upgrade { stage, current, file, sha256: sha256_of(&later) }
    }

    async fn vault(&self, args: &[&str]) -> String {
        self.stage.vault.cli(args).await.ok()
    }

    /// The commands of an upgrade, with `reload` for the last one, under load.
    async fn to_the_later_release(&self, reload: &[&str]) -> Tally {
        let load = self.load();
        load.some_reads().await;
        let (sha256, version) = (format!("-sha256={}", self.sha256), format!("-version={LATER}"));
        let command = format!("-command={}", self.file);
        self.vault(&["plugin", "register", &sha256, &version, &command, "secret", binaries::PLUGIN]).await;
        self.vault(&["secrets", "tune", &format!("-plugin-version={LATER}"), "iamra"]).await;
        load.some_reads().await;
        self.vault(reload).await;
        load.some_reads().await;
        load.end().await
    }

    fn load(&self) -> Clients {
        Clients::start(&[self.stage.root().clone()], READ, READERS)
    }

    async fn running_version(&self) -> String {
        self.stage.root().read("sys/mounts/iamra").await.ok().string("running_plugin_version").to_owned()
    }

    /// The operators' records, and the CA.
    async fn everything(&self) -> Vec<Value> {
        let mut read = vec![json!(self.stage.ca_pem("iamra").await)];
        for path in ["iamra/config", "iamra/config/issuers", "iamra/issuer/default", "iamra/roles/app"] {
            read.push(Value::Object(self.stage.root().read(path).await.ok().data().clone()));
        }
        read
    }
}

/// The later release; cargo builds it if it is not there.
fn later_release() -> PathBuf {
    binaries::example("later_release")
}

const BY_NAME: &[&str] = &["plugin", "reload", "-type=secret", "-plugin=vault-plugin-secrets-iamra"];
const BY_MOUNT: &[&str] = &["write", "sys/plugins/reload/backend", "mounts=iamra/"];

#[tokio::test]
async fn an_upgrade_by_plugin_name_costs_readers_at_most_a_repeated_request() {
    let upgrade = Upgrade::new().await;
    let before = upgrade.everything().await;

    let tally = upgrade.to_the_later_release(BY_NAME).await;

    say(&format!("upgrade by name: {} to {LATER}\nupgrade by name: {tally}", upgrade.current.version));
    assert_eq!(upgrade.running_version().await, LATER);
    assert_eq!(upgrade.everything().await, before);
    only_vaults_own_failures(&tally);
    assert_eq!(upgrade.stage.sessions().await.len(), 2, "the new process begins without a session");
    upgrade.works().await;
}

#[tokio::test]
async fn an_upgrade_of_one_mount_by_its_path_fails_nobody() {
    let upgrade = Upgrade::new().await;
    let before = upgrade.everything().await;

    let tally = upgrade.to_the_later_release(BY_MOUNT).await;

    say(&format!("upgrade by mount: {} to {LATER}\nupgrade by mount: {tally}", upgrade.current.version));
    assert_eq!(upgrade.running_version().await, LATER);
    assert_eq!(upgrade.everything().await, before);
    only_vaults_own_failures(&tally);
    upgrade.works().await;
}

#[tokio::test]
async fn the_earlier_release_takes_over_again_and_knows_everything() {
    let upgrade = Upgrade::new().await;
    let before = upgrade.everything().await;
    let _ = upgrade.to_the_later_release(BY_NAME).await;

    let load = upgrade.load();
    let back = format!("-plugin-version={}", upgrade.current.version);
    upgrade.vault(&["secrets", "tune", &back, "iamra"]).await;
    upgrade.vault(BY_NAME).await;
    load.some_reads().await;
    let tally = load.end().await;

    say(&format!("downgrade: {LATER} to {}\ndowngrade: {tally}", upgrade.current.version));
    assert_eq!(upgrade.running_version().await, upgrade.current.version);
    assert_eq!(upgrade.everything().await, before);
    only_vaults_own_failures(&tally);
    upgrade.works().await;
}

impl Upgrade {
    async fn works(&self) {
        let answer: Reply = self.stage.root().read(READ).await.ok();
        self.stage.caller(&answer).await.unwrap();
    }
}

/// A request that was under way in a process which Vault ended: 500, once for each reader at most.
fn only_vaults_own_failures(tally: &Tally) {
    let failed: usize = tally.failures.values().sum();
    assert!(failed <= READERS, "{tally}");
    for (status, text) in tally.failures.keys() {
        let ended = ["Unavailable", "EOF", "plugin shutdown", "closing", "is being reloaded"];
        assert!(*status == 500 && ended.iter().any(|word| text.contains(word)), "{status} {text}");
    }
}
