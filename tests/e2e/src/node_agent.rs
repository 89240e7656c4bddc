//! The node agent as a process, and the pods of its node.

use std::process::Stdio;
use std::time::Duration;

use harness::binaries;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long it may take to start.
const START: Duration = Duration::from_secs(20);

/// A running agent on an address of loopback. It is killed when it is dropped.
pub struct NodeAgent {
    url: String,
    metrics: String,
    client: reqwest::Client,
    _process: Child,
    log: JoinHandle<()>,
}

/// What the agent answered.
#[derive(Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The session's document, or `code` and `message`.
    pub body: Value,
}

impl Answered {
    /// The session's document.
    ///
    /// # Panics
    /// When it is a refusal.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The code and the message of a refusal.
    ///
    /// # Panics
    /// When it has another status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> (&str, &str) {
        assert_eq!(self.status, status, "{}", self.body);
        (self.body["code"].as_str().unwrap_or_default(), self.body["message"].as_str().unwrap_or_default())
    }
}

impl NodeAgent {
    /// An agent in front of a Vault, with more arguments of `serve`, once it serves.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(vault: &str, more: &[&str]) -> NodeAgent {
        let free = "127.0.0.1:0";
        let mut process = Command::new(binaries::node_agent())
            .args(["serve", "--vault-addr", vault, "--listen", free, "--metrics-listen", free])
            .args(more)
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the node agent runs");
        let stderr = BufReader::new(process.stderr.take().expect("it is piped"));
        let (found, mut address) = watch::channel(None);
        let log = tokio::spawn(async move {
            let mut lines = stderr.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(served) = served(&line) {
                    found.send_replace(Some(served));
                }
            }
        });
        let address = timeout(START, address.wait_for(Option::is_some)).await.expect("it starts in time");
        let address = address.expect("it serves").clone().unwrap_or_default();
        let (address, metrics) = address;
        let url = format!("http://{address}/v1/credentials");
        NodeAgent {
            url,
            metrics: format!("http://{metrics}/metrics"),
            client: reqwest::Client::new(),
            _process: process,
            log,
        }
    }

    /// The value of `AWS_CONTAINER_CREDENTIALS_FULL_URI` in its pods.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What Prometheus reads.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn metrics(&self) -> String {
        let answer = self.client.get(&self.metrics).send().await.expect("an answer");
        answer.text().await.expect("a whole answer")
    }

    /// What an SDK gets in a pod with this token.
    pub async fn ask(&self, token: &str) -> Answered {
        self.ask_for("", token).await
    }

    /// The same for a role in the path.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn ask_for(&self, role: &str, token: &str) -> Answered {
        let url = format!("{}{role}", self.url);
        let answer = self.client.get(url).header("Authorization", token).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a whole answer");
        Answered { status, body: serde_json::from_str(&text).expect("JSON") }
    }
}

impl Drop for NodeAgent {
    fn drop(&mut self) {
        self.log.abort();
    }
}

/// The addresses of pods and of Prometheus in the line that says that it serves.
fn served(line: &str) -> Option<(String, String)> {
    let logged: Value = serde_json::from_str(line).ok()?;
    let listen =
        logged["listen"].as_str().filter(|_| logged["message"] == "serving the pods of this node")?;
    let metrics = logged["metrics_listen"].as_str()?;
    Some((listen.trim_matches(['[', ']']).to_owned(), metrics.to_owned()))
}
