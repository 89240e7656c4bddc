//! Vault is sealed and unsealed.

use std::time::Duration;

use harness::{Stage, has_ended};

#[tokio::test]
async fn a_sealed_vault_runs_no_plugin_and_an_unsealed_one_serves_again() {
    let stage = Stage::dev().await;
    let _ = stage.creds("demo").await.ok();
    let before = stage.vault.live_plugins();

    stage.vault.seal().await;

    assert_eq!(stage.creds("demo").await.status, 503);
    for pid in before {
        has_ended(pid, Duration::from_secs(60)).await;
    }

    stage.vault.unseal().await;

    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}
