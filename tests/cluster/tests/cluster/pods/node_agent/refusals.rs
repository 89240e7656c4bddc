//! Requests that get nothing, each told its own reason.

use std::time::Duration;

use cluster::{ANYBODY, Question, Team, eventually};
use harness::admin;
use serde_json::json;

/// What the agent repeats a refusal for, and the time of a busy machine on top.
const SECONDS: Duration = Duration::from_secs(60);
const MEGABYTE: usize = 1 << 20;

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_request_without_token_for_another_host_or_with_a_megabyte_of_header_is_told_what_is_wrong() {
    let team = Team::associated("agent-wrong", ANYBODY).await;
    let pod = team.deploy_alone(&team.manifests("pod-identity").await.idle()).await;
    let own = team.pod_token(&pod).await;
    let right = Question { token: Some(&own), ..Question::default() };
    let bearer = format!("Bearer {own}");

    for (question, status, code, words) in [
        (Question { token: None, ..right }, 401, "TokenMissing", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        (Question { token: Some(&bearer), ..right }, 400, "TokenMalformed", "without `Bearer`"),
        (Question { host: Some("example.com"), ..right }, 421, "HostNotAllowed", "169.254.170.23:80"),
        (Question { role: Some("../config"), ..right }, 400, "InvalidRole", "the last part of the path"),
        (Question { padding: MEGABYTE, ..right }, 431, "HeadTooLarge", "has more than 16 KiB"),
    ] {
        let answered = team.ask(&pod, question).await;

        let (found, message) = answered.refused(status);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{message}");
    }
    let _ = team.ask(&pod, right).await.ok();
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_token_for_another_audience_is_told_which_one_it_needs() {
    let team = Team::associated("agent-audience", ANYBODY).await;
    let pod = team.deploy_alone(&team.manifests("pod-identity").await.idle()).await;
    let token = team.loose_token("elsewhere").await;

    let answered = team.ask(&pod, Question { token: Some(&token), ..Question::default() }).await;

    let (code, message) = answered.refused(403);
    assert_eq!(code, "LoginRefused");
    assert!(message.contains("the token is for \"elsewhere\""), "{message}");
    assert!(message.contains("the audience of auth/kubernetes/role/associations"), "{message}");
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn the_role_of_another_service_account_is_refused_by_vaults_policy() {
    let (one, other) =
        tokio::join!(Team::associated("agent-one", ANYBODY), Team::associated("agent-other", ANYBODY));
    let pod = one.deploy_alone(&one.manifests("pod-identity").await.idle()).await;
    let token = one.pod_token(&pod).await;
    let (ours, theirs) = (one.association("api"), other.association("api"));
    let asked = |role| Question { token: Some(&token), role: Some(role), ..Question::default() };

    let own = one.ask(&pod, asked(&ours)).await;
    let refused = one.ask(&pod, asked(&theirs)).await;

    assert!(own.ok()["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
    let (code, message) = refused.refused(403);
    assert_eq!(code, "PolicyDenied");
    let words = "do not let service account agent-one/api read iamra/container/agent-other.api";
    assert!(message.contains(words), "{message}");
    let sessions = admin(one.cluster.aws(), "GET", "sessions", None).await;
    let theirs = sessions.as_array().into_iter().flatten();
    let mut theirs = theirs.filter(|session| session["tags"]["x509Subject/OU"] == "agent-other");
    assert!(theirs.next().is_none(), "nobody of the other namespace has asked");
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_service_account_without_an_engine_role_is_told_the_one_command_that_makes_it_one() {
    let team = Team::unassociated("agent-unknown").await;
    let pod = team.deploy_alone(&team.manifests("pod-identity").await.idle()).await;
    let cure = "vault write iamra/roles/agent-unknown.api role_arn=<arn> subject=kubernetes";

    let answered = team.credentials(&pod).await;
    let cli = team.exec(&pod, "app", &["aws", "sts", "get-caller-identity"]).await;

    let (code, message) = answered.refused(400);
    assert_eq!(code, "RoleNotFound");
    assert_eq!(
        message,
        format!("service account agent-unknown/api has no engine role agent-unknown.api: {cure}")
    );
    assert!(
        !cli.ok && cli.stderr.contains(cure),
        "what the person at the CLI sees: {}{}",
        cli.stderr,
        cli.stdout
    );
    team.associate("api", json!({})).await;
    eventually("what the command cures", SECONDS, async || {
        team.exec(&pod, "app", &["aws", "sts", "get-caller-identity"]).await.ok.then_some(())
    })
    .await;
}
