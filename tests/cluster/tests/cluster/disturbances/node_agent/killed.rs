//! The agent's process killed under load.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use cluster::{ANYBODY, BRIDGE_ADDRESS, Call, MINUTE, Team, never_failed, told};
use harness::{has_ended, kill, running_from, until};
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::sleep;

/// What the process is called, wherever it is looked at from.
const PROGRAM: &str = "/iamra-node-agent";
const SOON: Duration = Duration::from_secs(180);
/// After the fourth kill in a row the kubelet waits 40 seconds before it starts the container again.
const KILLS: usize = 4;
/// Between two calls.
const EACH: Duration = Duration::from_secs(1);
/// Between two kills.
const PAUSE: Duration = Duration::from_secs(5);

/// The time in which nobody answered.
struct Away {
    from: OffsetDateTime,
    to: OffsetDateTime,
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn an_agent_that_is_killed_again_and_again_fails_no_call_of_whom_has_a_session_that_lasts() {
    let (go, python) =
        tokio::join!(Team::associated("killed-go", ANYBODY), Team::unassociated("killed-python"));
    // boto3 asks for every call in the first five minutes of a session of 15, and goes on with the one that it has if it is refused
    python.associate("api", json!({ "session_duration": 900 })).await;
    let go_pod = go.deploy_alone(&go.manifests("pod-identity").await.watching()).await;
    let manifests = python.manifests("pod-identity").await.calling_with_boto3(EACH);
    let python_pod = python.deploy_alone(&manifests).await;
    // a fresh pod: the kubelet has restarted nothing in it yet
    go.cluster.agent().roll().await;

    let mut away = Vec::new();
    for _ in 0..KILLS {
        away.push(kill_agent().await);
        sleep(PAUSE).await;
    }

    for (team, pod) in [(&go, &go_pod), (&python, &python_pod)] {
        let calls = team.calls(pod).await;
        never_failed(&calls);
        let meanwhile = meanwhile(&calls, &away).len();
        told(&format!("{}: {} calls, {meanwhile} of them without an agent", team.namespace, calls.len()));
        assert!(meanwhile > 10, "the agent was away for {}", lengths(&away));
    }
    told(&format!("the agent was away for {}", lengths(&away)));
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn an_agent_that_is_killed_is_back_before_most_sdks_have_given_up_who_need_it_at_that_moment() {
    let (go, python) = tokio::join!(
        Team::associated_with_profile("needy-go", MINUTE),
        Team::associated_with_profile("needy-python", MINUTE),
    );
    let go_pod = go.deploy_alone(&go.manifests("pod-identity").await.watching()).await;
    let manifests = python.manifests("pod-identity").await.calling_with_boto3(EACH);
    let python_pod = python.deploy_alone(&manifests).await;
    go.succeeds(&go_pod, 5, SOON).await;
    python.succeeds(&python_pod, 5, SOON).await;

    let mut away = Vec::new();
    for _ in 0..KILLS {
        // the kubelet restarts a container at once the first time, and ever later after that
        go.cluster.agent().roll().await;
        away.push(kill_agent().await);
        sleep(PAUSE).await;
    }

    for (team, pod) in [(&go, &go_pod), (&python, &python_pod)] {
        let calls = team.calls(pod).await;
        let (name, failed) = (&team.namespace, failed(&calls));
        told(&format!("{name}: {} calls, {} failed, {KILLS} kills", calls.len(), failed.len()));
        // an SDK asks three times, within 2 s (Python) or at random within 6 s (Go)
        assert!(failed.len() <= KILLS, "{failed:#?}");
        assert_eq!(meanwhile(&failed, &away).len(), failed.len(), "with an agent none fails: {failed:#?}");
    }
    told(&format!("the agent was away for {}", lengths(&away)));
}

/// Kills the one that serves, and waits until the next serves.
async fn kill_agent() -> Away {
    let old = until("an agent", SOON, async || serving()).await;
    let from = now();
    kill(old);
    has_ended(old, SOON).await;
    // its page for Prometheus is there a moment after the page for pods
    let page = SocketAddr::from((BRIDGE_ADDRESS, 9810));
    until("the next agent", SOON, async || {
        serving().filter(|_| TcpStream::connect_timeout(&page, EACH).is_ok())
    })
    .await;
    Away { from, to: now() }
}

/// The process of the agent that all stories share: not one of its probes, and not the agent of another story, which has an address of
/// its own.
fn serving() -> Option<u32> {
    running_from(Path::new(PROGRAM)).into_iter().find(|pid| {
        let of = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let has_own_address = of("environ").split('\0').any(|variable| variable.starts_with("IAMRA_LISTEN="));
        of("cmdline").split('\0').nth(1) == Some("serve") && !has_own_address
    })
}

/// The calls that were under way while nobody answered.
fn meanwhile(calls: &[Call], away: &[Away]) -> Vec<Call> {
    let is_without = |call: &&Call| away.iter().any(|away| away.from <= call.at && call.began <= away.to);
    calls.iter().filter(is_without).cloned().collect()
}

fn failed(calls: &[Call]) -> Vec<Call> {
    calls.iter().filter(|call| call.outcome.is_err()).cloned().collect()
}

fn lengths(away: &[Away]) -> String {
    let lengths = away.iter().map(|away| format!("{:.1}", (away.to - away.from).as_seconds_f64()));
    lengths.collect::<Vec<_>>().join(", ") + " s"
}

#[expect(clippy::disallowed_methods, reason = "the applications date their calls by the machine's clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
