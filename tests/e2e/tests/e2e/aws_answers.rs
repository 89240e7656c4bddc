//! AWS answers with something other than a session: each time there is a clear error, nothing is lost, and no secret is in the text.

use std::time::Duration;

use harness::{Reply, Stage, until};
use serde_json::{Value, json};

/// For five seconds the engine repeats an answer that another request would not change.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Reads once with AWS answering in a wrong way, and then once with it well again.
async fn read_with(knobs: Value) -> Reply {
    let stage = Stage::dev().await;
    // only silence takes all of this time
    let seconds = if knobs["answer"] == "silent" { 1 } else { 10 };
    let quick = json!({ "request_timeout": seconds, "max_retries": 0 });
    let mut config = stage.config();
    config.as_object_mut().unwrap().extend(quick.as_object().unwrap().clone());
    let _ = stage.root().write("iamra/config", config).await.ok();
    stage.knobs(knobs).await;

    let broken = stage.creds("demo").await;

    stage.knobs(json!({ "answer": "normal" })).await;
    let well = until("a session", REMEMBERED, async || {
        Some(stage.creds("demo").await).filter(|reply| reply.status == 200)
    })
    .await;
    stage.caller(&well).await.unwrap();
    broken
}

/// A clear error: for later, or AWS's fault, but not a bug of ours, and short enough to read.
fn assert_clear(reply: &Reply, words: &[&str]) {
    let text = reply.errors();
    assert!(matches!(reply.status, 400 | 502 | 503), "{} {text}", reply.status);
    assert!(words.iter().any(|word| text.contains(word)), "none of {words:?} in: {text}");
    assert!(text.len() < 1000, "{} bytes of error", text.len());
    for secret in ["secretAccessKey", "sessionToken", "PRIVATE KEY"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(reply.body["data"]["access_key"].is_null());
}

#[tokio::test]
async fn a_page_of_html_is_named_as_no_answer_of_aws() {
    assert_clear(&read_with(json!({ "answer": "html" })).await, &["JSON", "json", "html", "HTML"]);
}

#[tokio::test]
async fn an_empty_body_is_a_clear_error() {
    assert_clear(&read_with(json!({ "answer": "empty" })).await, &["empty", "JSON", "json"]);
}

#[tokio::test]
async fn half_a_json_is_a_clear_error_without_what_was_in_it() {
    assert_clear(&read_with(json!({ "answer": "half_json" })).await, &["JSON", "json"]);
}

#[tokio::test]
async fn ten_megabytes_are_not_read_to_the_end() {
    assert_clear(&read_with(json!({ "answer": "huge" })).await, &["bytes", "KiB", "MiB", "large", "long"]);
}

#[tokio::test]
async fn silence_ends_with_the_request_timeout() {
    assert_clear(
        &read_with(json!({ "answer": "silent" })).await,
        &["timed out", "timeout", "in time", "within"],
    );
}

#[tokio::test]
async fn a_session_that_has_expired_already_is_never_handed_out() {
    assert_clear(&read_with(json!({ "answer": "expired_session" })).await, &["expired", "expiration"]);
}

#[tokio::test]
async fn a_dropped_connection_is_tried_again_and_the_read_succeeds() {
    let stage = Stage::dev().await;
    stage.knobs(json!({ "drop_next": 1 })).await;

    let answer = stage.creds("demo").await.ok();

    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn a_burst_of_errors_is_outlasted_by_retries() {
    let stage = Stage::dev().await;
    stage.knobs(json!({ "fail_next": { "count": 2, "status": 503 } })).await;

    let answer = stage.creds("demo").await.ok();

    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn errors_that_do_not_end_are_answered_with_503() {
    let stage = Stage::dev().await;
    stage.knobs(json!({ "fail_next": { "count": 100, "status": 500 } })).await;

    let reply = stage.creds("demo").await;

    assert_eq!(reply.status, 503, "{}", reply.text);
}

#[tokio::test]
async fn a_clock_that_is_off_is_diagnosed() {
    let stage = Stage::dev().await;
    stage.knobs(json!({ "clock_offset_seconds": 1800 })).await;

    let text = stage.creds("demo").await.refused(400);

    assert!(text.contains("clock"), "{text}");
}
