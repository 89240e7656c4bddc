//! `container/:role` as AWS SDKs ask for it: raw HTTP, status, headers and body.

use std::time::{Duration, Instant};

use harness::sts::{self, Credentials};
use harness::{PROFILE_ARN, REGION, Reply, Stage, Vault};
use serde_json::{Value, json};

async fn container(stage: &Stage, role: &str) -> Reply {
    stage.root().read(&format!("iamra/container/{role}")).await
}

/// The credentials of a document, by the names that SDKs look for.
fn credentials(document: &Value) -> Credentials {
    let text = |key: &str| document[key].as_str().unwrap_or_else(|| panic!("no {key}")).to_owned();
    Credentials {
        access_key: text("AccessKeyId"),
        secret_key: text("SecretAccessKey"),
        session_token: Some(text("Token")),
    }
}

/// Status and code of a failure. All failures have the shape that Go requires before it shows `message`.
#[track_caller]
fn failure(reply: &Reply) -> (u16, String) {
    assert_eq!((reply.content_type.as_str(), reply.cache_control.as_str()), ("application/json", "no-store"));
    let keys: Vec<_> = reply.body.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, ["code", "message"], "{}", reply.text);
    assert!(reply.body["message"].as_str().is_some_and(|text| text.len() > 10), "{}", reply.text);
    (reply.status, reply.body["code"].as_str().unwrap().to_owned())
}

/// Asks a stage after AWS's knobs were set.
async fn asked_with(knobs: Value) -> Reply {
    let stage = Stage::dev().await;
    stage.knobs(knobs).await;
    container(&stage, "demo").await
}

/// Makes the profile of the stage shorten every session to this number of seconds.
async fn clamp(stage: &Stage, seconds: u32) {
    let mut account = stage.admin("GET", "state", None).await;
    assert!(PROFILE_ARN.ends_with(account["profiles"][0]["id"].as_str().unwrap()));
    account["profiles"][0]["duration_seconds"] = seconds.into();
    stage.admin("PUT", "state", Some(account)).await;
}

#[tokio::test]
async fn an_sdk_gets_the_five_members_it_wants_and_nothing_else() {
    let stage = Stage::dev().await;

    let reply = container(&stage, "demo").await;

    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!((reply.content_type.as_str(), reply.cache_control.as_str()), ("application/json", "no-store"));
    let keys: Vec<_> = reply.body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["AccessKeyId", "AccountId", "Expiration", "SecretAccessKey", "Token"]);
    assert!(reply.body["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
    assert_eq!(reply.body["AccountId"], harness::ACCOUNT);
}

#[tokio::test]
async fn the_expiration_is_the_sessions_in_the_one_form_that_every_sdk_takes() {
    let stage = Stage::dev().await;

    let reply = container(&stage, "demo").await;

    let expiration = reply.body["Expiration"].as_str().unwrap();
    assert_eq!(expiration, stage.sessions().await[0]["expiration"]);
    assert!(expiration.len() == "2026-01-02T03:04:05Z".len() && expiration.ends_with('Z'), "{expiration}");
}

#[tokio::test]
async fn aws_takes_the_credentials_for_the_role() {
    let stage = Stage::dev().await;
    let reply = container(&stage, "demo").await.ok();

    let who = sts::caller_identity(stage.aws.url(), REGION, None, &credentials(&reply.body)).await.unwrap();

    assert!(who.arn.starts_with("arn:aws:sts::111122223333:assumed-role/demo/"), "{}", who.arn);
}

#[tokio::test]
async fn a_bearer_token_is_enough_straight_at_the_server() {
    let stage = Stage::dev().await;
    let token = stage.vault.token("app", r#"path "iamra/container/demo" { capabilities = ["read"] }"#).await;
    let bearer = format!("Bearer {token}");
    let nobody = stage.root().without_token();

    let reply = nobody.try_call("GET", "iamra/container/demo", None, &[("Authorization", &bearer)]).await;

    assert!(reply.unwrap().ok().body["AccessKeyId"].is_string());
}

#[tokio::test]
async fn an_applications_policy_opens_its_one_path_and_nothing_else() {
    let stage = Stage::dev().await;
    let token = stage.vault.token("app", r#"path "iamra/container/demo" { capabilities = ["read"] }"#).await;
    let app = stage.root().with_token(&token);

    let _ = app.read("iamra/container/demo").await.ok();

    for path in ["iamra/container/other", "iamra/creds/demo", "iamra/roles/demo", "iamra/config"] {
        assert_eq!(app.read(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn no_lease_is_made() {
    let stage = Stage::dev().await;
    let _ = stage.creds("demo").await.ok();

    let _ = container(&stage, "demo").await.ok();

    let leases = stage.root().list("sys/leases/lookup/iamra").await.ok();
    assert_eq!(leases.keys(), ["creds/"]);
}

#[tokio::test]
async fn each_read_has_a_session_of_its_own() {
    let stage = Stage::dev().await;

    let (first, second) = (container(&stage, "demo").await.ok(), container(&stage, "demo").await.ok());

    assert_ne!(first.body["AccessKeyId"], second.body["AccessKeyId"]);
    assert_eq!(stage.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_write_is_refused() {
    let stage = Stage::dev().await;

    let reply = stage.root().write("iamra/container/demo", json!({})).await;

    assert_eq!(reply.status, 405, "{}", reply.text);
    assert!(stage.sessions().await.is_empty());
}

#[tokio::test]
async fn the_command_line_reads_the_document_raw() {
    let stage = Stage::dev().await;

    let printed = stage.vault.cli(&["read", "-format=raw", "iamra/container/demo"]).await.json();

    assert!(printed["SecretAccessKey"].is_string());
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_named() {
    let stage = Stage::dev().await;

    let reply = container(&stage, "nobody").await;

    assert_eq!(failure(&reply), (400, "RoleNotFound".to_owned()));
    assert!(reply.text.contains("nobody"), "{}", reply.text);
}

#[tokio::test]
async fn a_mount_without_a_ca_names_the_cure() {
    let stage = Stage::without_ca(Vault::dev().await).await;
    let _ = stage.root().write("iamra/roles/demo", json!({ "role_arn": harness::ROLE_ARN })).await.ok();

    let reply = container(&stage, "demo").await;

    assert_eq!(failure(&reply), (400, "NotConfigured".to_owned()));
    assert!(reply.text.contains("vault write iamra/root/generate/internal"), "{}", reply.text);
}

#[tokio::test]
async fn a_refusal_of_aws_has_awss_type_its_text_and_our_explanation() {
    let stage = Stage::dev().await;
    stage.trust(&e2e::paper::Paper::root("other", e2e::paper::Flaw::None).certificate).await;

    let reply = container(&stage, "demo").await;

    assert_eq!(failure(&reply), (400, "AccessDeniedException".to_owned()));
    let message = reply.body["message"].as_str().unwrap();
    assert!(message.contains("Untrusted") && message.contains("trust anchor"), "{message}");
}

#[tokio::test]
async fn an_aws_that_throttles_is_for_later() {
    let reply = asked_with(json!({ "throttle_next": 100 })).await;

    assert_eq!(failure(&reply), (503, "ThrottlingException".to_owned()));
}

#[tokio::test]
async fn an_aws_that_fails_is_for_later() {
    let reply = asked_with(json!({ "fail_next": { "count": 100, "status": 500 } })).await;

    assert_eq!(failure(&reply), (503, "AwsUnavailable".to_owned()));
}

#[tokio::test]
async fn a_silent_aws_is_given_up_long_before_creds_would() {
    let stage = Stage::dev().await;
    stage.knobs(json!({ "answer": "silent" })).await;
    let began = Instant::now();

    let reply = container(&stage, "demo").await;

    assert_eq!(failure(&reply), (503, "AwsUnavailable".to_owned()));
    assert!(reply.text.contains("no answer within "), "{}", reply.text);
    // after 1.8 s, where creds takes 15 s; the rest is for a busy machine
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_not_awss_is_never_passed_on() {
    for answer in ["html", "empty", "half_json", "huge", "expired_session"] {
        let reply = asked_with(json!({ "answer": answer })).await;

        assert_eq!(failure(&reply), (503, "AwsBadAnswer".to_owned()), "{answer}");
    }
}

#[tokio::test]
async fn a_session_with_next_to_nothing_left_is_never_handed_out() {
    let stage = Stage::dev().await;
    clamp(&stage, 3).await;

    let (raw, leased) = (container(&stage, "demo").await, stage.creds("demo").await);

    assert_eq!(failure(&raw), (503, "SessionTooShort".to_owned()));
    assert_eq!(leased.status, 503, "{}", leased.text);
}

#[tokio::test]
async fn a_profile_that_shortens_sessions_is_logged() {
    let stage = Stage::dev().await;
    clamp(&stage, 20).await;

    let _ = container(&stage, "demo").await.ok();

    let shortened = stage.vault.logged("the warning", |line| line.raw.contains("durationSeconds")).await;
    assert_eq!(shortened.fields["path"], "container/demo", "{}", shortened.raw);
}
