//! `vault plugin reload`: a new process with the same memory.

use std::time::Duration;

use harness::{Stage, binaries::PLUGIN, has_ended};

#[tokio::test]
async fn a_reload_starts_a_new_process_that_knows_what_the_old_one_knew() {
    let stage = Stage::dev().await;
    let _ = stage.creds("demo").await.ok();
    let before = stage.vault.live_plugins();

    let _ = stage.vault.cli(&["plugin", "reload", "-type=secret", &format!("-plugin={PLUGIN}")]).await.ok();

    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
    for pid in &before {
        has_ended(*pid, Duration::from_secs(60)).await;
    }
    assert!(stage.vault.live_plugins().iter().all(|pid| !before.contains(pid)));
}

#[tokio::test]
async fn a_reload_of_one_mount_by_path_keeps_its_ca() {
    let stage = Stage::dev().await;
    let ca = stage.ca_pem("iamra").await;

    let _ = stage.vault.cli(&["write", "sys/plugins/reload/backend", "mounts=iamra/"]).await.ok();

    assert_eq!(stage.ca_pem("iamra").await, ca);
    let _ = stage.creds("demo").await.ok();
}
