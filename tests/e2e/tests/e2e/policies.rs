//! The shipped policies of people: an operator runs the engine and cannot read its credentials, and a responder to an incident ends
//! sessions and cannot run the engine. A policy's rule for a path holds for each of its spellings.

mod spellings;

use std::fs;

use e2e::config_file;
use harness::{Api, ROLE_ARN, Stage};
use serde_json::json;

use crate::associations::Site;
use spellings::Door;

async fn operator(stage: &Stage) -> Api {
    who_has(stage, "operator").await
}

/// A token with one of the shipped policies.
async fn who_has(stage: &Stage, policy: &str) -> Api {
    let rules = fs::read_to_string(config_file(&format!("policies/{policy}.hcl"))).unwrap();
    stage.root().with_token(&stage.vault.token(policy, &rules).await)
}

#[tokio::test]
async fn an_operator_sets_up_the_engine_from_ca_to_role() {
    let stage = Stage::dev().await;
    let operator = operator(&stage).await;

    let root = json!({ "common_name": "next", "issuer_name": "next" });
    let _ = operator.write("iamra/root/generate/internal", root).await.ok();
    let _ = operator.write("iamra/config/issuers", json!({ "default": "next" })).await.ok();
    let _ = operator.write("iamra/config", stage.config()).await.ok();
    let _ = operator.write("iamra/clusters/prod", json!({ "accessor": "auth_kubernetes_1a" })).await.ok();
    let _ = operator.write("iamra/roles/app", json!({ "role_arn": ROLE_ARN })).await.ok();
    let _ = operator.read("iamra/preview/app").await.ok();
    assert_eq!(operator.read("iamra/metrics").await.status, 200);
    let _ = operator.delete("iamra/clusters/prod").await.ok();

    let _ = operator.patch("iamra/roles/app", json!({ "session_duration": 14_400 })).await.ok();
    let _ = operator.read("iamra/issuer/next").await.ok();
    assert!(operator.list("iamra/roles").await.keys().contains(&"app".to_owned()));
    let _ = operator.delete("iamra/roles/app").await.ok();
}

#[tokio::test]
async fn an_operator_reads_nobodys_credentials() {
    let stage = Stage::dev().await;
    let operator = operator(&stage).await;

    for path in ["iamra/creds/demo", "iamra/sts/demo", "iamra/container/demo"] {
        assert_eq!(operator.read(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn the_policy_of_associations_opens_the_container_of_the_own_service_account_and_nothing_else() {
    let site = Site::new().await;
    let _ = site.associate("payments.api", json!({})).await.ok();
    let pod = site.pod("payments", "api").await;

    for Door { method, path, .. } in spellings::doors(&site.stage).await {
        let body = ["POST", "PATCH"].contains(&method).then(|| json!({}));
        let reply = pod.call(method, &format!("iamra/{path}"), body).await;

        assert_eq!(reply.status, 403, "{method} {path}: {}", reply.text);
    }
    for path in ["creds/payments.api", "sts/payments.api", "preview/payments.api", "roles/payments.api"] {
        assert_eq!(pod.read(&format!("iamra/{path}")).await.status, 403, "{path}");
    }
    assert_eq!(pod.read("auth/token/lookup-self").await.status, 403);
    let _ = pod.read("iamra/container/payments.api").await.ok();
}

#[tokio::test]
async fn who_answers_an_incident_finds_the_issuer_makes_the_next_and_ends_the_first() {
    let stage = Stage::dev().await;
    stage.manage_anchor().await;
    let incident = who_has(&stage, "incident").await;

    assert_eq!(incident.list("iamra/issuers").await.keys().len(), 1);
    let first = incident.read("iamra/rotation").await.ok().string("current").to_owned();
    let next = json!({ "common_name": "next", "issuer_name": "next" });
    let _ = incident.write("iamra/root/generate/internal", next).await.ok();
    let _ = incident.write(&format!("iamra/issuer/{first}/compromised"), json!({})).await.ok();

    let name = incident.list("iamra/trust-anchors").await.keys().remove(0);
    let _ = incident.read(&format!("iamra/trust-anchors/{name}/sync")).await.ok();
    assert_eq!(incident.read("iamra/rotation").await.ok().string("current"), "next");
}

#[tokio::test]
async fn who_answers_an_incident_may_make_an_intermediate_for_the_next_issuer() {
    let stage = Stage::dev().await;
    let incident = who_has(&stage, "incident").await;

    let request = json!({ "common_name": "next" });
    let _ = incident.write("iamra/intermediate/generate/internal", request).await.ok();
    let asked = incident.write("iamra/intermediate/set-signed", json!({ "certificate": "none" })).await;

    let text = asked.refused(400);
    assert!(text.contains("certificate"), "{text}");
}

#[tokio::test]
async fn who_answers_an_incident_finds_an_entity_and_cuts_it_off_and_changes_nothing_else_of_it() {
    let stage = Stage::dev().await;
    let made = stage.root().write("identity/entity", json!({ "name": "leaky" })).await.ok();
    let path = format!("identity/entity/id/{}", made.string("id"));
    let incident = who_has(&stage, "incident").await;

    let found = incident.write("identity/lookup/entity", json!({ "name": "leaky" })).await.ok();
    assert_eq!(found.string("id"), made.string("id"));
    assert!(incident.read(&path).await.ok().data().contains_key("merged_entity_ids"));
    let _ = incident.write(&path, json!({ "disabled": true })).await.ok();

    for change in [json!({ "disabled": false }), json!({ "policies": ["incident"] })] {
        assert_eq!(incident.write(&path, change.clone()).await.status, 403, "{change}");
    }
    assert_eq!(incident.read(&path).await.ok().data()["disabled"], json!(true));
}

#[tokio::test]
async fn who_answers_an_incident_does_not_run_the_engine_or_read_credentials() {
    let stage = Stage::dev().await;
    stage.manage_anchor().await;
    let incident = who_has(&stage, "incident").await;
    let role = json!({ "role_arn": ROLE_ARN });

    for (path, body) in [
        ("iamra/config", stage.config()),
        ("iamra/config/issuers", json!({ "default": "next" })),
        ("iamra/roles/demo", role),
        ("iamra/trust-anchors/main", json!({})),
        ("iamra/trust-anchors/main/sync", json!({})),
        ("iamra/issuers/import/bundle", json!({})),
    ] {
        assert_eq!(incident.write(path, body).await.status, 403, "{path}");
    }
    assert_eq!(incident.read("iamra/creds/demo").await.status, 403);
    assert_eq!(incident.delete("iamra/issuer/default").await.status, 403);
}
