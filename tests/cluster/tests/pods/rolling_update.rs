//! A rolling update under load.

use std::time::Duration;

use cluster::{Call, Team, never_failed, once_logged_in};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_rolling_update_fails_no_call_of_the_old_pod_nor_of_the_new() {
    let team = Team::new("rolling", "container").await;
    let manifests = team.manifests("container-credentials").await.watching();
    let old = team.deploy(&manifests).await;
    team.succeeds(&old, 5, SOON).await;
    let follow = ["logs", "--follow", "--container=app", &old];

    let (last_words, new) = tokio::join!(team.kubectl(&follow), async {
        team.kubectl(&["rollout", "restart", "deployment/api"]).await.ok();
        team.rolled_out().await;
        team.pod().await
    });

    assert_ne!(old, new);
    let old_calls = once_logged_in(last_words.stdout.lines().filter_map(Call::parse).collect());
    assert!(old_calls.len() >= 5);
    never_failed(&old_calls);
    team.succeeds(&new, 10, SOON).await;
}
