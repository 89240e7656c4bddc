//! The example engine of `vault-backend`, mounted on a real Vault: the library alone is enough for a plugin.

use std::time::Duration;

use harness::{Settings, Storage, Vault, binaries, has_ended, kill, sockets_of, until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

async fn mounted() -> Vault {
    let vault = Vault::bare(Settings::of(Storage::Memory)).await;
    let plugin = vault.register(&binaries::example("hello")).await;
    vault.mount("hello", &plugin.name).await;
    vault
}

#[tokio::test]
async fn the_example_is_mounted_and_answers() {
    let vault = mounted().await;

    let _ = vault.root().write("hello/greetings/world", json!({ "text": "good morning" })).await.ok();

    let read = vault.root().read("hello/greetings/world").await.ok();
    assert!(read.text.contains("good morning"), "{}", read.text);
}

#[tokio::test]
async fn what_it_does_not_have_is_a_404_and_what_it_does_not_know_is_refused_by_name() {
    let vault = mounted().await;

    let absent = vault.root().read("hello/greetings/nobody").await;
    let unknown = vault.root().write("hello/greetings/world", json!({ "text": "x", "txet": "y" })).await;

    assert_eq!(absent.status, 404);
    assert!(unknown.refused(400).contains("txet"), "{}", unknown.text);
}

#[tokio::test]
async fn a_second_mount_runs_in_the_same_process_and_keeps_its_own_greetings() {
    let vault = mounted().await;
    vault.mount("other", "hello").await;
    let _ = vault.root().write("hello/greetings/world", json!({ "text": "good morning" })).await.ok();

    let other = vault.root().read("other/greetings/world").await;

    assert_eq!(other.status, 404);
    until("one process", SOON, async || (vault.plugin_pids().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_killed_process_is_started_again_by_a_later_request() {
    let vault = mounted().await;
    let _ = vault.root().write("hello/greetings/world", json!({ "text": "good morning" })).await.ok();
    let pid = vault.plugin_pids()[0];

    kill(pid);
    has_ended(pid, SOON).await;

    let again =
        async || Some(vault.root().read("hello/greetings/world").await).filter(|reply| reply.status == 200);
    let read = until("a read after Vault has noticed", SOON, again).await;
    assert_eq!(read.string("text"), "good morning");
}

#[tokio::test]
async fn a_killed_vault_leaves_no_process_and_no_socket() {
    let mut vault = mounted().await;
    let pid = vault.plugin_pids()[0];
    let sockets = sockets_of(pid);
    assert!(sockets.iter().any(|socket| socket.exists()), "{sockets:?}");

    vault.kill9();

    has_ended(pid, SOON).await;
    assert!(sockets.iter().all(|socket| !socket.exists()), "{sockets:?}");
}
