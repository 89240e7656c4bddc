//! Two mounts of one plugin share a process and nothing else.

use std::time::Duration;

use harness::{ROLE_ARN, Stage, binaries::PLUGIN, until};
use serde_json::json;

/// `iamra/` set up whole and `second/` mounted bare.
async fn stage() -> Stage {
    let stage = Stage::dev().await;
    stage.vault.mount("second", PLUGIN).await;
    stage
}

#[tokio::test]
async fn two_mounts_run_in_one_process() {
    let stage = stage().await;

    let _ = stage.creds("demo").await.ok();
    let _ = stage.root().list("second/roles").await;

    // the one that Vault asked for the plugin's version may still be ending
    until("one process", Duration::from_secs(60), async || {
        (stage.vault.plugin_pids().len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_configuration_of_one_mount_is_not_that_of_the_other() {
    let stage = stage().await;

    assert_eq!(stage.root().read("second/roles/demo").await.status, 404);
    assert!(stage.root().list("second/issuers").await.keys().is_empty());
    assert!(!stage.root().read("second/config").await.text.contains(harness::TRUST_ANCHOR_ARN));
}

#[tokio::test]
async fn each_mount_signs_with_its_own_ca() {
    let stage = stage().await;
    let first = stage.ca_pem("iamra").await;
    let _ =
        stage.root().write("second/root/generate/internal", json!({ "common_name": "second" })).await.ok();
    let _ = stage.root().write("second/config", stage.config()).await.ok();
    let _ = stage.root().write("second/roles/demo", json!({ "role_arn": ROLE_ARN })).await.ok();

    let untrusted = stage.root().read("second/creds/demo").await;

    assert_ne!(stage.ca_pem("second").await, first);
    assert!(untrusted.refused(400).contains("Untrusted"), "{}", untrusted.text);
    let _ = stage.creds("demo").await.ok();
}

#[tokio::test]
async fn a_mount_goes_away_and_the_other_stays() {
    let stage = stage().await;

    let _ = stage.vault.cli(&["secrets", "disable", "second/"]).await.ok();

    let _ = stage.creds("demo").await.ok();
}

#[tokio::test]
async fn a_mount_with_leases_can_be_disabled() {
    let stage = stage().await;
    let _ = stage.creds("demo").await.ok();

    let _ = stage.vault.cli(&["secrets", "disable", "iamra/"]).await.ok();

    assert_eq!(stage.root().read("iamra/config").await.status, 404);
}

#[tokio::test]
async fn a_moved_mount_keeps_what_it_knows() {
    let stage = stage().await;
    let ca = stage.ca_pem("iamra").await;

    let _ = stage.vault.cli(&["secrets", "move", "iamra/", "moved/"]).await.ok();

    assert_eq!(stage.ca_pem("moved").await, ca);
    let answer = stage.root().read("moved/creds/demo").await.ok();
    stage.caller(&answer).await.unwrap();
}
