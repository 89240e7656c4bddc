//! The lease of a read: shorter than the session, not renewable, revoked without a call of AWS.

use std::time::Duration;

use harness::{Reply, Stage, Vault, until};
use serde_json::json;

fn lease_id(answer: &Reply) -> String {
    answer.body["lease_id"].as_str().unwrap_or_default().to_owned()
}

async fn lookup(stage: &Stage, lease: &str) -> Reply {
    stage.root().write("sys/leases/lookup", json!({ "lease_id": lease })).await
}

#[tokio::test]
async fn the_lease_ends_while_the_session_still_has_a_quarter() {
    let stage = Stage::dev().await;

    let answer = stage.creds("demo").await.ok();

    let ttl = answer.data()["ttl"].as_u64().unwrap();
    let lease = answer.body["lease_duration"].as_u64().unwrap();
    assert!(lease >= ttl / 2 && lease <= ttl - ttl / 4 + 5, "lease {lease} of a session of {ttl}");
    assert_eq!(answer.body["renewable"], false);
    assert!(lease_id(&answer).starts_with("iamra/creds/demo/"), "{}", lease_id(&answer));
}

#[tokio::test]
async fn a_renewal_is_refused_by_vault() {
    let stage = Stage::dev().await;
    let lease = lease_id(&stage.creds("demo").await.ok());

    let renewed = stage.root().write("sys/leases/renew", json!({ "lease_id": lease })).await;

    assert_eq!(renewed.status, 400, "{}", renewed.text);
}

#[tokio::test]
async fn a_revoked_lease_is_gone_and_the_session_lives_on() {
    let stage = Stage::dev().await;
    let answer = stage.creds("demo").await.ok();
    let _ = lookup(&stage, &lease_id(&answer)).await.ok();

    let _ = stage.vault.cli(&["lease", "revoke", "-sync", &lease_id(&answer)]).await.ok();

    assert_eq!(lookup(&stage, &lease_id(&answer)).await.status, 400);
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn the_lease_of_a_deleted_role_can_be_revoked() {
    let stage = Stage::dev().await;
    let answer = stage.creds("demo").await.ok();
    let _ = stage.root().delete("iamra/roles/demo").await.ok();

    let _ = stage.vault.cli(&["lease", "revoke", "-sync", &lease_id(&answer)]).await.ok();

    assert_eq!(lookup(&stage, &lease_id(&answer)).await.status, 400);
}

#[tokio::test]
async fn all_leases_of_a_mount_can_be_revoked_at_once() {
    let stage = Stage::dev().await;
    let leases = [lease_id(&stage.creds("demo").await.ok()), lease_id(&stage.creds("demo").await.ok())];

    let _ = stage.vault.cli(&["lease", "revoke", "-prefix", "-sync", "iamra/"]).await.ok();

    for lease in leases {
        assert_eq!(lookup(&stage, &lease).await.status, 400);
    }
}

#[tokio::test]
async fn a_lease_outlives_a_restart_and_can_then_be_revoked() {
    let mut stage = Stage::on(Vault::server_file().await).await;
    let lease = lease_id(&stage.creds("demo").await.ok());

    stage.vault.restart().await;

    let _ = lookup(&stage, &lease).await.ok();
    let _ = stage.vault.cli(&["lease", "revoke", "-sync", &lease]).await.ok();
}

#[tokio::test]
async fn the_end_of_a_token_revokes_its_leases() {
    let stage = Stage::dev().await;
    let token = stage.vault.token("app", r#"path "iamra/creds/demo" { capabilities = ["read"] }"#).await;
    let answer = stage.root().with_token(&token).read("iamra/creds/demo").await.ok();

    let _ = stage.vault.cli(&["token", "revoke", &token]).await.ok();

    let lease = lease_id(&answer);
    until("the end of the lease", Duration::from_secs(60), async || {
        (lookup(&stage, &lease).await.status == 400).then_some(())
    })
    .await;
}
