//! What a pod sees of an AWS that is away, with `client-max-retries` and without.

use std::time::Duration;

use cluster::{HOST_ADDRESS, Team};
use serde_json::Value;

use super::outage::mount;

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_client_max_retries_0_the_listener_says_at_once_what_is_wrong() {
    let team = away("retries-none").await;
    let manifests = team.manifests("container-credentials").await.idle();

    let pod = team.deploy(&manifests).await;

    let mut took = Vec::new();
    for _ in 0..5 {
        let answer = team.listener(&pod, &team.container_path(), "").await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        let document: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(document["code"].is_string() && document["message"].is_string(), "{}", answer.body);
        took.push(answer.took);
    }
    // a busy machine delays one answer or the other, and not all
    assert!(took.iter().any(|took| *took < Duration::from_secs(3)), "{took:?}");
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn without_it_the_listener_is_silent_for_a_minute_and_hides_the_reason() {
    let team = away("retries-many").await;
    let manifests = team.manifests("container-credentials").await.without("client-max-retries").idle();

    let pod = team.deploy(&manifests).await;

    let answer = team.listener(&pod, &team.container_path(), "").await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(answer.took > Duration::from_secs(50), "{:?}", answer.took);
    assert!(answer.body.contains("context deadline exceeded"), "{}", answer.body);
}

/// A team on a mount whose AWS refuses connections.
async fn away(name: &str) -> Team {
    mount(name, &format!("https://{HOST_ADDRESS}:1"), None).await;
    Team::on_mount(name, "container", name).await
}
