//! Applications that outlive their sessions of a minute.

use std::time::Duration;

use cluster::{MINUTE, Manifests, Team, sessions, told};

/// Between two calls.
const EACH: Duration = Duration::from_secs(1);
/// One call a second, for five sessions and a bit.
const CALLS: usize = 325;
/// On a slow machine a call takes more than its second.
const PATIENCE: Duration = Duration::from_secs(900);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_the_node_agent_a_go_application_outlives_five_sessions_without_one_failed_call() {
    outlives_five_sessions("agent-minute-go", Manifests::watching).await;
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_the_node_agent_a_python_application_outlives_five_sessions_without_one_failed_call() {
    outlives_five_sessions("agent-minute-python", |base| base.calling_with_boto3(EACH)).await;
}

async fn outlives_five_sessions(namespace: &str, application: fn(Manifests) -> Manifests) {
    let team = Team::associated_with_profile(namespace, MINUTE).await;
    let manifests = application(team.manifests("pod-identity").await);

    let pod = team.deploy_alone(&manifests).await;

    let calls = team.succeeds(&pod, CALLS, PATIENCE).await;
    told(&format!("{namespace}: {} calls by {} sessions", calls.len(), sessions(&calls)));
    assert!(sessions(&calls) > 5, "{} sessions", sessions(&calls));
}
