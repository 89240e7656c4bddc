//! The node agent of the cluster, or one of a story's own, from outside: its pages, its log, its pod.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::layout::BRIDGE_ADDRESS;
use crate::manifests::Manifests;

/// The namespace of `k8s/node-agent/deploy`, and the name of its `DaemonSet`.
pub const NODE_AGENT: &str = "iamra-node-agent";

/// The port at which pods ask the cluster's agent, and the one of its pages.
const PORTS: (u16, u16) = (80, 9810);

/// What is added to the port of a story's own agent: the port of its pages.
const PAGES: u16 = 1000;

/// The time for a page.
const PAGE: Duration = Duration::from_secs(10);

/// An agent on the node.
pub struct NodeAgent {
    cluster: Cluster,
    namespace: String,
    port: u16,
    pages: u16,
}

impl Cluster {
    /// The agent that all stories share.
    pub fn agent(&self) -> NodeAgent {
        let (port, pages) = PORTS;
        NodeAgent { cluster: self.clone(), namespace: NODE_AGENT.to_owned(), port, pages }
    }

    /// The users' own `DaemonSet` once more, in a namespace and on a port of a story's own: what is done to it, or to its way to Vault,
    /// disturbs no other story. Each story has another port; Vault is asked at this URL.
    ///
    /// # Panics
    /// When it does not become ready in five minutes.
    pub async fn own_agent(&self, namespace: &str, port: u16, vault: &str) -> NodeAgent {
        self.kubectl(&["delete", "namespace", namespace, "--ignore-not-found"]).await.ok();
        let agent =
            NodeAgent { cluster: self.clone(), namespace: namespace.to_owned(), port, pages: port + PAGES };
        let manifests = Manifests::of(self, "k8s/overlays/local/node-agent", "payments").await;
        let manifests = manifests
            .replacing(&format!(r#""namespace":"{NODE_AGENT}""#), &format!(r#""namespace":"{namespace}""#))
            .replacing("http://vault.vault.svc:8200", vault)
            .with("Namespace", |object| object["metadata"]["name"] = json!(namespace))
            .with_pod(|pod| agent.takes_its_ports(&mut pod["containers"][0]));
        self.kubectl_with(&["apply", "--filename=-"], Some(manifests.list())).await.ok();
        agent.rolled_out().await;
        agent
    }
}

impl NodeAgent {
    /// The port at which pods ask it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// One of the values of its `/metrics`, by the whole name of its series, labels included; none if there is no such series.
    ///
    /// # Panics
    /// When the agent does not answer in ten seconds.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let port = self.pages;
        let text = tokio::task::spawn_blocking(move || metrics(port)).await.expect("the look is not aborted");
        let text = text.expect("the agent answers");
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
    }

    /// The number of requests that it has answered so since it began; see its `/metrics` for the outcomes.
    pub async fn requests(&self, outcome: &str) -> f64 {
        let series = format!("iamra_agent_requests_total{{outcome=\"{outcome}\"}}");
        self.metric(&series).await.expect("every outcome has a series")
    }

    /// Its log; where an old one is about to end, that of both.
    pub async fn log(&self) -> String {
        let selector = format!("--selector=app.kubernetes.io/name={NODE_AGENT}");
        self.kubectl(&["logs", &selector, "--container=agent", "--tail=-1", "--ignore-errors"]).await
    }

    /// Waits until the `DaemonSet` has its pod as it is now described, and the pod is ready.
    ///
    /// # Panics
    /// With the state of the pods if that takes more than five minutes.
    pub async fn rolled_out(&self) {
        let daemon_set = format!("daemonset/{NODE_AGENT}");
        let status = ["rollout", "status", "--timeout=300s", "--namespace", &self.namespace, &daemon_set];
        let run = self.cluster.kubectl(&status).await;
        if !run.ok {
            let state = self.kubectl(&["describe", "pods"]).await;
            panic!("{}{}\n{state}", run.stdout, run.stderr);
        }
    }

    /// Replaces its pod by a new one, as an update does, and waits until that is done.
    pub async fn roll(&self) {
        self.kubectl(&["rollout", "restart", &format!("daemonset/{NODE_AGENT}")]).await;
        self.rolled_out().await;
    }

    /// Sets a variable of its container, or with `<name>-` takes it away, and waits until that is done.
    pub async fn set(&self, variable: &str) {
        self.kubectl(&["set", "env", &format!("daemonset/{NODE_AGENT}"), variable]).await;
        self.rolled_out().await;
    }

    /// The output of `kubectl` in its namespace.
    async fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(&[&["--namespace", &self.namespace], arguments].concat()).await.ok()
    }

    /// Gives the container these ports, for pods and for the agent's pages, which the probes ask.
    fn takes_its_ports(&self, container: &mut Value) {
        container["env"] = json!([
            { "name": "IAMRA_LISTEN", "value": format!("169.254.170.23:{}", self.port) },
            { "name": "IAMRA_METRICS_LISTEN", "value": format!("0.0.0.0:{}", self.pages) },
        ]);
        for probe in ["readinessProbe", "livenessProbe"] {
            container[probe]["httpGet"]["port"] = json!(self.pages);
        }
    }
}

impl Drop for NodeAgent {
    fn drop(&mut self) {
        if self.namespace != NODE_AGENT {
            self.cluster.forget(&self.namespace);
        }
    }
}

/// The page by plain HTTP, which ends with the connection.
fn metrics(port: u16) -> std::io::Result<String> {
    let address = SocketAddr::from((BRIDGE_ADDRESS, port));
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
