//! The `OpenAPI` document that Vault merges from its mounts.

use std::collections::BTreeSet;

use harness::{Stage, Vault, binaries::PLUGIN};
use serde_json::Value;

async fn document(stage: &Stage) -> Value {
    stage.root().read("sys/internal/specs/openapi").await.ok().body
}

async fn stage() -> Stage {
    Stage::without_ca(Vault::dev().await).await
}

#[tokio::test]
async fn every_path_is_in_the_document_with_its_methods() {
    let stage = stage().await;

    let document = document(&stage).await;

    let paths = &document["paths"];
    for (path, methods) in [
        ("/iamra/config", ["get", "post", "delete"].as_slice()),
        ("/iamra/roles/{name}", &["get", "post", "delete"]),
        ("/iamra/creds/{role}", &["get"]),
        ("/iamra/sts/{role}", &["get"]),
        ("/iamra/container/{role}", &["get"]),
        ("/iamra/issuers/import/bundle", &["post"]),
        ("/iamra/root/generate/internal", &["post"]),
        ("/iamra/ca/pem", &["get"]),
        ("/iamra/metrics", &["get"]),
    ] {
        for method in methods {
            assert!(paths[path][method].is_object(), "no {method} on {path}: {}", paths[path]);
        }
    }
}

#[tokio::test]
async fn the_fields_of_a_role_are_described_and_typed() {
    let stage = stage().await;

    let document = document(&stage).await;

    let text = document["paths"]["/iamra/roles/{name}"]["post"].to_string();
    let schema =
        text.split("#/components/schemas/").nth(1).and_then(|rest| rest.split('"').next()).expect("a schema");
    let properties = &document["components"]["schemas"][schema]["properties"];
    assert_eq!(properties["role_arn"]["type"], "string");
    assert_eq!(properties["organization"]["type"], "array");
    assert!(properties["role_arn"]["description"].as_str().is_some_and(|text| !text.is_empty()));
}

#[tokio::test]
async fn operation_ids_stay_unique_with_two_mounts() {
    let stage = stage().await;
    stage.vault.mount("second", PLUGIN).await;

    let document = document(&stage).await;

    let mut seen = BTreeSet::new();
    let paths = document["paths"].as_object().unwrap().iter();
    for (path, item) in paths.filter(|(path, _)| path.starts_with("/iamra/") || path.starts_with("/second/"))
    {
        for operation in item.as_object().unwrap().values() {
            if let Some(id) = operation["operationId"].as_str() {
                assert!(seen.insert(id.to_owned()), "{path}: {id} is there twice");
            }
        }
    }
    assert!(!seen.is_empty(), "Vault fills in no operation id");
    assert!(document["paths"]["/second/creds/{role}"].is_object());
}

#[tokio::test]
async fn paths_that_need_sudo_or_no_token_say_so() {
    let stage = stage().await;

    let document = document(&stage).await;

    assert_eq!(document["paths"]["/iamra/root/generate/internal"]["x-vault-sudo"], true);
    assert_eq!(document["paths"]["/iamra/ca/pem"]["x-vault-unauthenticated"], true);
}
