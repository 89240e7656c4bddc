//! A team's namespace with its application `api`, as a value that removes it on drop.

use std::process::Stdio;
use std::time::Duration;

use harness::sts::{self, Credentials};
use harness::{REGION, admin};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::account::{ANYBODY, CLUSTER};
use crate::call::{Call, ends, never_failed, once_logged_in, without_brinks};
use crate::cluster::{Cluster, Run};
use crate::manifests::Manifests;
use crate::tools;

/// Image, network, webhook, login and first session of a pod, while many others start on two cores.
const START: Duration = Duration::from_secs(300);

/// From a sidecar's start to its login; a pod is ready before that.
const LOGIN: Duration = Duration::from_secs(120);

/// Where the injector has each sidecar keep its token.
const TOKEN: &str = "/home/vault/.vault-token";

/// The pause between two checks of the cluster, each of which is a process of kubectl.
const PAUSE: Duration = Duration::from_millis(700);

/// The application `api` of one namespace; Vault knows its service account as `<namespace>-api`.
pub struct Team {
    /// The cluster it is in.
    pub cluster: Cluster,
    /// Its namespace, which is also the name of the team.
    pub namespace: String,
    /// The engine's mount that it reads.
    pub mount: String,
    /// The paths that its policy allows: `file`, `container` or `both`; or `associated`, without a policy of its own.
    pub way: String,
    /// The port of the node agent that its pods ask; 80 is the cluster's own.
    pub agent_port: u16,
}

/// The answer of a listener.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u64,
    /// From the request to the end of the answer.
    pub took: Duration,
    /// The whole body.
    pub body: String,
}

/// Nothing but Python's own HTTP client, so that status and body of a failure are seen as they are.
const ASK: &str = r#"
import json, time, urllib.error, urllib.request
request = urllib.request.Request("http://127.0.0.1:8200/v1/PATH", headers={HEADERS})
start = time.monotonic()
try:
    answer = urllib.request.urlopen(request, timeout=120)
except urllib.error.HTTPError as error:
    answer = error
body = answer.read().decode()
print(json.dumps({"status": answer.status, "seconds": time.monotonic() - start, "body": body}))
"#;

impl Team {
    /// A namespace whose service account `api` may assume [`ANYBODY`], as `vault-config/kubernetes/setup.sh` does it.
    /// `way`: `file`, `container` or `both`.
    pub async fn new(namespace: &str, way: &str) -> Team {
        Team::on_mount(namespace, way, "iamra").await
    }

    /// The same with sessions of another profile.
    pub async fn with_profile(namespace: &str, way: &str, profile_arn: &str) -> Team {
        let team = Team::new(namespace, way).await;
        team.takes_profile(profile_arn).await;
        team
    }

    /// The same on a mount of the story's own.
    pub async fn on_mount(namespace: &str, way: &str, mount: &str) -> Team {
        let mut team = Team::unknown_to_vault(namespace, way).await;
        mount.clone_into(&mut team.mount);
        let account = format!("{namespace}/api");
        let options = ["--cluster", CLUSTER, "--way", way, "--role-arn", ANYBODY, "--mount", mount, &account];
        team.cluster.script("kubernetes/setup.sh", &options).await;
        team
    }

    /// A namespace that a story itself sets up in Vault.
    pub async fn unknown_to_vault(namespace: &str, way: &str) -> Team {
        let cluster = Cluster::running();
        // of an earlier run on this cluster
        let leftover = ["delete", "namespace", namespace, "--ignore-not-found"];
        cluster.kubectl(&leftover).await.ok();
        let own = Manifests::of(&cluster, "k8s/namespace", namespace).await;
        let team = Team {
            cluster,
            namespace: namespace.to_owned(),
            mount: "iamra".to_owned(),
            way: way.to_owned(),
            agent_port: 80,
        };
        team.apply(&own).await;
        team
    }

    /// The namespace of the examples, whose service account `cluster up` has admitted already.
    pub fn of_the_examples() -> Team {
        let (namespace, mount, way) = ("payments".to_owned(), "iamra".to_owned(), "both".to_owned());
        Team { cluster: Cluster::running(), namespace, mount, way, agent_port: 80 }
    }

    /// Gives its role another profile.
    pub async fn takes_profile(&self, profile_arn: &str) {
        let path = format!("{}/roles/{}", self.mount, self.role());
        let _ = self.cluster.vault().patch(&path, json!({ "profile_arn": profile_arn })).await.ok();
    }

    /// The name of its engine role, its policy and its auth role.
    pub fn role(&self) -> String {
        format!("{}-api", self.namespace)
    }

    /// The path of its container credentials, below `/v1/`.
    pub fn container_path(&self) -> String {
        format!("{}/container/{}", self.mount, self.role())
    }

    /// One of the ways in, for this namespace.
    pub async fn manifests(&self, way: &str) -> Manifests {
        let manifests =
            Manifests::of(&self.cluster, &format!("k8s/overlays/local/{way}"), &self.namespace).await;
        let manifests = match self.mount.as_str() {
            "iamra" => manifests,
            mount => manifests.replacing("iamra/", &format!("{mount}/")),
        };
        match self.agent_port {
            80 => manifests,
            port => manifests.replacing("169.254.170.23/v1", &format!("169.254.170.23:{port}/v1")),
        }
    }

    /// `kubectl apply`.
    pub async fn apply(&self, manifests: &Manifests) {
        let arguments = ["apply", "--filename=-"];
        self.cluster.kubectl_with(&arguments, Some(manifests.list())).await.ok();
    }

    /// Applies a Deployment and waits for its pod and for the login of its sidecar; the pod's name.
    pub async fn deploy(&self, manifests: &Manifests) -> String {
        self.apply(manifests).await;
        self.rolled_out().await;
        let pod = self.pod().await;
        self.token(&pod).await;
        pod
    }

    /// The Vault token of a pod's sidecar. A pod is ready, and its application runs, before the sidecar has logged in: this
    /// waits until it has.
    ///
    /// # Panics
    /// When it does not log in.
    pub async fn token(&self, pod: &str) -> String {
        eventually(&format!("the login of {pod}'s sidecar"), LOGIN, async || {
            let file = self.exec(pod, "vault-agent", &["cat", TOKEN]).await;
            let token = file.stdout.trim();
            (file.ok && !token.is_empty()).then(|| token.to_owned())
        })
        .await
    }

    /// Waits until the Deployment has its pods.
    ///
    /// # Panics
    /// With the state of the pods if it does not get them.
    pub async fn rolled_out(&self) {
        let timeout = format!("--timeout={}s", START.as_secs());
        let run = self.kubectl(&["rollout", "status", &timeout, "deployment/api"]).await;
        if !run.ok {
            let state = self.kubectl(&["describe", "pods"]).await.stdout;
            panic!("{}{}\n{state}\n{}", run.stdout, run.stderr, self.agents_say().await);
        }
    }

    /// Applies a Job, waits until it completes, and returns its application's output.
    ///
    /// # Panics
    /// With the state of the pods if it does not complete.
    pub async fn complete(&self, manifests: &Manifests) -> String {
        self.apply(manifests).await;
        let timeout = format!("--timeout={}s", START.as_secs());
        let run = self.kubectl(&["wait", "--for=condition=complete", &timeout, "job/api"]).await;
        if !run.ok {
            let state = self.kubectl(&["describe", "pods"]).await.stdout;
            panic!("{}\n{state}\n{}", run.stderr, self.agents_say().await);
        }
        self.kubectl(&["logs", "--container=app", "job/api"]).await.ok()
    }

    /// The pods of the application that are not terminating, as the API server describes them.
    pub async fn pods(&self) -> Vec<Value> {
        let arguments = ["get", "pods", "--selector=app.kubernetes.io/name=api", "--output=json"];
        let list: Value = serde_json::from_str(&self.kubectl(&arguments).await.ok()).expect("JSON");
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        pods.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect()
    }

    /// The name of the one pod there is.
    ///
    /// # Panics
    /// When there are none or several.
    pub async fn pod(&self) -> String {
        let pods = self.pods().await;
        assert_eq!(pods.len(), 1, "one pod in {}", self.namespace);
        pods[0]["metadata"]["name"].as_str().expect("a pod has a name").to_owned()
    }

    /// `kubectl logs`.
    pub async fn logs(&self, pod: &str, container: &str) -> String {
        self.kubectl(&["logs", pod, "--container", container]).await.stdout
    }

    /// `kubectl exec`.
    pub async fn exec(&self, pod: &str, container: &str, command: &[&str]) -> Run {
        self.kubectl(&[&["exec", pod, "--container", container, "--"], command].concat()).await
    }

    /// The answer of the pod's own listener to a GET of `path`, as the Python of the AWS CLI's image sees it.
    ///
    /// # Panics
    /// When nothing answers within two minutes.
    pub async fn listener(&self, pod: &str, path: &str, headers: &str) -> Answer {
        let program = ASK.replace("PATH", path).replace("HEADERS", headers);
        let printed = self.exec(pod, "app", &["/usr/bin/python3", "-c", &program]).await.ok();
        let printed: Value = serde_json::from_str(&printed).expect("the program prints JSON");
        Answer {
            status: printed["status"].as_u64().expect("a number"),
            took: Duration::from_secs_f64(printed["seconds"].as_f64().expect("a number")),
            body: printed["body"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// The holder of the key in a file of the pod; see [`Team::holder`].
    pub async fn holder_of(&self, pod: &str, file: &str) -> (String, Result<String, String>) {
        self.holder(&self.exec(pod, "app", &["cat", file]).await.ok()).await
    }

    /// The holder of the key in a credentials file, asked from outside: the key's id and STS's answer.
    ///
    /// # Panics
    /// When the text is not a credentials file.
    pub async fn holder(&self, text: &str) -> (String, Result<String, String>) {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix('='));
            line.unwrap_or_else(|| panic!("no {name} in a credentials file")).trim().to_owned()
        };
        let credentials = Credentials {
            access_key: value("aws_access_key_id"),
            secret_key: value("aws_secret_access_key"),
            session_token: Some(value("aws_session_token")),
        };
        let caller = sts::caller_identity(self.cluster.aws(), REGION, None, &credentials).await;
        (credentials.access_key, caller.map(|caller| caller.arn).map_err(|error| error.to_string()))
    }

    /// How often a container of the pod was restarted.
    pub async fn restarts(&self, container: &str) -> u64 {
        let pods = self.pods().await;
        let statuses = pods[0]["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        let status = statuses.iter().find(|status| status["name"] == container);
        status.and_then(|status| status["restartCount"].as_u64()).expect("the container has started")
    }

    /// Runs a line of shell in a container.
    pub async fn shell(&self, pod: &str, container: &str, line: &str) -> Run {
        self.exec(pod, container, &["/bin/sh", "-c", line]).await
    }

    /// The calls of the long-running application so far, [`without_brinks`]; if it asks the listener, [`once_logged_in`].
    pub async fn calls(&self, pod: &str) -> Vec<Call> {
        self.read_calls(&self.logs(pod, "app").await).await
    }

    /// Follows the calls of the long-running application until it ends. When this returns, it has called at least once.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn follow(&self, pod: &str) -> JoinHandle<String> {
        let mut command = tokio::process::Command::new(tools::built("kubectl"));
        command
            .args(["--namespace", &self.namespace, "logs", "--follow", "--container=app", pod])
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("kubectl runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut said = lines.next_line().await.expect("a log in UTF-8").expect("the application has called");
        tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.expect("a log in UTF-8") {
                said = said + "\n" + &line;
            }
            let _ = child.wait().await;
            said
        })
    }

    /// As [`Team::calls`], from a log. Where the node agent serves, no call is forgiven.
    pub async fn read_calls(&self, log: &str) -> Vec<Call> {
        let calls: Vec<Call> = log.lines().filter_map(Call::parse).collect();
        if self.way == "associated" {
            return calls;
        }
        let calls = if self.way == "container" { once_logged_in(calls) } else { calls };
        if calls.iter().all(|call| call.outcome.is_ok()) {
            return calls;
        }
        without_brinks(calls, &ends(&admin(self.cluster.aws(), "GET", "sessions", None).await))
    }

    /// Waits until a pod's long-running application has called AWS this often with success and without a failure.
    ///
    /// # Panics
    /// With the first failed call.
    pub async fn succeeds(&self, pod: &str, times: usize, within: Duration) -> Vec<Call> {
        eventually(&format!("{times} calls of {pod}"), within, async || {
            let calls = self.calls(pod).await;
            never_failed(&calls);
            (calls.len() >= times).then_some(calls)
        })
        .await
    }

    /// `kubectl` in this namespace.
    pub async fn kubectl(&self, arguments: &[&str]) -> Run {
        self.cluster.kubectl(&[&["--namespace", &self.namespace], arguments].concat()).await
    }

    async fn agents_say(&self) -> String {
        let all =
            ["logs", "--selector=app.kubernetes.io/name=api", "--all-containers", "--tail=25", "--prefix"];
        let run = self.kubectl(&all).await;
        run.stdout + &run.stderr
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.cluster.forget(&self.namespace);
    }
}

/// Calls `probe` about once a second until it returns a value.
///
/// # Panics
/// When `within` has passed; the message names `what`.
pub async fn eventually<T>(what: &str, within: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for: {what}");
        sleep(PAUSE).await;
    }
}
