//! Many callers, and room for the session of one.

use engine::Engine;
use serde_json::json;
use tokio::task::JoinSet;
use vault_backend::testing::{TestMount, TestResponse};
use vault_backend::{Entity, FakeSystemView};

use super::callers::{PROD, clusters_calling, pod, pods};
use crate::aws::Aws;
use crate::mounts::{ANCHOR, PROFILE};

/// A mount that keeps one session, and its callers `prod.payments.<name>`.
async fn narrow(names: &[&str]) -> (Vec<TestMount<Engine>>, Aws) {
    let aws = Aws::granting();
    let mount = clusters_calling(&aws).await;
    let config = json!({
        "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE,
        "max_cached_sessions": 1, "rate_limit": 10_000, "rate_burst": 10_000,
    });
    for (path, body) in [("config", config), ("roles/app", pods())] {
        assert_eq!(mount.write(path, body).await.error, "", "{path}");
    }
    let caller = |name: &&str| {
        let id = format!("entity-{name}");
        mount.beside(Entity { id, ..pod(PROD, "payments", name) })
    };
    (names.iter().map(caller).collect(), aws)
}

/// Whose session an answer holds, by AWS's own record of the certificate it was shown.
fn whose(reply: &TestResponse) -> String {
    assert_eq!((reply.status, reply.error.as_str()), (200, ""));
    reply.data["source_identity"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_cache_of_one_gives_each_of_many_callers_at_once_its_own_session() {
    let names: Vec<String> = (0..40).map(|number| format!("api-{number}")).collect();
    let (callers, aws) = narrow(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;

    let mut reads = JoinSet::new();
    for (caller, name) in callers.into_iter().zip(names) {
        reads.spawn(async move {
            for _ in 0..3 {
                let reply = caller.read("creds/app").await;
                assert_eq!(whose(&reply), format!("CN=prod.payments.{name}"));
            }
        });
    }

    assert_eq!(reads.join_all().await.len(), 40);
    assert!((40..=120).contains(&aws.granted()), "{}", aws.granted());
}

#[tokio::test]
async fn a_cache_of_one_holds_the_session_that_was_asked_for_last() {
    let (callers, aws) = narrow(&["api", "web"]).await;
    let mut granted = Vec::new();

    for caller in [0, 0, 1, 1, 0] {
        let _ = whose(&callers[caller].read("creds/app").await);
        granted.push(aws.granted());
    }

    assert_eq!(granted, [1, 1, 2, 2, 3]);
}

#[tokio::test]
async fn a_caller_who_is_refused_takes_no_room_from_one_who_is_served() {
    let (callers, aws) = narrow(&["api", "web"]).await;
    let _ = whose(&callers[0].read("creds/app").await);

    callers[1].system.change(|vault: &mut FakeSystemView| vault.entities[1].disabled = true);
    let refused = callers[1].read("creds/app").await;

    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(whose(&callers[0].read("creds/app").await), "CN=prod.payments.api");
    assert_eq!(aws.granted(), 1);
}
