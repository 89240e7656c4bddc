//! Who a caller is, is found out for every read: a session that is kept for it changes nothing. And what ends a kept session.

use engine::Engine;
use serde_json::{Value, json};
use vault_backend::testing::{TestMount, TestResponse};
use vault_backend::{Backend, FakeSystemView};

use super::callers::{DEV, PROD, clusters_calling, pod, pods};
use crate::aws::Aws;
use crate::mounts::{ANCHOR, PROFILE, ROLE, configured};

/// A mount whose pod `payments/api` of `prod` has a session already.
pub(crate) async fn warm() -> (TestMount<Engine>, Aws) {
    let aws = Aws::granting();
    let mount = clusters_calling(&aws).await.asked_by(pod(PROD, "payments", "api"));
    written(&mount, "config", config(&json!({}))).await;
    written(&mount, "roles/app", pods()).await;
    assert_eq!(mount.read("creds/app").await.error, "");
    assert_eq!((mount.read("creds/app").await.status, aws.granted()), (200, 1));
    (mount, aws)
}

pub(crate) fn config(more: &Value) -> Value {
    let mut config =
        json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE, "max_retries": 0 });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

pub(crate) async fn written(mount: &TestMount<Engine>, path: &str, body: Value) -> TestResponse {
    let reply = mount.write(path, body).await;
    assert_eq!(reply.error, "", "{path}");
    reply
}

/// How many sessions AWS has granted once `creds` was read again.
pub(crate) async fn after_a_read(mount: &TestMount<Engine>, aws: &Aws) -> usize {
    let reply = mount.read("creds/app").await;
    assert_eq!((reply.status, reply.error.as_str()), (200, ""));
    aws.granted()
}

/// What `creds` and `container` say to the warm pod after Vault knows `change`.
async fn refused_after(change: impl FnOnce(&mut FakeSystemView)) -> String {
    let (mount, aws) = warm().await;
    mount.system.change(change);

    let (creds, container) = (mount.read("creds/app").await, mount.read("container/app").await);

    assert_eq!((creds.status, container.status, aws.granted()), (400, 400, 1));
    creds.error
}

#[tokio::test]
async fn a_warm_cache_serves_no_disabled_entity() {
    let error = refused_after(|vault| vault.entities[0].disabled = true).await;

    assert!(error.contains("is disabled"), "{error}");
}

#[tokio::test]
async fn a_warm_cache_serves_no_entity_without_its_alias() {
    let error = refused_after(|vault| vault.entities[0].aliases.clear()).await;

    assert!(error.contains("no alias"), "{error}");
}

#[tokio::test]
async fn a_warm_cache_serves_no_entity_that_is_gone() {
    let error = refused_after(|vault| vault.entities.clear()).await;

    assert!(error.contains("knows no entity"), "{error}");
}

#[tokio::test]
async fn a_pod_that_becomes_another_one_gets_a_session_of_its_own() {
    for other in [pod(PROD, "payments", "web"), pod(PROD, "billing", "api"), pod(DEV, "payments", "api")] {
        let (mount, aws) = warm().await;
        mount.system.change(|vault| vault.entities = vec![other]);

        assert_eq!(after_a_read(&mount, &aws).await, 2);
    }
}

#[tokio::test]
async fn two_mounts_never_share() {
    let (_first, aws) = warm().await;
    let second = clusters_calling(&aws).await.asked_by(pod(PROD, "payments", "api"));
    written(&second, "config", config(&json!({}))).await;
    written(&second, "roles/app", pods()).await;

    assert_eq!(after_a_read(&second, &aws).await, 2);
}

#[tokio::test]
async fn identical_writes_keep_the_session_and_put_nothing() {
    let (mount, aws) = warm().await;
    let puts = configured(&mount.storage);
    let read = mount.read("roles/app").await.data;

    written(&mount, "roles/app", Value::Object(read)).await;
    written(&mount, "roles/app", pods()).await;
    written(&mount, "config", config(&json!({}))).await;
    written(&mount, "clusters/prod", json!({ "accessor": PROD })).await;
    written(&mount, "roles/other", pods()).await;

    assert_eq!(configured(&mount.storage).len(), puts.len() + 1, "only the other role is new");
    assert_eq!(after_a_read(&mount, &aws).await, 1);
}

#[tokio::test]
async fn a_change_of_role_config_or_cluster_ends_the_session() {
    for (path, body) in [
        ("roles/app", json!({ "locality": "x" })),
        ("config", json!({ "allowed_role_arns": "arn:aws:iam::*" })),
        ("clusters/prod", json!({ "accessor": PROD })),
    ] {
        let (mount, aws) = warm().await;

        match path {
            "config" => written(&mount, path, config(&body)).await,
            "roles/app" => mount.patch(path, body).await,
            _ => {
                assert_eq!(mount.delete(path).await.error, "");
                written(&mount, path, body).await
            }
        };

        assert_eq!(after_a_read(&mount, &aws).await, 2, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_fail_whoever_waits_for_a_turn() {
    let (mount, aws) = warm().await;
    let slow = json!({ "rate_limit": 1, "rate_burst": 1 });
    written(&mount, "config", config(&slow)).await;
    written(&mount, "roles/new", pods()).await;

    let writing = async {
        tokio::task::yield_now().await;
        mount.patch("roles/new", json!({ "locality": "x" })).await
    };
    let (read, written) = tokio::join!(mount.read("creds/new"), writing);

    assert_eq!((written.error.as_str(), read.error.as_str()), ("", ""));
    assert_eq!(aws.granted(), 2, "one session of the changed role, none of the one before");
}

#[tokio::test]
async fn a_read_that_saw_the_role_before_its_change_leaves_no_session_of_it() {
    let (mount, aws) = warm().await;
    written(&mount, "roles/new", pods()).await;
    // the next read has to load the config, after it has read the role
    written(&mount, "config", config(&json!({ "request_timeout": 9 }))).await;

    let (read, written) =
        tokio::join!(mount.read("creds/new"), mount.patch("roles/new", json!({ "locality": "x" })));
    let again = mount.read("creds/new").await;

    assert_eq!((written.error.as_str(), read.error.as_str(), again.error.as_str()), ("", "", ""));
    assert_eq!(aws.granted(), 2, "one session of the changed role, none of the one before");
}

#[tokio::test]
async fn a_role_deleted_and_written_again_starts_anew() {
    let (mount, aws) = warm().await;

    mount.delete("roles/app").await;
    assert_eq!(mount.read("creds/app").await.status, 400);
    written(&mount, "roles/app", pods()).await;

    assert_eq!(after_a_read(&mount, &aws).await, 2);
}

#[tokio::test]
async fn bounds_of_the_config_change_without_an_end_of_sessions() {
    let (mount, aws) = warm().await;

    let bounds =
        json!({ "rate_limit": 100, "rate_burst": 1, "max_cached_sessions": 5, "request_timeout": 3 });
    written(&mount, "config", config(&bounds)).await;

    assert_eq!(after_a_read(&mount, &aws).await, 1);
}

#[tokio::test]
async fn what_another_node_wrote_ends_the_sessions_made_from_it_and_no_others() {
    let issuer = async |mount: &TestMount<Engine>| {
        let keys = mount.list("issuers").await.data["keys"].clone();
        format!("issuer/{}", keys[0].as_str().unwrap())
    };
    for (key, granted) in [
        ("role/app", 2),
        ("role/apple", 1),
        ("config", 2),
        ("config/issuers", 2),
        ("issuer", 2),
        ("issuer/another", 1),
        ("cluster/prod", 2),
        ("cluster/dev", 1),
    ] {
        let (mount, aws) = warm().await;
        let key = if key == "issuer" { issuer(&mount).await } else { key.to_owned() };

        mount.backend.invalidate(&key);

        assert_eq!(after_a_read(&mount, &aws).await, granted, "{key}");
    }
}

#[tokio::test]
async fn a_closed_mount_serves_nothing_from_its_cache() {
    let (mount, aws) = warm().await;

    mount.backend.cleanup();

    assert_eq!((mount.read("creds/app").await.status, aws.granted()), (503, 1));
}

#[tokio::test]
async fn a_read_shows_the_sharing_that_was_written_and_a_preview_the_one_in_force() {
    let (mount, _aws) = warm().await;
    let shown = async || {
        let (role, preview) = (mount.read("roles/app").await.data, mount.read("preview/app").await.data);
        (role.get("session_sharing").cloned(), preview["session_sharing"].clone())
    };

    let for_pods = shown().await;
    mount.delete("roles/app").await;
    written(&mount, "roles/app", json!({ "role_arn": ROLE, "common_name": "app" })).await;
    let for_all = shown().await;
    assert_eq!(mount.patch("roles/app", json!({ "session_sharing": "identity" })).await.error, "");

    assert_eq!(for_pods, (None, json!("identity")));
    assert_eq!(for_all, (None, json!("none")));
    assert_eq!(shown().await, (Some(json!("identity")), json!("identity")));
}

#[tokio::test]
async fn a_sharing_that_was_written_stays_although_it_was_the_default_then() {
    let (mount, aws) = warm().await;
    let mut role = json!({ "role_arn": ROLE, "common_name": "app" });
    mount.delete("roles/app").await;
    written(&mount, "roles/app", role.clone()).await;

    role["session_sharing"] = json!("none");
    written(&mount, "roles/app", role.clone()).await;
    let puts = configured(&mount.storage);
    let read = mount.read("roles/app").await.data;
    written(&mount, "roles/app", Value::Object(read)).await;
    written(&mount, "roles/app", role).await;

    assert_eq!(configured(&mount.storage), puts, "an identical write changes nothing");
    assert_eq!(mount.patch("roles/app", pods()).await.error, "");
    assert_eq!(mount.read("roles/app").await.data["session_sharing"], "none");
    assert_eq!((after_a_read(&mount, &aws).await, after_a_read(&mount, &aws).await), (2, 3));
}

#[tokio::test]
async fn to_write_down_the_sharing_in_force_ends_no_session() {
    let (mount, aws) = warm().await;

    assert_eq!(mount.patch("roles/app", json!({ "session_sharing": "identity" })).await.error, "");

    assert_eq!(after_a_read(&mount, &aws).await, 1);
    assert_eq!(mount.patch("roles/app", json!({ "session_sharing": null })).await.error, "");
    assert_eq!(after_a_read(&mount, &aws).await, 1);
}

#[tokio::test]
async fn to_delete_a_config_that_is_not_there_ends_nothing() {
    let (mount, aws) = warm().await;
    let stored = mount.storage.get("config").await.unwrap().unwrap();
    mount.storage.delete("config").await.unwrap();

    assert_eq!(mount.delete("config").await.error, "");
    mount.storage.put("config", stored).await.unwrap();

    assert_eq!(after_a_read(&mount, &aws).await, 1);
}

#[tokio::test]
async fn a_config_that_is_deleted_ends_the_sessions_made_from_it() {
    let (mount, aws) = warm().await;

    assert_eq!(mount.delete("config").await.error, "");
    assert_eq!(mount.read("creds/app").await.status, 400);
    written(&mount, "config", config(&json!({}))).await;

    assert_eq!(after_a_read(&mount, &aws).await, 2);
}

#[tokio::test]
async fn a_static_answer_is_not_leased_and_never_says_zero() {
    let (mount, _aws) = warm().await;
    let leased = mount.read("creds/app").await;
    assert_eq!(mount.patch("roles/app", json!({ "lease": "static" })).await.error, "");

    let answer = mount.read("creds/app").await;

    assert!(leased.lease_nanoseconds.is_some() && !leased.data.contains_key("rotation_period"));
    assert_eq!(answer.lease_nanoseconds, None);
    assert_eq!(answer.data["rotation_period"], 1800);
    assert!(answer.data["ttl"].as_u64().is_some_and(|ttl| (1600..=2000).contains(&ttl)), "{answer:?}");
    assert!(answer.data["last_vault_rotation"].as_str().unwrap().ends_with('Z'));
}
