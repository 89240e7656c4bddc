//! The cluster as a value of a test.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::layout::Layout;
use crate::tools;

/// How often a command is tried, and the pause between tries.
pub(crate) const TRIES: usize = 4;
pub(crate) const REST: Duration = Duration::from_secs(2);

/// Errors of kubectl, and of vault, if the API server, etcd or kubelet was too slow, and never of a refusal.
const BROKEN: [&str; 9] = [
    "TLS handshake timeout",
    // what Go's HTTP client, its dialer and the API server say once their time is over
    "Client.Timeout exceeded",
    "i/o timeout",
    "Timeout: request did not complete within requested timeout",
    "etcdserver: request timed out",
    "Unable to connect to the server",
    "error dialing backend",
    "http2: client connection lost",
    "failed calling webhook",
];

/// How many stories apply at once: for each `apply`, the API server sends its whole schema, and 32 at once on two cores outlast the
/// half minute that kubectl gives it.
static APPLIES: Semaphore = Semaphore::const_new(4);

/// The running cluster of this workspace.
#[derive(Clone, Debug)]
pub struct Cluster {
    facts: Value,
}

/// The result of one run of `kubectl`.
#[derive(Clone, Debug)]
pub struct Run {
    /// Whether it succeeded.
    pub ok: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Whether a command failed because the machine was too slow, so that it may succeed when it is repeated.
pub(crate) fn is_of_a_stalled_machine(error: &str) -> bool {
    BROKEN.iter().any(|text| error.contains(text))
}

impl Cluster {
    /// The cluster that runs now.
    ///
    /// # Panics
    /// When there is none: a story that cannot run has failed.
    pub fn running() -> Cluster {
        let file = Layout::of_workspace().facts();
        let text = std::fs::read_to_string(file).expect("no cluster runs: `make test-k8s` starts one");
        Cluster { facts: serde_json::from_str(&text).expect("the facts are JSON") }
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.fact("kubeconfig").into()
    }

    /// AWS without TLS: its STS, and the admin pages.
    pub fn aws(&self) -> &str {
        self.fact("aws")
    }

    /// AWS's address for the engine.
    pub fn aws_tls(&self) -> &str {
        self.fact("aws_tls")
    }

    /// The CA of [`Cluster::aws_tls`].
    pub fn aws_ca_pem(&self) -> &str {
        self.fact("aws_ca_pem")
    }

    /// Runs `kubectl <arguments>` as the administrator, with `input` as its standard input, and repeats it if a stalled machine broke
    /// the connection.
    pub async fn kubectl_with(&self, arguments: &[&str], input: Option<String>) -> Run {
        for _ in 1..TRIES {
            let run = self.try_kubectl(arguments, input.clone()).await;
            if run.ok || !is_of_a_stalled_machine(&run.stderr) {
                return run;
            }
            sleep(REST).await;
        }
        self.try_kubectl(arguments, input).await
    }

    async fn try_kubectl(&self, arguments: &[&str], input: Option<String>) -> Run {
        let _turn = match arguments.first() {
            Some(&"apply") => Some(APPLIES.acquire().await.expect("nobody closes it")),
            _ => None,
        };
        let mut command = Command::new(tools::built("kubectl"));
        command
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        tokio::task::spawn_blocking(move || output(command, input)).await.expect("the run is not aborted")
    }

    /// Runs `kubectl <arguments>` as the administrator.
    pub async fn kubectl(&self, arguments: &[&str]) -> Run {
        self.kubectl_with(arguments, None).await
    }

    /// Deletes a namespace, and does not wait for its end. A failed story's stays, because a person may examine the remains; the cluster's
    /// end removes them.
    pub(crate) fn forget(&self, namespace: &str) {
        if std::thread::panicking() {
            return;
        }
        let mut command = Command::new(tools::built("kubectl"));
        command.args(["delete", "namespace", namespace, "--wait=false", "--ignore-not-found"]);
        let _ = command
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }

    fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("no {name} among the cluster's facts"))
    }
}

impl Run {
    /// Standard output of a run that must succeed.
    ///
    /// # Panics
    /// With both outputs if it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.ok, "{}{}", self.stderr, self.stdout);
        self.stdout
    }
}

fn output(mut command: Command, input: Option<String>) -> Run {
    use std::io::Write;
    let mut child = command.spawn().expect("kubectl runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    // a kubectl that has ended already needs no input
    let _ = stdin.write_all(input.unwrap_or_default().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("kubectl ends");
    Run {
        ok: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
