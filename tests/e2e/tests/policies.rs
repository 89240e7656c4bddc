//! The shipped policies of people: an operator runs the engine and cannot take its credentials.

use std::fs;

use e2e::config_file;
use harness::{Api, ROLE_ARN, Stage};
use serde_json::json;

async fn operator(stage: &Stage) -> Api {
    let policy = fs::read_to_string(config_file("policies/operator.hcl")).unwrap();
    stage.root().with_token(&stage.vault.token("operator", &policy).await)
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
