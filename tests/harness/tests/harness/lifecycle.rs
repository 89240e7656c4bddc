//! The harness itself, on Vault's builtin engines: everything that it starts works, and nothing of it remains.

use std::path::Path;
use std::time::Duration;

use harness::{RaftCluster, Settings, Storage, Vault, has_ended};
use serde_json::json;

#[tokio::test]
async fn a_dropped_server_leaves_no_process_and_no_folder() {
    let vault = Vault::bare(Settings::of(Storage::Memory)).await;
    let folder = vault.folder();
    let pid = server_pid(&folder);

    drop(vault);

    has_ended(pid, Duration::from_secs(60)).await;
    assert!(!folder.exists());
}

#[tokio::test]
async fn two_servers_run_side_by_side() {
    let one = Vault::bare(Settings::of(Storage::Memory)).await;
    let other = Vault::bare(Settings::of(Storage::Memory)).await;

    let _ = one.root().write("secret/data/x", json!({ "data": { "a": "1" } })).await.ok();

    assert_ne!(one.addr(), other.addr());
    assert_eq!(other.root().read("secret/data/x").await.status, 404);
}

#[tokio::test]
async fn a_restarted_file_server_keeps_its_data() {
    survives_a_restart(Storage::File).await;
}

#[tokio::test]
async fn a_restarted_raft_server_keeps_its_data() {
    survives_a_restart(Storage::Raft).await;
}

async fn survives_a_restart(storage: Storage) {
    let mut vault = Vault::bare(Settings::of(storage)).await;
    vault.mount("kv", "kv").await;
    let _ = vault.root().write("kv/x", json!({ "a": "1" })).await.ok();

    vault.restart().await;

    assert_eq!(vault.root().read("kv/x").await.string("a"), "1");
}

#[tokio::test]
async fn a_sealed_server_answers_again_after_the_unseal() {
    let vault = Vault::bare(Settings::of(Storage::Memory)).await;

    vault.seal().await;
    let sealed = vault.root().read("sys/mounts").await;
    vault.unseal().await;

    assert_eq!(sealed.status, 503);
    let _ = vault.root().read("sys/mounts").await.ok();
}

#[tokio::test]
async fn the_command_line_log_and_audit_file_are_the_servers_own() {
    let vault = Vault::bare(Settings::of(Storage::Memory)).await;
    let audit = vault.audit().await;

    let printed = vault.cli(&["secrets", "list", "-format=json"]).await.json();

    assert_eq!(printed["secret/"]["type"], "kv");
    assert!(audit.entries().iter().any(|entry| entry["request"]["path"] == "sys/mounts"));
    assert!(vault.logs().iter().any(|line| line.module == "core" && line.level == "info"));
}

#[tokio::test]
async fn a_token_with_a_policy_may_do_that_and_nothing_else() {
    let vault = Vault::bare(Settings::of(Storage::Memory)).await;

    let token = vault.token("mounts", r#"path "sys/mounts" { capabilities = ["read"] }"#).await;

    let api = vault.root().with_token(&token);
    let _ = api.read("sys/mounts").await.ok();
    assert_eq!(api.read("sys/audit").await.status, 403);
}

/// The process that has the server's log open, found by its working files.
fn server_pid(folder: &Path) -> u32 {
    let config = folder.join("vault.json").display().to_string();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(&config))
        })
        .expect("a server was started with this configuration")
}

#[tokio::test]
async fn a_raft_cluster_outlives_its_leader_and_takes_it_back() {
    let mut cluster = RaftCluster::start().await;
    let first = cluster.step_down().await;
    cluster.member(first).mount("kv", "kv").await;
    let _ = cluster.member(first).root().write("kv/x", json!({ "a": "1" })).await.ok();

    cluster.kill(first);
    let second = cluster.leader().await;
    let read = cluster.member(second).root().read("kv/x").await;
    cluster.start_again(first).await;

    assert_ne!(second, first);
    assert_eq!(read.string("a"), "1");
    assert!(cluster.standbys().await.contains(&first));
}
