//! Vault restarts on storage that stays, with nothing lost.

use harness::{Stage, Vault};
use serde_json::Value;

const WRITTEN: [&str; 4] =
    ["iamra/config", "iamra/roles/demo", "iamra/config/issuers", "iamra/issuer/default"];

#[tokio::test]
async fn a_server_on_file_storage_restarts_with_nothing_lost() {
    nothing_is_lost(Vault::server_file().await).await;
}

#[tokio::test]
async fn a_server_on_raft_storage_restarts_with_nothing_lost() {
    nothing_is_lost(Vault::server_raft().await).await;
}

async fn nothing_is_lost(vault: Vault) {
    let mut stage = Stage::on(vault).await;
    let before = everything(&stage).await;
    let ca = stage.ca_pem("iamra").await;

    stage.vault.restart().await;

    assert_eq!(everything(&stage).await, before);
    assert_eq!(stage.ca_pem("iamra").await, ca);
    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn a_server_killed_after_a_write_still_knows_it() {
    let mut stage = Stage::on(Vault::server_file().await).await;
    let before = everything(&stage).await;

    stage.vault.kill9();
    stage.vault.start_again().await;

    assert_eq!(everything(&stage).await, before);
    let _ = stage.creds("demo").await.ok();
}

async fn everything(stage: &Stage) -> Vec<Value> {
    let mut read = Vec::new();
    for path in WRITTEN {
        read.push(Value::Object(stage.root().read(path).await.ok().data().clone()));
    }
    read
}
