//! The pods of one way in, from their start to a minute of reads.

use std::time::Duration;

use cluster::{ANYBODY, Cluster, Manifests, Team, eventually};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::processes::{Usage, usage};

/// Where Vault writes its audit log, in its own pod.
pub(crate) const AUDIT: &str = "/tmp/bench-audit.log";

/// How often one pod is started alone.
const ALONE: usize = 5;
/// All pods at once, on two busy cores.
const START: Duration = Duration::from_secs(900);
/// Until a start is over for everybody.
const SETTLE: Duration = Duration::from_secs(20);
const REST: Duration = Duration::from_secs(60);
/// How long each pod reads once a second: less than the minute for which the node agent keeps an answer.
const READS: &str = "45s";

/// A way in, and who serves its pods.
pub(crate) struct Way {
    namespace: &'static str,
    overlay: &'static str,
    /// The first arguments of the processes that serve the pods.
    server: [&'static str; 2],
    is_association: bool,
}

/// A sidecar in each pod.
pub(crate) const SIDECARS: Way = Way {
    namespace: "bench-sidecars",
    overlay: "container-credentials",
    server: ["vault", "agent"],
    is_association: false,
};

/// One agent on the node.
pub(crate) const NODE_AGENT: Way = Way {
    namespace: "bench-agent",
    overlay: "pod-identity",
    server: ["iamra-node-agent", "serve"],
    is_association: true,
};

/// What was measured of a way.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The starts of one pod alone.
    pub(crate) alone: Vec<Start>,
    /// The starts of all pods at once.
    pub(crate) together: Vec<Start>,
    /// Logins at Vault until all had credentials.
    pub(crate) logins: u64,
    /// What the servers of credentials have at rest, with all pods running.
    pub(crate) memory: Usage,
    /// Their processor time in a minute without a read.
    pub(crate) at_rest: Duration,
    /// Their processor time while each pod reads once a second for 45 seconds.
    pub(crate) reading: Duration,
    /// Logins at Vault in that time.
    pub(crate) logins_reading: u64,
    /// How long each of those reads took, sorted.
    pub(crate) reads: Vec<Duration>,
    /// What the servers' containers request from the scheduler: thousandths of a processor.
    pub(crate) requested: u64,
}

/// The start of a pod, from `kubectl apply` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Until its application ran.
    pub(crate) application: Duration,
    /// Until that had credentials.
    pub(crate) credentials: Duration,
}

/// Starts and measures this many pods.
pub(crate) async fn measure(way: &Way, pods: usize) -> Measured {
    let team = if way.is_association {
        Team::associated(way.namespace, ANYBODY).await
    } else {
        Team::new(way.namespace, "container").await
    };
    let manifests = team.manifests(way.overlay).await.running(&["/watch", "first"]);
    let mut alone = Vec::new();
    for _ in 0..ALONE {
        alone.extend(starts(&team, &manifests, 1).await);
        remove(&team, &manifests).await;
    }

    let before = logins(&team.cluster).await;
    let together = starts(&team, &manifests.clone().replicas(pods), pods).await;
    sleep(SETTLE).await;
    let logins_start = logins(&team.cluster).await - before;
    let memory = usage(way.server);
    sleep(REST).await;
    let rested = usage(way.server);

    let before = logins(&team.cluster).await;
    let reads = reads(&team).await;
    let read = usage(way.server);
    let logins_reading = logins(&team.cluster).await - before;
    assert_eq!(memory.processes, read.processes, "somebody who serves credentials came or went");
    let requested = requested(&team, way).await;
    remove(&team, &manifests).await;
    Measured {
        alone,
        together,
        logins: logins_start,
        memory,
        at_rest: rested.processor.saturating_sub(memory.processor),
        reading: read.processor.saturating_sub(rested.processor),
        logins_reading,
        reads,
        requested,
    }
}

/// Starts pods, and waits until each has credentials.
async fn starts(team: &Team, manifests: &Manifests, pods: usize) -> Vec<Start> {
    let applied = now();
    team.apply(manifests).await;
    eventually("credentials for every pod", START, async || {
        let mut all = Vec::new();
        for pod in team.pods().await {
            let log = team.logs(pod["metadata"]["name"].as_str()?, "app").await;
            let line: Value = serde_json::from_str(log.lines().next()?).ok()?;
            let since = |moment: OffsetDateTime| (moment - applied).unsigned_abs();
            let (began, first) = (moment(&line["began"])?, moment(&line["first"])?);
            all.push(Start { application: since(began), credentials: since(first) });
        }
        (all.len() == pods).then_some(all)
    })
    .await
}

#[expect(clippy::disallowed_methods, reason = "pods date their lines by the machine's clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn moment(text: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.as_str()?, &Rfc3339).ok()
}

/// How long each read took, with each pod reading once a second; sorted.
async fn reads(team: &Team) -> Vec<Duration> {
    let mut pods = JoinSet::new();
    for pod in team.pods().await {
        let (cluster, namespace) = (team.cluster.clone(), team.namespace.clone());
        let name = pod["metadata"]["name"].as_str().expect("a pod has a name").to_owned();
        pods.spawn(async move {
            let exec = ["--namespace", &namespace, "exec", &name, "--container=app", "--", "/watch"];
            cluster.kubectl(&[&exec[..], &["reads", READS, "1s"]].concat()).await.ok()
        });
    }
    let mut all = Vec::new();
    for printed in pods.join_all().await {
        let printed: Value = serde_json::from_str(&printed).expect("the program prints JSON");
        assert_eq!(printed["failed"], 0, "a read failed");
        let took = printed["took"].as_array().into_iter().flatten().filter_map(Value::as_u64);
        all.extend(took.map(Duration::from_micros));
    }
    all.sort_unstable();
    all
}

/// Logins that Vault has answered since its audit log began.
async fn logins(cluster: &Cluster) -> u64 {
    let pattern = r#""path":"auth/kubernetes/login""#;
    let count =
        ["exec", "--namespace=vault", "vault-0", "--container=vault", "--", "grep", "-c", pattern, AUDIT];
    // grep fails where it counts none
    let lines: u64 = cluster.kubectl(&count).await.stdout.trim().parse().expect("grep prints a number");
    // a line for the request, and one for the answer
    lines / 2
}

/// The processor time that is set aside for those who serve credentials, on one node.
async fn requested(team: &Team, way: &Way) -> u64 {
    let agents;
    let pods = if way.is_association {
        let list = ["get", "pods", "--namespace=iamra-node-agent", "--output=json"];
        agents = serde_json::from_str::<Value>(&team.cluster.kubectl(&list).await.ok()).expect("JSON");
        agents["items"].as_array().cloned().unwrap_or_default()
    } else {
        team.pods().await
    };
    let containers = pods.iter().flat_map(|pod| pod["spec"]["containers"].as_array().into_iter().flatten());
    let servers = containers.filter(|container| container["name"] != "app");
    servers
        .filter_map(|container| container["resources"]["requests"]["cpu"].as_str())
        .filter_map(millicores)
        .sum()
}

fn millicores(text: &str) -> Option<u64> {
    match text.strip_suffix('m') {
        Some(number) => number.parse().ok(),
        None => Some(text.parse::<u64>().ok()? * 1000),
    }
}

/// Ends the pods, and waits until they are gone.
async fn remove(team: &Team, manifests: &Manifests) {
    let delete = ["delete", "--ignore-not-found", "--filename=-"];
    team.cluster.kubectl_with(&delete, Some(manifests.list())).await.ok();
    eventually("the end of the pods", START, async || {
        let pods = ["get", "pods", "--output=name"];
        team.kubectl(&pods).await.ok().trim().is_empty().then_some(())
    })
    .await;
}
