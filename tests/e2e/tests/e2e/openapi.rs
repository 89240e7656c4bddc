//! The `OpenAPI` document that Vault merges from its mounts.

use std::collections::BTreeSet;

use harness::{Stage, Vault, binaries::PLUGIN};
use serde_json::{Value, json};

const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

async fn document(stage: &Stage) -> Value {
    stage.root().read("sys/internal/specs/openapi").await.ok().body
}

async fn stage() -> Stage {
    Stage::without_ca(Vault::dev().await).await
}

/// The mount's paths in the document, without the mount: `creds/{role}`, and `roles/` for a list.
pub(crate) async fn templates(stage: &Stage) -> Vec<String> {
    let document = document(stage).await;
    let paths = document["paths"].as_object().expect("paths by their templates").keys();
    let templates: Vec<String> =
        paths.filter_map(|path| path.strip_prefix("/iamra/")).map(str::to_owned).collect();
    assert!(templates.len() > 20, "{templates:?}");
    templates
}

/// A path of this form: each parameter is `x`.
pub(crate) fn with_values(template: &str) -> String {
    let segments = template.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_path_takes_the_methods_of_the_document_and_no_other() {
    let stage = stage().await;
    let document = document(&stage).await;

    for template in templates(&stage).await {
        let item = &document["paths"][format!("/iamra/{template}")];
        let path = with_values(&template);
        // Vault itself refuses to write to a path that ends in a slash
        let methods = if template.ends_with('/') { &METHODS[..1] } else { &METHODS };
        for &method in methods {
            let sent = if template.ends_with('/') { "LIST".to_owned() } else { method.to_uppercase() };
            let body = ["post", "patch"].contains(&method).then(|| json!({}));
            let reply = stage.vault.api(&sent, &format!("iamra/{path}"), body).await;

            let offered = item[method].is_object();
            assert_eq!(reply.status != 405, offered, "{sent} {path}: {} {}", reply.status, reply.text);
        }
    }
}

#[tokio::test]
async fn the_paths_of_the_first_steps_are_in_the_document_with_their_methods() {
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
