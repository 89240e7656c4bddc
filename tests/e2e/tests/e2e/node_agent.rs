//! The agent of a node: a pod sends its own token and nothing else, and gets what Vault lets its service account have.

use std::time::Duration;

use e2e::kubernetes::{self, Cluster};
use e2e::node_agent::NodeAgent;
use harness::sts::{self, Credentials};
use harness::{PROFILE_ARN, REGION, ROLE_ARN, Stage, until};
use serde_json::{Value, json};

/// What the agent keeps an answer for, and the time that a busy machine may take on top.
const A_MINUTE: Duration = Duration::from_secs(75);
/// What the agent keeps a refusal for, and the same.
const SECONDS: Duration = Duration::from_secs(20);

/// A node of the cluster `prod`, whose service account `payments/api` has an engine role.
struct Node {
    stage: Stage,
    cluster: Cluster,
    agent: NodeAgent,
}

impl Node {
    async fn new() -> Node {
        let (stage, cluster) = (Stage::dev().await, Cluster::start().await);
        let _ = kubernetes::set_up(&stage, &cluster, &["--cluster", "prod", "--associations"]).await.ok();
        associate(&stage, "payments.api").await;
        let agent = NodeAgent::start(&stage.vault.addr(), &[]).await;
        Node { stage, cluster, agent }
    }

    fn token(&self, name: &str) -> String {
        self.cluster.token_for("iamra", "payments", name)
    }
}

/// The one object of a service account.
async fn associate(stage: &Stage, role: &str) {
    let fields = json!({ "role_arn": ROLE_ARN, "subject": "kubernetes" });
    let _ = stage.root().write(&format!("iamra/roles/{role}"), fields).await.ok();
}

fn credentials(document: &Value) -> Credentials {
    let text = |key: &str| document[key].as_str().unwrap_or_else(|| panic!("no {key}")).to_owned();
    Credentials {
        access_key: text("AccessKeyId"),
        secret_key: text("SecretAccessKey"),
        session_token: Some(text("Token")),
    }
}

#[tokio::test]
async fn a_pod_with_its_own_token_alone_is_known_at_aws_by_its_service_account() {
    let node = Node::new().await;

    let document = node.agent.ask(&node.token("api")).await.ok();

    let who =
        sts::caller_identity(node.stage.aws.url(), REGION, None, &credentials(&document)).await.unwrap();
    assert!(who.arn.starts_with("arn:aws:sts::111122223333:assumed-role/demo/"), "{}", who.arn);
    let sessions = node.stage.sessions().await;
    assert_eq!(sessions[0]["tags"]["x509Subject/CN"], "prod.payments.api");
    assert_eq!(document["AccountId"], harness::ACCOUNT);
}

#[tokio::test]
async fn a_second_read_costs_vault_nothing_and_a_login_leaves_nothing_there() {
    let node = Node::new().await;
    let first = node.agent.ask(&node.token("api")).await.ok();

    let second = node.agent.ask(&node.token("api")).await.ok();

    assert_eq!(first["AccessKeyId"], second["AccessKeyId"]);
    assert_eq!(node.stage.sessions().await.len(), 1);
    assert_eq!(node.stage.root().list("sys/leases/lookup/auth/kubernetes/login").await.status, 404);
}

#[tokio::test]
async fn another_service_accounts_role_in_the_path_is_refused_by_vaults_policy() {
    let node = Node::new().await;
    associate(&node.stage, "payments.web").await;

    let answered = node.agent.ask_for("/payments.web", &node.token("api")).await;

    let (code, message) = answered.refused(403);
    assert_eq!(code, "PolicyDenied");
    assert!(
        message.contains("do not let service account payments/api read iamra/container/payments.web"),
        "{message}"
    );
    assert!(node.stage.sessions().await.is_empty());
}

#[tokio::test]
async fn one_write_gives_a_service_account_that_was_refused_its_session() {
    let node = Node::new().await;
    let token = node.token("web");
    let answered = node.agent.ask(&token).await;
    let (code, message) = answered.refused(400);
    assert_eq!(code, "RoleNotFound");
    assert!(
        message.contains("vault write iamra/roles/payments.web role_arn=<arn> subject=kubernetes"),
        "{message}"
    );

    associate(&node.stage, "payments.web").await;

    until("the session", SECONDS, async || (node.agent.ask(&token).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn each_way_not_to_be_let_in_has_its_reason() {
    let node = Node::new().await;
    let (addr, token) = (node.stage.vault.addr(), node.token("api"));
    let other_audience = json!({
        "bound_service_account_names": "*", "bound_service_account_namespaces": "*", "audience": "vault", "token_policies": "x",
    });
    let _ = node.stage.root().write("auth/kubernetes/role/strict", other_audience).await.ok();
    for (arguments, status, code, words) in [
        (["--auth-role", "nobody"], 403, "AuthRoleNotFound", "has no role \"nobody\""),
        (
            ["--auth-role", "strict"],
            403,
            "LoginRefused",
            "the token is for \"iamra\": give the projected volume the audience",
        ),
        (["--auth-mount", "elsewhere"], 403, "LoginRefused", "or there is no auth method at that mount"),
        (["--mount", "elsewhere"], 403, "PolicyDenied", "read elsewhere/container/payments.api"),
    ] {
        let agent = NodeAgent::start(&addr, &arguments).await;

        let answered = agent.ask(&token).await;

        let (found, message) = answered.refused(status);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{message}");
    }
    node.cluster.delete("payments", "api");
    let answered = node.agent.ask(&token).await;
    assert!(answered.refused(403).1.contains("its pod or service account is gone"), "{}", answered.body);
}

#[tokio::test]
async fn what_was_deleted_or_changed_is_seen_within_a_minute() {
    let node = Node::new().await;
    for name in ["payments.web", "payments.gone"] {
        associate(&node.stage, name).await;
    }
    let [api, web, gone] = ["api", "web", "gone"].map(|name| node.token(name));
    let before = node.agent.ask(&api).await.ok();
    for token in [&web, &gone] {
        let _ = node.agent.ask(token).await.ok();
    }

    let _ = node.stage.root().delete("iamra/roles/payments.web").await.ok();
    node.cluster.delete("payments", "gone");
    let _ =
        node.stage.root().patch("iamra/roles/payments.api", json!({ "session_duration": 7200 })).await.ok();

    let refused =
        async |token: &str| Some(node.agent.ask(token).await).filter(|answered| answered.status != 200);
    let (role, account, changed) = tokio::join!(
        until("the refusal of a deleted role", A_MINUTE, async || refused(&web).await),
        until("the refusal of a deleted service account", A_MINUTE, async || refused(&gone).await),
        until("the changed session", A_MINUTE, async || {
            let document = node.agent.ask(&api).await.ok();
            (document["AccessKeyId"] != before["AccessKeyId"]).then_some(document)
        }),
    );
    assert_eq!(role.refused(400).0, "RoleNotFound");
    assert_eq!(account.refused(403).0, "LoginRefused");
    assert!(changed["Expiration"].as_str() > before["Expiration"].as_str(), "{changed} after {before}");
}

#[tokio::test]
async fn while_vault_is_sealed_an_old_session_serves_until_a_third_of_it_is_left() {
    let node = Node::new().await;
    clamp(&node.stage, 120).await;
    let token = node.token("api");
    let before = node.agent.ask(&token).await.ok();

    node.stage.vault.seal().await;

    let cached = node.agent.ask(&token).await.ok();
    // past the minute in which the agent does not ask, and before two thirds of the session's 120 s
    tokio::time::sleep(Duration::from_secs(65)).await;
    let stale = node.agent.ask(&token).await.ok();
    assert_eq!([&cached["AccessKeyId"], &stale["AccessKeyId"]], [&before["AccessKeyId"]; 2]);
    let refused = until("the refusal", SECONDS, async || {
        Some(node.agent.ask(&token).await).filter(|answered| answered.status != 200)
    })
    .await;
    let (code, message) = refused.refused(503);
    assert_eq!(code, "VaultSealed");
    assert!(message.contains("vault operator unseal"), "{message}");
    node.stage.vault.unseal().await;
    until("a new session", A_MINUTE, async || (node.agent.ask(&token).await.status == 200).then_some(()))
        .await;
}

/// Makes the profile of the stage shorten every session to this number of seconds.
async fn clamp(stage: &Stage, seconds: u32) {
    let mut account = stage.admin("GET", "state", None).await;
    assert!(PROFILE_ARN.ends_with(account["profiles"][0]["id"].as_str().unwrap()));
    account["profiles"][0]["duration_seconds"] = seconds.into();
    stage.admin("PUT", "state", Some(account)).await;
}
