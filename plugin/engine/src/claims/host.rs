//! A conversation between a host and one mount.

#![expect(clippy::large_futures, reason = "one of them is polled at a time, and its size is of no matter")]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, LazyLock};

use serde_json::json;
use vault_backend::testing::{TestMount, TestResponse};
use vault_backend::{Alias, Entity, FakeSystemView, Mount, Storage, SystemView};

use super::aws::{Aws, SECRET_KEY, SESSION_TOKEN};
use crate::engine::Engine;

const ANCHOR: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f0f0f0f-1111-4222-8333-444444444444";
const PROFILE: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0f0f0f0f-1111-4222-8333-555555555555";
const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const PODS: &str = "{{kubernetes.cluster}}.{{kubernetes.namespace}}.{{kubernetes.service_account}}";
/// The requests of one input that are sent, which bounds its running time. Later lines are ignored.
const MAX_REQUESTS: usize = 24;
/// The bytes that an error may have beside four for each byte of the input: room for a list of all known names, or a quotation.
const MAX_ERROR: usize = 8_192;

/// Sends one input to a mount and checks each answer. A line is a request, `<operation> <path> <body>` in the form of Vault's
/// protobuf, or an answer of AWS, `aws <status> <body>`, to a call that a later request makes.
///
/// The claim:
///
/// - No request makes a handler panic, and none is answered as a bug of ours (500).
/// - No error or warning contains a control character, and no error is longer than `MAX_ERROR` allows.
/// - No error or warning contains a secret. An answer contains one only if it is that of a read of credentials, or if the input
///   contained the secret itself.
/// - The next process reads everything that this one stored.
///
/// # Panics
/// If the claim does not hold.
pub fn host_requests(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let aws = Aws::default();
    let storage = WITH_EVERYTHING.survived();
    let mut secrets = vec![SECRET_KEY, SESSION_TOKEN, "PRIVATE KEY-----"];
    secrets.retain(|secret| !input.contains(secret));
    in_still_time(async {
        let mount = mounted(&aws, storage.clone()).await;
        for line in input.lines().take(MAX_REQUESTS) {
            let mut words = line.splitn(3, ' ');
            let mut next = || words.next().unwrap_or_default();
            match (next(), next(), next()) {
                ("aws", status, body) => aws.will_say(status.parse().unwrap_or(500), body),
                // skipped, because an RSA key takes seconds to make
                (_, _, body) if body.contains("rsa") => {}
                (operation, path, body) => {
                    let reply = mount.send(operation, path, body).await;
                    held(operation, path, &reply, input.len());
                    hides(operation, path, &reply, &secrets);
                }
            }
        }
        let next = mounted(&Aws::default(), storage.survived()).await;
        all_is_read(&next).await;
    });
}

/// The claim about the form of one answer; `sent` is the input's length in bytes.
fn held(operation: &str, path: &str, reply: &TestResponse, sent: usize) {
    let about = format!("{operation} {path}: {reply:?}");
    assert_ne!(reply.status, 500, "{about}");
    assert!(reply.error.len() <= MAX_ERROR + 4 * sent, "{} bytes: {about}", reply.error.len());
    for line in reply.warnings.iter().chain([&reply.error]) {
        assert!(!line.contains(char::is_control), "{about}");
    }
}

/// The claim about secrets in one answer. Errors and warnings of a read of credentials must not contain one either.
fn hides(operation: &str, path: &str, reply: &TestResponse, secrets: &[&str]) {
    let about = format!("{operation} {path}: {reply:?}");
    let hands_out = ["creds/", "sts/", "container/"].iter().any(|start| path.starts_with(start));
    for secret in secrets {
        assert!(!reply.error.contains(secret), "{about}");
        assert!(!reply.warnings.iter().any(|warning| warning.contains(secret)), "{about}");
        let raw = String::from_utf8_lossy(reply.raw.as_deref().unwrap_or_default());
        let shown =
            raw.contains(secret) || reply.data.values().any(|value| value.to_string().contains(secret));
        assert!(hands_out || !shown, "{about}");
    }
}

/// Reads every list, every document that a list names, and the single documents, as a process after a restart would.
async fn all_is_read(mount: &TestMount<Engine>) {
    for (list, document) in [
        ("roles/", "roles/"),
        ("clusters/", "clusters/"),
        ("issuers/", "issuer/"),
        ("trust-anchors/", "trust-anchors/"),
    ] {
        let listed = mount.send("list", list, "").await;
        assert!([200, 404].contains(&listed.status), "{list}: {listed:?}");
        let keys = listed.data.get("keys").and_then(serde_json::Value::as_array);
        for key in keys.into_iter().flatten().filter_map(serde_json::Value::as_str) {
            let path = format!("{document}{key}");
            let read = mount.send("read", &path, "").await;
            assert_eq!(read.status, 200, "{path} is listed and not read: {read:?}");
        }
    }
    for path in ["config", "config/issuers", "rotation", "trust-bundle", "ca/pem", "metrics"] {
        let read = mount.send("read", path, "").await;
        assert!(read.status < 500, "{path}: {read:?}");
    }
}

/// A mount on `storage` that calls `aws`; its requests come from [`pod`].
async fn mounted(aws: &Aws, storage: Storage) -> TestMount<Engine> {
    let system = SystemView::fake(FakeSystemView::default());
    let mount = Mount::in_memory(storage, system);
    let engine = Engine::with_transport(mount.clone(), Arc::new(aws.clone()));
    let mount = TestMount::serving(engine, mount).await;
    mount.expect("what is stored does not keep a mount from coming up").asked_by(pod())
}

/// The entity of a service account that logged in by the cluster `prod` of [`WITH_EVERYTHING`].
fn pod() -> Entity {
    let metadata = [
        ("service_account_namespace", "payments"),
        ("service_account_name", "api"),
        ("service_account_uid", "0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01"),
    ];
    let metadata: BTreeMap<String, String> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let alias = Alias {
        mount_type: "kubernetes".to_owned(),
        mount_accessor: "auth_kubernetes_1".to_owned(),
        metadata,
        ..Alias::default()
    };
    let (id, name) = ("entity-1".to_owned(), "entity_5f0e".to_owned());
    Entity { id, name, aliases: vec![alias], ..Entity::default() }
}

/// The storage that every conversation begins with: a mount with issuers, a config, a cluster and roles.
static WITH_EVERYTHING: LazyLock<Storage> = LazyLock::new(|| {
    let storage = Storage::in_memory();
    in_still_time(async {
        let mount = mounted(&Aws::default(), storage.clone()).await;
        for (path, body) in [
            ("root/generate/internal", json!({ "common_name": "one", "issuer_name": "one" })),
            ("root/generate/internal", json!({ "common_name": "two", "issuer_name": "two" })),
            ("config", json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE })),
            ("clusters/prod", json!({ "accessor": "auth_kubernetes_1" })),
            ("roles/app", json!({ "role_arn": ROLE })),
            ("roles/pods", json!({ "role_arn": ROLE, "common_name": PODS })),
        ] {
            let reply = mount.write(path, body).await;
            assert!(reply.error.is_empty(), "{path}: {reply:?}");
        }
    });
    storage
});

/// Runs `work` on paused time: the clock moves only when no task can run, and then jumps to the next timer. Pauses and deadlines
/// therefore take no real time.
fn in_still_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O").block_on(work)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kept_conversations_hold_the_claim() {
        seeds::replay("host_requests", super::host_requests);
    }
}
