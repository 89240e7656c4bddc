//! Answers wrapped in a one-time token.

use harness::{Reply, Stage};

async fn wrapped(stage: &Stage, path: &str) -> Reply {
    let headers = [("X-Vault-Wrap-TTL", "60")];
    stage.root().try_call("GET", path, None, &headers).await.unwrap().ok()
}

fn wrapping_token(answer: &Reply) -> &str {
    answer.body["wrap_info"]["token"].as_str().unwrap()
}

#[tokio::test]
async fn a_wrapped_read_holds_nothing_until_it_is_unwrapped_and_then_works() {
    let stage = Stage::dev().await;

    let sealed = wrapped(&stage, "iamra/creds/demo").await;

    assert!(!sealed.text.contains("secret_key"), "{}", sealed.text);
    let holder = stage.root().with_token(wrapping_token(&sealed));
    let answer = holder.call("POST", "sys/wrapping/unwrap", None).await.ok();
    stage.caller(&answer).await.unwrap();
    assert!(answer.body["lease_id"].as_str().is_some_and(|lease| lease.starts_with("iamra/creds/demo/")));
}

#[tokio::test]
async fn a_wrapped_answer_is_unwrapped_once() {
    let stage = Stage::dev().await;
    let sealed = wrapped(&stage, "iamra/creds/demo").await;
    let holder = stage.root().with_token(wrapping_token(&sealed));
    let _ = holder.call("POST", "sys/wrapping/unwrap", None).await.ok();

    let again = holder.call("POST", "sys/wrapping/unwrap", None).await;

    assert_eq!(again.status, 400, "{}", again.text);
}

#[tokio::test]
async fn a_wrapped_document_for_sdks_is_unwrapped_as_it_was() {
    let stage = Stage::dev().await;

    let sealed = wrapped(&stage, "iamra/container/demo").await;

    assert!(!sealed.text.contains("SecretAccessKey"), "{}", sealed.text);
    let holder = stage.root().with_token(wrapping_token(&sealed));
    let answer = holder.call("POST", "sys/wrapping/unwrap", None).await.ok();
    assert_eq!(answer.content_type, "application/json");
    assert!(answer.body["AccessKeyId"].is_string(), "the document itself, with nothing of Vault's around it");
}

#[tokio::test]
async fn the_command_line_wraps_too() {
    let stage = Stage::dev().await;

    let sealed =
        stage.vault.cli(&["read", "-wrap-ttl=60s", "-field=wrapping_token", "iamra/creds/demo"]).await.ok();

    let answer = stage.vault.cli(&["unwrap", "-format=json", sealed.trim()]).await.json();
    assert_eq!(answer["data"]["role_arn"], harness::ROLE_ARN);
}
