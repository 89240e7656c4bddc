//! Updates of the agent under load.

use std::time::Duration;

use cluster::{MINUTE, Team, never_failed, sessions, told};

const SOON: Duration = Duration::from_secs(180);
const UPDATES: usize = 4;

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn an_agent_that_is_updated_again_and_again_fails_no_call_of_go_or_python() {
    let (go, python) = tokio::join!(
        Team::associated_with_profile("rolled-go", MINUTE),
        Team::associated_with_profile("rolled-python", MINUTE),
    );
    let manifests = go.manifests("pod-identity").await.watching();
    let go_pod = go.deploy_alone(&manifests).await;
    let manifests = python.manifests("pod-identity").await.calling_with_boto3();
    let python_pod = python.deploy_alone(&manifests).await;
    go.succeeds(&go_pod, 5, SOON).await;
    let before = python.succeeds(&python_pod, 5, SOON).await.len();

    for _ in 0..UPDATES {
        go.cluster.roll_agent().await;
    }

    // sessions of a minute: both SDKs ask the agent for every call
    for (team, pod) in [(&go, &go_pod), (&python, &python_pod)] {
        let calls = team.succeeds(pod, before + 20, SOON).await;
        never_failed(&calls);
        let name = &team.namespace;
        told(&format!("{name}: {} calls by {} sessions, {UPDATES} updates", calls.len(), sessions(&calls)));
    }
}
