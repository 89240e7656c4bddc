//! `iamra-node-agent ecr`, run as the kubelet runs it, with a real Vault and the emulator's ECR.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::kubernetes::Cluster;
use harness::{CliRun, ROLE_ARN, Stage, binaries};
use serde_json::{Value, json};
use tokio::time::Instant;

const HERE: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
const PASSWORD: &str = "opens-the-registry";

/// As `setup.sh --associations` writes it.
const POLICY: &str = r#"path "iamra/container/{{identity.entity.aliases.ACCESSOR.metadata.service_account_namespace}}.{{identity.entity.aliases.ACCESSOR.metadata.service_account_name}}" { capabilities = ["read"] }"#;

/// A Vault where all service accounts of a cluster log in, and `payments/api` has an engine role whose IAM role may pull.
struct Node {
    stage: Stage,
    cluster: Cluster,
}

impl Node {
    async fn new() -> Node {
        let node = Node { stage: Stage::dev().await, cluster: Cluster::start().await };
        node.admit().await;
        node.associate("api").await;
        let pull = json!({ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" });
        node.aws(|state| {
            state["roles"][0]["policies"] =
                json!({ "pull": { "Version": "2012-10-17", "Statement": [pull] } });
            state["registry_password"] = json!(PASSWORD);
        })
        .await;
        node
    }

    async fn admit(&self) {
        let root = self.stage.root();
        let _ = root.write("sys/auth/kubernetes", json!({ "type": "kubernetes" })).await.ok();
        let config = json!({ "kubernetes_host": self.cluster.host(), "disable_local_ca_jwt": true });
        let _ = root.write("auth/kubernetes/config", config).await.ok();
        let accessor = root.read("sys/auth/kubernetes").await.ok().string("accessor").to_owned();
        let policy = json!({ "policy": POLICY.replace("ACCESSOR", &accessor) });
        let _ = root.write("sys/policies/acl/associations", policy).await.ok();
        let role = json!({
            "bound_service_account_names": "*", "bound_service_account_namespaces": "*", "audience": "vault",
            "token_type": "batch", "token_policies": "associations", "token_no_default_policy": true,
        });
        let _ = root.write("auth/kubernetes/role/associations", role).await.ok();
    }

    async fn associate(&self, account: &str) {
        let common_name = format!("prod.payments.{account}");
        let role = json!({ "role_arn": ROLE_ARN, "common_name": common_name, "session_sharing": "identity" });
        let _ = self.stage.root().write(&format!("iamra/roles/payments.{account}"), role).await.ok();
    }

    async fn aws(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.stage.admin("GET", "state", None).await;
        change(&mut state);
        self.stage.admin("PUT", "state", Some(state)).await;
    }

    /// Runs the provider for an image and a service account of the namespace `payments`.
    async fn pull(&self, account: &str, image: &str) -> CliRun {
        self.pull_from(&self.stage.vault.addr(), account, image).await
    }

    async fn pull_from(&self, vault: &str, account: &str, image: &str) -> CliRun {
        let request = json!({
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest", "image": image,
            "serviceAccountToken": self.cluster.token("payments", account),
            "serviceAccountAnnotations": { "example.com/team": "payments" },
        });
        let mut command = Command::new(binaries::node_agent());
        command
            .arg("ecr")
            .env_clear()
            .env("VAULT_ADDR", vault)
            .env("AWS_ENDPOINT_URL_ECR", self.stage.aws.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        tokio::task::spawn_blocking(move || output(command, &request.to_string())).await.unwrap()
    }
}

fn output(mut command: Command, input: &str) -> CliRun {
    let mut child = command.spawn().expect("the node agent starts");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads its input");
    let output = child.wait_with_output().expect("it ends");
    CliRun {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The answer of a run that succeeded.
fn answer(run: &CliRun) -> Value {
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    serde_json::from_str(&run.stdout).expect("JSON alone is on stdout")
}

fn seconds(answer: &Value) -> u64 {
    let text = answer["cacheDuration"].as_str().and_then(|text| text.strip_suffix('s'));
    text.expect("seconds").parse().expect("a number")
}

/// The text of a run that failed, which gives nothing away.
fn refusal(run: &CliRun) -> &str {
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(!run.stderr.contains("eyJ") && !run.stderr.contains(PASSWORD), "{}", run.stderr);
    &run.stderr
}

#[tokio::test]
async fn a_service_account_gets_the_login_of_a_registry() {
    let node = Node::new().await;

    let answer = answer(&node.pull("api", &format!("{HERE}/payments/api")).await);

    assert_eq!(answer["apiVersion"], "credentialprovider.kubelet.k8s.io/v1");
    assert_eq!(answer["kind"], "CredentialProviderResponse");
    assert_eq!(answer["cacheKeyType"], "Registry");
    assert_eq!(answer["auth"], json!({ HERE: { "username": "AWS", "password": PASSWORD } }));
    // the session lasts an hour
    assert!((1700..=1800).contains(&seconds(&answer)), "{answer}");
    let sessions = node.stage.sessions().await;
    assert_eq!(sessions[0]["tags"]["x509Subject/CN"], "prod.payments.api");
}

#[tokio::test]
async fn registries_of_other_accounts_and_regions_are_asked_for_where_they_are() {
    let node = Node::new().await;
    node.aws(|state| state["ecr_regions"] = json!(["us-east-1"])).await;
    let far = "444455556666.dkr-ecr.us-east-1.on.aws";
    let unknown = "444455556666.dkr.ecr.us-west-2.amazonaws.com";

    let taken = answer(&node.pull("api", &format!("{far}/team/app")).await);
    let refused = node.pull("api", &format!("{unknown}/app")).await;

    assert_eq!(taken["auth"], json!({ far: { "username": "AWS", "password": PASSWORD } }));
    // the emulator knows the region by the scope that is signed
    assert!(refusal(&refused).contains("InvalidSignatureException"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_service_account_without_an_engine_role_is_told_the_command_that_makes_one() {
    let node = Node::new().await;

    let refused = node.pull("web", &format!("{HERE}/app")).await;

    let said = refusal(&refused);
    assert!(said.contains("RoleNotFound") && said.contains("vault write iamra/roles/payments.web"), "{said}");
}

#[tokio::test]
async fn an_iam_role_that_may_not_is_told_what_it_lacks() {
    let node = Node::new().await;
    node.aws(|state| state["roles"][0]["policies"] = json!({})).await;

    let refused = node.pull("api", &format!("{HERE}/app")).await;

    let said = refusal(&refused);
    assert!(said.contains("is not authorized to perform: ecr:GetAuthorizationToken"), "{said}");
    assert!(said.contains("allow the IAM role of this service account"), "{said}");
}

#[tokio::test]
async fn a_throttling_and_a_failing_ecr_are_asked_again() {
    let node = Node::new().await;
    node.stage.knobs(json!({ "ecr_throttle_next": 2, "ecr_fail_next": { "count": 1, "status": 500 } })).await;

    let answer = answer(&node.pull("api", &format!("{HERE}/app")).await);

    assert_eq!(answer["auth"][HERE]["password"], PASSWORD);
    let log = node.stage.aws_log().await;
    assert_eq!(log.iter().filter(|entry| entry["operation"] == "GetAuthorizationToken").count(), 4);
}

#[tokio::test]
async fn a_node_whose_clock_is_ten_minutes_behind_signs_by_the_clock_of_aws() {
    let node = Node::new().await;
    let _ = answer(&node.pull("api", &format!("{HERE}/app")).await);
    node.stage.knobs(json!({ "clock_offset_seconds": 600 })).await;

    let answer = answer(&node.pull("api", &format!("{HERE}/app")).await);

    // the engine shares the session of the first run, and AWS has ten minutes less of it left
    assert_eq!(node.stage.sessions().await.len(), 1);
    assert!((1400..=1500).contains(&seconds(&answer)), "{answer}");
}

#[tokio::test]
async fn what_ecr_would_not_answer_is_refused_and_not_repeated() {
    let node = Node::new().await;

    for kind in ["html", "half_json", "huge", "empty"] {
        node.stage.knobs(json!({ "ecr_answer": kind })).await;

        let refused = node.pull("api", &format!("{HERE}/app")).await;

        assert!(refusal(&refused).contains("proxy"), "{kind}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn a_login_that_is_over_already_is_not_kept() {
    let node = Node::new().await;
    node.stage.knobs(json!({ "ecr_answer": "expired_session" })).await;

    let answer = answer(&node.pull("api", &format!("{HERE}/app")).await);

    assert_eq!(seconds(&answer), 0);
}

#[tokio::test]
async fn with_vault_away_it_gives_up_before_the_kubelet_does() {
    let node = Node::new().await;
    let begun = Instant::now();

    let refused = node.pull_from("http://127.0.0.1:1", "api", &format!("{HERE}/app")).await;

    let said = refusal(&refused);
    assert!(said.contains("VaultUnreachable") && said.contains("127.0.0.1:1"), "{said}");
    assert!(
        (Duration::from_secs(15)..Duration::from_secs(50)).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
}
