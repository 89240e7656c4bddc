//! Writes that err and have landed nevertheless, at once or later: what is in storage is what is in force.

use serde_json::{Value, json};
use vault_backend::Backend;
use vault_backend::testing::TestMount;

use engine::Engine;

use super::callers::{DEV, pods};
use crate::mounts::configured;

use super::warm::{after_a_read, config, warm, written};
use crate::aws::Aws;

/// What is stored under `key` once `body` was written to `path`: a change that ends the session of [`ready`].
struct Change {
    path: &'static str,
    key: &'static str,
    body: fn() -> Value,
}

const CHANGES: [Change; 3] = [
    Change { path: "roles/app", key: "role/app", body: elsewhere },
    Change {
        path: "config",
        key: "config",
        body: || config(&json!({ "allowed_role_arns": "arn:aws:iam::*" })),
    },
    Change { path: "config/issuers", key: "config/issuers", body: || json!({ "default": "two" }) },
];

/// The role of a warm mount, with another subject.
fn elsewhere() -> Value {
    let mut role = pods();
    role["locality"] = json!("x");
    role
}

/// A warm mount with an issuer `two` beside its default.
async fn ready() -> (TestMount<Engine>, Aws) {
    let (mount, aws) = warm().await;
    let issuer = json!({ "common_name": "second", "issuer_name": "two" });
    written(&mount, "root/generate/internal", issuer).await;
    assert_eq!(after_a_read(&mount, &aws).await, 1, "another issuer is no change");
    (mount, aws)
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_in_force_and_its_repetition_ends_nothing() {
    for Change { path, body, .. } in CHANGES {
        let (mount, aws) = ready().await;
        mount.storage.lose_answers(true);
        assert_eq!(mount.write(path, body()).await.status, 503, "{path}");
        mount.storage.lose_answers(false);

        let read = after_a_read(&mount, &aws).await;
        let puts = configured(&mount.storage);
        written(&mount, path, body()).await;

        assert_eq!((read, after_a_read(&mount, &aws).await), (2, 2), "{path}");
        assert_eq!(configured(&mount.storage), puts, "{path}");
    }
}

#[tokio::test]
async fn a_write_that_lands_after_its_error_is_in_force_once_it_is_repeated() {
    for Change { path, key, body } in CHANGES {
        let (mount, aws) = ready().await;
        let before = mount.storage.get(key).await.unwrap().unwrap();
        written(&mount, path, body()).await;
        let after = mount.storage.get(key).await.unwrap().unwrap();
        mount.storage.put(key, before).await.unwrap();
        mount.backend.invalidate(key);
        mount.storage.break_after(0);
        assert_eq!(mount.write(path, body()).await.status, 503, "{path}");
        mount.storage.break_after(usize::MAX);
        let granted = after_a_read(&mount, &aws).await;
        mount.storage.put(key, after).await.unwrap();

        written(&mount, path, body()).await;

        assert_eq!(after_a_read(&mount, &aws).await, granted + 1, "{path}");
    }
}

#[tokio::test]
async fn a_cluster_whose_answers_are_lost_is_what_storage_says() {
    let (mount, aws) = ready().await;
    mount.storage.lose_answers(true);
    let moved = mount.write("clusters/prod", json!({ "accessor": "auth_kubernetes_9" })).await.status;
    let refused = mount.read("creds/app").await;
    let deleted = mount.delete("clusters/dev").await.status;
    mount.storage.lose_answers(false);

    let taken = mount.write("clusters/other", json!({ "accessor": DEV })).await;

    assert_eq!((moved, deleted, taken.error.as_str()), (503, 503, ""));
    assert!(refused.error.contains("no alias"), "{refused:?}");
    assert_eq!(aws.granted(), 1);
}

#[tokio::test]
async fn a_role_whose_deletion_was_not_answered_is_gone() {
    let (mount, aws) = ready().await;
    mount.storage.lose_answers(true);

    assert_eq!(mount.delete("roles/app").await.status, 503);

    assert_eq!((mount.read("creds/app").await.status, aws.granted()), (400, 1));
}
