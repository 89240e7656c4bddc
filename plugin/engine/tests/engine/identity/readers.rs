//! Programs that read Vault's own engines send what those take; they read this one all the same.

use serde_json::{Value, json};

use super::warm::{warm, written};
use crate::mounts::ROLE;

/// What each sends with a read, as its source has it.
fn readers() -> [(&'static str, Value); 5] {
    [
        ("Bank-Vaults' webhook, with every read", json!({ "version": "-1" })),
        ("Terraform's vault_aws_access_credentials", json!({ "role_arn": "" })),
        ("the same with a role_arn", json!({ "role_arn": ROLE })),
        ("an Agent template that names a version", json!({ "version": "2" })),
        ("a client that says that it does not list", json!({ "list": "false" })),
    ]
}

#[tokio::test]
async fn readers_of_other_engines_get_credentials_and_a_warning() {
    let (mount, _aws) = warm().await;
    for (who, query) in readers() {
        for path in ["creds/app", "sts/app"] {
            let reply = mount.read_with(path, query.clone()).await;

            assert_eq!(reply.status, 200, "{who}: {reply:?}");
            assert!(reply.data.contains_key("secret_key"), "{who}");
            let name = query.as_object().unwrap().keys().next().unwrap();
            assert!(
                reply.warnings.iter().any(|warning| warning.contains(&format!("ignored: {name:?}"))),
                "{who}: {:?}",
                reply.warnings
            );
        }
    }
}

#[tokio::test]
async fn a_container_is_served_whatever_else_it_asks() {
    let (mount, _aws) = warm().await;
    for (who, query) in readers() {
        let reply = mount.read_with("container/app", query).await;

        let document: Value = serde_json::from_slice(reply.raw.as_deref().unwrap()).unwrap();
        assert!(reply.status == 200 && document["SecretAccessKey"].is_string(), "{who}");
    }
}

#[tokio::test]
async fn a_ttl_that_a_reader_sends_is_checked_and_an_empty_one_is_none() {
    let (mount, _aws) = warm().await;

    let chosen = mount.read_with("creds/app", json!({ "role_arn": "", "ttl": "15m" })).await;
    let empty = mount.read_with("creds/app", json!({ "role_arn": "", "ttl": "" })).await;
    written(&mount, "roles/app", json!({ "allow_caller_ttl": true })).await;
    let allowed = mount.read_with("creds/app", json!({ "role_arn": "", "ttl": "15m" })).await;

    assert!(chosen.error.contains("allow_caller_ttl"), "{chosen:?}");
    assert_eq!([empty.status, allowed.status], [200, 200]);
}
