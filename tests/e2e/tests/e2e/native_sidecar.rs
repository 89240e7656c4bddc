//! The overlay `native-sidecar`: its Proxy, on the shipped configuration, logs in as the pod's service account and answers its listener.

use std::time::Duration;

use e2e::host::{Host, in_document};
use e2e::kubernetes::Cluster;
use e2e::script;
use harness::sts::caller_identity;
use harness::{REGION, ROLE_ARN, Stage, until};
use serde_json::json;

/// What the startup probe and the application ask.
const PATH: &str = "iamra/container/payments-api";
/// How long anything may take that a test waits for: far more than it does, because the machine may be busy.
const START: Duration = Duration::from_secs(90);

/// A Vault where pods of a cluster log in and `payments/api` has the listener's policy, as the overlay's users make it.
async fn admitted() -> (Stage, Cluster) {
    let (stage, cluster) = (Stage::dev().await, Cluster::start().await);
    let _ = stage.root().write("sys/auth/kubernetes", json!({ "type": "kubernetes" })).await.ok();
    let config = json!({ "kubernetes_host": cluster.host(), "disable_local_ca_jwt": true });
    let _ = stage.root().write("auth/kubernetes/config", config).await.ok();
    let args = ["--cluster", "prod", "--way", "container", "--role-arn", ROLE_ARN, "payments/api"];
    let _ = script(&stage.vault, stage.vault.root_token(), "kubernetes/setup.sh", &args, &[]).await.ok();
    (stage, cluster)
}

#[tokio::test]
async fn the_listeners_policy_is_all_that_the_sidecar_needs() {
    let (stage, cluster) = admitted().await;

    let host = Host::sidecar(&stage, &cluster.token("payments", "api"));

    let reply = until("an answer to the startup probe", START, async || {
        host.ask(PATH, None).await.filter(|reply| reply.status == 200)
    })
    .await;
    let credentials = in_document(&reply.body, "Token").expect("AccessKeyId, SecretAccessKey and Token");
    caller_identity(stage.aws.url(), REGION, None, &credentials).await.unwrap();
    let tags = &stage.sessions().await[0]["tags"];
    assert_eq!(tags["x509Subject/CN"], "prod.payments.api");
}

#[tokio::test]
async fn the_startup_probe_fails_until_the_sidecar_has_logged_in() {
    let (stage, cluster) = admitted().await;
    let mut host = Host::sidecar(&stage, &cluster.token("payments", "other"));
    until("a login that is refused", START, async || {
        host.log().contains("service account name not authorized").then_some(())
    })
    .await;

    let before = host.ask(PATH, None).await.expect("the listener answers before the login");
    host.becomes(&cluster.token("payments", "api"));

    assert_eq!(before.status, 403, "{}", before.text);
    until("an answer to the startup probe", START, async || {
        host.ask(PATH, None).await.filter(|reply| reply.status == 200).map(|_| ())
    })
    .await;
    assert!(host.runs(), "the Proxy ended");
}

#[tokio::test]
async fn a_token_that_the_application_sends_to_the_sidecar_is_replaced() {
    let (stage, cluster) = admitted().await;
    let host = Host::sidecar(&stage, &cluster.token("payments", "api"));

    let wrong = until("an answer in spite of a wrong token", START, async || {
        host.ask(PATH, Some("hvs.wrong")).await.filter(|reply| reply.status == 200)
    })
    .await;
    let mighty = host.ask("sys/mounts", Some(stage.vault.root_token())).await.expect("an answer");

    assert!(in_document(&wrong.body, "Token").is_some(), "{}", wrong.text);
    assert_eq!(mighty.status, 403, "{}", mighty.text);
}
