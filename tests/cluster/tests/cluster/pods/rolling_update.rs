//! A rolling update under load.

use std::time::Duration;

use cluster::{Team, never_failed};

const SOON: Duration = Duration::from_secs(180);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_rolling_update_fails_no_call_of_the_old_pod_nor_of_the_new() {
    let team = Team::new("rolling", "container").await;
    let manifests = team.manifests("container-credentials").await.watching();
    let old = team.deploy(&manifests).await;
    team.succeeds(&old, 5, SOON).await;
    let last_words = team.follow(&old).await;

    team.kubectl(&["rollout", "restart", "deployment/api"]).await.ok();
    team.rolled_out().await;
    let new = team.pod().await;

    assert_ne!(old, new);
    let old_calls = team.read_calls(&last_words.await.expect("the log ends with the pod")).await;
    assert!(old_calls.len() >= 5);
    never_failed(&old_calls);
    team.succeeds(&new, 10, SOON).await;
}
