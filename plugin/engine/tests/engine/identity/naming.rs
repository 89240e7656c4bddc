//! What names a caller: who shares a session unasked, and what an entity is called.

use serde_json::{Value, json};
use vault_backend::Entity;

use super::callers::{PROD, clusters, gitlab, pod, preview};
use crate::mounts::ROLE;

const UNNAMED: &str = "names no single one";

/// The sharing in force for a pod, and whether the write warned that nobody is named.
async fn sharing(fields: Value) -> (Value, bool) {
    let mount = clusters().await.asked_by(pod(PROD, "payments", "api"));
    let mut role = json!({ "role_arn": ROLE });
    role.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let written = mount.write("roles/app", role).await;
    assert_eq!(written.error, "");
    let warned = written.warnings.iter().any(|warning| warning.contains(UNNAMED));
    (mount.read("preview/app").await.data["session_sharing"].clone(), warned)
}

#[tokio::test]
async fn a_session_is_shared_unasked_only_where_the_texts_name_one_caller() {
    let account = "{{kubernetes.cluster}}.{{kubernetes.service_account}}";
    for (fields, expected) in [
        (json!({ "common_name": "{{kubernetes.uid}}" }), "identity"),
        (json!({ "common_name": account, "organizational_unit": "{{kubernetes.namespace}}" }), "identity"),
        (json!({ "common_name": "app", "uri_sans": "vault://{{identity.entity.id}}" }), "identity"),
        (json!({ "common_name": "app", "role_session_name": "x-{{identity.entity.id}}" }), "identity"),
        (json!({ "organization": "{{kubernetes.cluster}}" }), "none"),
        (json!({ "common_name": "{{kubernetes.cluster}}.{{kubernetes.namespace}}" }), "none"),
        (json!({ "common_name": account }), "none"),
        (json!({ "common_name": "{{identity.entity.metadata.team}}" }), "none"),
    ] {
        let shown = fields.to_string();

        assert_eq!(sharing(fields).await, (json!(expected), expected == "none"), "{shown}");
    }
}

#[tokio::test]
async fn a_sharing_that_was_written_is_in_force_whatever_the_texts_name() {
    let fields = json!({ "organization": "{{kubernetes.cluster}}", "session_sharing": "identity" });

    assert_eq!(sharing(fields).await, (json!("identity"), false));
}

#[tokio::test]
async fn the_name_that_vault_made_up_for_an_entity_is_told_from_one_that_was_given() {
    let role = json!({ "role_arn": ROLE, "common_name": "{{identity.entity.name}}" });
    let origin_of = async |name: &str| {
        let who = Entity { name: name.to_owned(), ..gitlab("deploy") };
        preview(role.clone(), who).await.data["value_01"].as_str().unwrap().to_owned()
    };

    assert!(origin_of("entity_7fe053b9").await.contains("generated it at the first login"));
    assert!(origin_of("entity_payments").await.contains("operators of Vault write"));
}
