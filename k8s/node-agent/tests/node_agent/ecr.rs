//! `ecr` as the kubelet runs it: a process with a request on stdin, between a Vault and an ECR that misbehave.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use crate::client::token;
use crate::fake_vault::{FakeVault, Said, now, well};

const PROGRAM: &str = env!("CARGO_BIN_EXE_iamra-node-agent");
const IMAGE: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/payments/api";
/// What the kubelet itself waits.
const KUBELET: Duration = Duration::from_secs(60);

/// A Vault, and a server in ECR's place.
struct Node {
    vault: FakeVault,
    ecr: FakeVault,
}

/// How a run ended.
struct Run {
    succeeded: bool,
    stdout: String,
    stderr: String,
    took: Duration,
}

impl Node {
    async fn new() -> Node {
        let node = Node { vault: FakeVault::start().await, ecr: FakeVault::start().await };
        node.ecr.answers(|_| Some(login()));
        node
    }

    fn start(&self, more: &[&str]) -> Child {
        Command::new(PROGRAM)
            .arg("ecr")
            .args(more)
            .env_clear()
            .env("VAULT_ADDR", &self.vault.url)
            .env("AWS_ENDPOINT_URL_ECR", &self.ecr.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    async fn pull(&self) -> Run {
        self.pull_with(&[]).await
    }

    async fn pull_with(&self, more: &[&str]) -> Run {
        self.feed(self.start(more), request().to_string().as_bytes()).await
    }

    /// Writes `input` and ends it, and waits no longer than a kubelet.
    async fn feed(&self, mut child: Child, input: &[u8]) -> Run {
        let began = Instant::now();
        let mut stdin = child.stdin.take().unwrap();
        // it reads no more of a request than it takes
        let _ = stdin.write_all(input).await;
        drop(stdin);
        end(child, began).await
    }
}

async fn end(child: Child, began: Instant) -> Run {
    let output = timeout(KUBELET, child.wait_with_output())
        .await
        .expect("it ends before the kubelet ends it")
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        succeeded: output.status.success(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        took: began.elapsed(),
    }
}

impl Run {
    #[track_caller]
    fn answer(&self) -> Value {
        assert!(self.succeeded && self.stderr.is_empty(), "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The text of a run that failed, and gave nothing away.
    #[track_caller]
    fn refusal(&self) -> &str {
        assert!(!self.succeeded && self.stdout.is_empty(), "{}", self.stdout);
        for secret in ["eyJ", "wJalrXUtnFEMI", "IQoJb3JpZ2lu", "hvb.", "pass-word"] {
            assert!(!self.stderr.contains(secret), "{}", self.stderr);
        }
        &self.stderr
    }
}

fn request() -> Value {
    json!({
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest", "image": IMAGE,
        "serviceAccountToken": token("payments", "api"),
    })
}

/// What ECR answers that is well: a password for twelve hours.
fn login() -> Said {
    let data = json!({ "authorizationToken": STANDARD.encode("AWS:pass-word"), "expiresAt": now().unix_timestamp() + 43_200 });
    Said::json(200, &json!({ "authorizationData": [data] }))
}

#[tokio::test]
async fn one_request_of_the_kubelet_is_one_login_one_read_and_one_call_of_ecr() {
    let node = Node::new().await;

    let answer = node.pull().await.answer();

    assert_eq!(answer["auth"]["111122223333.dkr.ecr.eu-central-1.amazonaws.com"]["password"], "pass-word");
    assert_eq!(
        (node.vault.logins(), node.vault.reads()),
        (1, vec!["iamra/container/payments.api".to_owned()])
    );
    assert_eq!(node.ecr.log().len(), 1);
}

#[tokio::test]
async fn what_is_no_request_for_an_ecr_image_is_refused_before_anybody_is_asked() {
    let node = Node::new().await;
    let with = |member: &str, value: Value| {
        let mut request = request();
        request[member] = value;
        request.to_string().into_bytes()
    };
    let half = request().to_string().into_bytes();

    for (input, word) in [
        (b"<html>sign in</html>".to_vec(), "no CredentialProviderRequest"),
        (half[..half.len() / 2].to_vec(), "no CredentialProviderRequest"),
        (vec![b'a'; 10 << 20], "longer than 65536 bytes"),
        (with("apiVersion", json!("credentialprovider.kubelet.k8s.io/v1beta1")), "set apiVersion"),
        (with("kind", json!("Pod")), "kind \"Pod\""),
        (with("serviceAccountToken", Value::Null), "tokenAttributes"),
        (with("serviceAccountToken", json!("eyJ no token")), "no JWT"),
        (with("image", json!("docker.io/library/busybox")), "matchImages"),
        (with("image", json!("111122223333.dkr.ecr.eu-central-1.evil.example/app")), "matchImages"),
    ] {
        let run = node.feed(node.start(&[]), &input).await;

        assert!(run.refusal().contains(word), "{word}: {}", run.stderr);
    }
    assert_eq!((node.vault.log().len(), node.ecr.log().len()), (0, 0));
}

#[tokio::test]
async fn a_request_that_never_ends_is_given_up() {
    let node = Node::new().await;
    let began = Instant::now();
    let mut child = node.start(&[]);
    let _open = child.stdin.take();

    let run = end(child, began).await;

    assert!(run.refusal().contains("stdin has not ended"), "{}", run.stderr);
}

#[tokio::test]
async fn the_fallback_role_is_read_where_the_service_account_has_none() {
    let node = Node::new().await;
    node.vault.answers(|asked| {
        Some(match asked.path.as_str() {
            "iamra/container/payments.api" => Said::refusal(400, "RoleNotFound", "no such role"),
            "iamra/container/pulls" => Said::session("pulls", 1, now() + time::Duration::hours(1)),
            _ => well(asked, 1),
        })
    });

    let answer = node.pull_with(&["--fallback-role", "pulls"]).await.answer();

    assert_eq!(answer["cacheKeyType"], "Registry");
    assert_eq!(node.vault.reads(), ["iamra/container/payments.api", "iamra/container/pulls"]);
}

#[tokio::test]
async fn a_vault_that_is_busy_for_a_moment_is_asked_again() {
    let node = Node::new().await;
    let tries = std::sync::atomic::AtomicUsize::new(0);
    node.vault.answers(move |asked| {
        let number = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(if number < 2 { Said::error(503, "Vault is sealed") } else { well(asked, 1) })
    });

    let _ = node.pull().await.answer();

    assert_eq!(node.vault.logins(), 3);
}

#[tokio::test]
async fn a_session_that_is_over_is_refused_and_ecr_is_not_asked() {
    let node = Node::new().await;
    node.vault.answers(|asked| {
        let over = Said::session("payments.api", 1, now() - time::Duration::hours(1));
        Some(if asked.path.contains("/container/") { over } else { well(asked, 1) })
    });

    let run = node.pull().await;

    assert!(run.refusal().contains("iamra/container/payments.api"), "{}", run.stderr);
    assert_eq!(node.ecr.log().len(), 0);
}

#[tokio::test]
async fn an_ecr_that_never_answers_is_given_up_before_the_kubelet_ends_it() {
    let node = Node::new().await;
    node.ecr.answers(|_| None);

    let run = node.pull().await;

    assert!(run.refusal().contains("no answer within 10 s"), "{}", run.stderr);
    assert!(run.took + Duration::from_secs(10) < KUBELET, "{:?}", run.took);
}

#[tokio::test]
async fn a_redirect_takes_no_signed_request_elsewhere() {
    let node = Node::new().await;
    node.ecr.answers(|_| Some(Said::bytes(307, "text/plain", b"elsewhere".to_vec())));

    let run = node.pull().await;

    assert!(run.refusal().contains("307"), "{}", run.stderr);
    assert_eq!(node.ecr.log().len(), 1);
}
