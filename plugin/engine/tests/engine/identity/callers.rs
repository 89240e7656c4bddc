//! Callers as Vault tells of them, and what they are shown and refused.

use std::collections::BTreeMap;

use engine::Engine;
use serde_json::{Value, json};
use vault_backend::testing::{TestMount, TestResponse};
use vault_backend::{Alias, Entity};

use crate::aws::Aws;
use crate::mounts::{ANCHOR, PROFILE, ROLE, with_ca_calling};

pub(crate) const PROD: &str = "auth_kubernetes_0000000a";
pub(crate) const DEV: &str = "auth_kubernetes_0000000b";
pub(crate) const GITLAB: &str = "auth_jwt_0000000c";
pub(crate) const CN: &str =
    "{{kubernetes.cluster}}.{{kubernetes.namespace | short}}.{{kubernetes.service_account | short}}";
pub(crate) const SPIFFE: &str =
    "spiffe://{{kubernetes.cluster}}/ns/{{kubernetes.namespace}}/sa/{{kubernetes.service_account}}";

pub(crate) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn service_account(accessor: &str, namespace: &str, name: &str) -> Alias {
    Alias {
        id: format!("alias-{accessor}"),
        mount_type: "kubernetes".to_owned(),
        mount_accessor: accessor.to_owned(),
        name: "0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01".to_owned(),
        metadata: map(&[
            ("service_account_name", name),
            ("service_account_namespace", namespace),
            ("service_account_uid", "0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01"),
            ("service_account_secret_name", ""),
        ]),
        ..Alias::default()
    }
}

pub(crate) fn entity(aliases: Vec<Alias>) -> Entity {
    let (id, name) = ("entity-1".to_owned(), "entity_5f0e".to_owned());
    Entity {
        id,
        name,
        aliases,
        metadata: map(&[("team", "payments"), ("country", "DE")]),
        ..Entity::default()
    }
}

pub(crate) fn pod(accessor: &str, namespace: &str, name: &str) -> Entity {
    entity(vec![service_account(accessor, namespace, name)])
}

/// A mount with a CA, a configuration and the clusters `prod` and `dev`.
pub(crate) async fn clusters() -> TestMount<Engine> {
    clusters_calling(&Aws::unreachable()).await
}

/// The same beside this AWS.
pub(crate) async fn clusters_calling(aws: &Aws) -> TestMount<Engine> {
    let mount = with_ca_calling(aws).await;
    let config = json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE });
    for (path, body) in [
        ("config", config),
        ("clusters/prod", json!({ "accessor": PROD })),
        ("clusters/dev", json!({ "accessor": DEV })),
    ] {
        let reply = mount.write(path, body).await;
        assert_eq!(reply.error, "", "{path}");
    }
    mount
}

pub(crate) fn pods() -> Value {
    json!({
        "role_arn": ROLE, "common_name": CN, "organization": "{{kubernetes.cluster}}",
        "organizational_unit": "{{kubernetes.namespace}}", "uri_sans": SPIFFE,
    })
}

/// What `who` sees in the preview of a role with these fields.
pub(crate) async fn preview(fields: Value, who: Entity) -> TestResponse {
    let mount = clusters().await.asked_by(who);
    let reply = mount.write("roles/app", fields).await;
    assert_eq!(reply.error, "");
    mount.read("preview/app").await
}

/// Why `who` gets nothing of a role with these fields beside its ARN: by preview and by a read alike.
pub(crate) async fn refusal(fields: Value, who: Option<Entity>) -> String {
    let mut mount = clusters().await;
    if let Some(who) = who {
        mount = mount.asked_by(who);
    }
    let mut role = json!({ "role_arn": ROLE });
    role.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let reply = mount.write("roles/app", role).await;
    assert_eq!(reply.error, "");
    let (preview, creds) = (mount.read("preview/app").await, mount.read("creds/app").await);
    assert_eq!((preview.status, creds.status), (400, 400), "{preview:?} {creds:?}");
    assert_eq!(preview.error, creds.error);
    preview.error
}

pub(crate) async fn refused_role(fields: Value) -> String {
    let mount = clusters().await;
    let mut role = json!({ "role_arn": ROLE });
    role.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let reply = mount.write("roles/app", role).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(mount.read("roles/app").await.status, 404, "nothing is half-stored");
    reply.error
}

pub(crate) fn tag<'a>(reply: &'a TestResponse, key: &str) -> &'a str {
    assert_eq!(reply.error, "");
    reply.data["session_tags"][key].as_str().unwrap_or_else(|| panic!("no {key} in {:?}", reply.data))
}

/// A job of GitLab's, logged in by JWT.
pub(crate) fn gitlab(name: &str) -> Entity {
    entity(vec![Alias {
        id: "alias-1".to_owned(),
        mount_type: "jwt".to_owned(),
        mount_accessor: GITLAB.to_owned(),
        name: name.to_owned(),
        metadata: map(&[("branch", "main"), ("empty", "")]),
        custom_metadata: map(&[("tier", "gold")]),
        ..Alias::default()
    }])
}
