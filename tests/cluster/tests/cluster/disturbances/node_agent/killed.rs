//! The agent's process killed under load.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cluster::{MINUTE, Team, eventually, never_failed, sessions, told};
use harness::{has_ended, kill, running_from};
use tokio::time::{Instant, sleep};

/// What the process is called, wherever it is looked at from.
const PROGRAM: &str = "/iamra-node-agent";
const SOON: Duration = Duration::from_secs(180);
const KILLS: usize = 4;

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn an_agent_that_is_killed_fails_no_call_of_go_or_python() {
    let (go, python) = tokio::join!(
        Team::associated_with_profile("killed-go", MINUTE),
        Team::associated_with_profile("killed-python", MINUTE),
    );
    let manifests = go.manifests("pod-identity").await.watching();
    let go_pod = go.deploy_alone(&manifests).await;
    let manifests = python.manifests("pod-identity").await.calling_with_boto3();
    let python_pod = python.deploy_alone(&manifests).await;
    go.succeeds(&go_pod, 5, SOON).await;
    let before = python.succeeds(&python_pod, 5, SOON).await.len();

    for _ in 0..KILLS {
        // the kubelet restarts a container at once the first time, and ever later after that
        go.cluster.roll_agent().await;
        kill_agent().await;
        sleep(Duration::from_secs(5)).await;
    }

    for (team, pod) in [(&go, &go_pod), (&python, &python_pod)] {
        let calls = eventually("calls", SOON, async || {
            let calls = team.calls(pod).await;
            (calls.len() >= before + 20).then_some(calls)
        })
        .await;
        let failed = calls.iter().filter(|call| call.outcome.is_err()).count();
        let name = &team.namespace;
        told(&format!(
            "{name}: {} calls by {} sessions, {failed} failed, {KILLS} kills",
            calls.len(),
            sessions(&calls)
        ));
    }
    never_failed(&go.calls(&go_pod).await);
    never_failed(&python.calls(&python_pod).await);
}

/// Kills the one that serves, and waits for the next.
async fn kill_agent() {
    let old = serving().expect("an agent serves");
    kill(old);
    has_ended(old, SOON).await;
    let gone = Instant::now();
    eventually("the next agent", SOON, async || serving()).await;
    told(&format!("the agent was away for {:?}", gone.elapsed()));
}

/// The process of the agent, and not one of its probes.
fn serving() -> Option<u32> {
    running_from(Path::new(PROGRAM)).into_iter().find(|pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').nth(1) == Some("serve")
    })
}
