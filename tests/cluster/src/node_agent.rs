//! The node agent of the cluster, from outside: its pages, its log, its pod.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::cluster::Cluster;
use crate::layout::BRIDGE_ADDRESS;

/// The namespace of `k8s/node-agent/deploy`, and the name of its `DaemonSet`.
pub const NODE_AGENT: &str = "iamra-node-agent";

/// The port of `/metrics`.
const METRICS_PORT: u16 = 9810;

/// The time for a page.
const PAGE: Duration = Duration::from_secs(10);

impl Cluster {
    /// One of the values of the agent's `/metrics`, by the whole name of its series, labels included; none if there is no such series.
    ///
    /// # Panics
    /// When the agent does not answer in ten seconds.
    pub async fn agent_metric(&self, series: &str) -> Option<f64> {
        let text = tokio::task::spawn_blocking(metrics).await.expect("the look is not aborted");
        let text = text.expect("the agent answers");
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
    }

    /// The number of requests that the agent has answered so since it began; see its `/metrics` for the outcomes.
    pub async fn agent_requests(&self, outcome: &str) -> f64 {
        let series = format!("iamra_agent_requests_total{{outcome=\"{outcome}\"}}");
        self.agent_metric(&series).await.expect("every outcome has a series")
    }

    /// The agent's log.
    pub async fn agent_log(&self) -> String {
        let daemon_set = format!("daemonset/{NODE_AGENT}");
        let run = self.kubectl(&["logs", "--namespace", NODE_AGENT, "--container=agent", &daemon_set]).await;
        run.ok()
    }

    /// Waits until the `DaemonSet` has its pod as it is now described, and the pod is ready.
    ///
    /// # Panics
    /// With the state of the pods if that takes more than five minutes.
    pub async fn agent_rolled_out(&self) {
        let daemon_set = format!("daemonset/{NODE_AGENT}");
        let status = ["rollout", "status", "--timeout=300s", "--namespace", NODE_AGENT, &daemon_set];
        let run = self.kubectl(&status).await;
        if !run.ok {
            let state = self.kubectl(&["describe", "pods", "--namespace", NODE_AGENT]).await.stdout;
            panic!("{}{}\n{state}", run.stdout, run.stderr);
        }
    }

    /// Replaces the agent's pod by a new one, as an update does, and waits until that is done.
    pub async fn roll_agent(&self) {
        let daemon_set = format!("daemonset/{NODE_AGENT}");
        self.kubectl(&["rollout", "restart", "--namespace", NODE_AGENT, &daemon_set]).await.ok();
        self.agent_rolled_out().await;
    }
}

/// The page by plain HTTP, which ends with the connection.
fn metrics() -> std::io::Result<String> {
    let address = SocketAddr::from((BRIDGE_ADDRESS, METRICS_PORT));
    let mut stream = TcpStream::connect_timeout(&address, PAGE)?;
    stream.set_read_timeout(Some(PAGE))?;
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

/// Tells the person who runs a story what it counted.
pub fn told(text: &str) {
    // a closed pipe fails no story
    let _ = writeln!(std::io::stderr(), "{text}");
}
