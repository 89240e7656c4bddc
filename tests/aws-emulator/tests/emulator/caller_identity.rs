//! `sts:GetCallerIdentity` with the session the emulator issued, and with ones it did not.

use crate::client::{Answer, Keys};
use crate::world::{ACCOUNT, ROOT, World};
use serde_json::json;

/// STS speaks XML: the text between a tag and its end.
fn element<'a>(answer: &'a str, tag: &str) -> &'a str {
    let (_, rest) = answer.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {answer}"));
    rest.split_once(&format!("</{tag}>")).unwrap().0
}

async fn world_with_keys() -> (World, Keys) {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;
    (world, Keys::from(&session))
}

fn assert_refused(answer: &Answer, code: &str) {
    assert_eq!((answer.status, element(&answer.text(), "Code")), (403, code), "{}", answer.text());
}

#[tokio::test]
async fn a_session_is_who_it_says() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;

    let answer = world.caller_identity(&session).send().await;

    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    assert_eq!(element(&text, "Arn"), session.assumed_role_arn);
    assert_eq!(element(&text, "Account"), ACCOUNT);
    assert!(element(&text, "UserId").ends_with(&format!(":{}", session.name())), "{text}");
}

#[tokio::test]
async fn a_wrong_secret_does_not_match() {
    let (world, mut keys) = world_with_keys().await;
    keys.secret_access_key = keys.secret_access_key.chars().rev().collect();

    let answer = world.caller_identity(keys).send().await;

    assert_refused(&answer, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_missing_token_is_invalid() {
    let (world, mut keys) = world_with_keys().await;
    keys.security_token = None;

    let answer = world.caller_identity(keys).send().await;

    assert_refused(&answer, "InvalidClientTokenId");
}

#[tokio::test]
async fn a_token_of_another_session_is_invalid() {
    let (world, mut keys) = world_with_keys().await;
    keys.security_token = Some(world.session(&ROOT.device("payroll")).await.security_token);

    let answer = world.caller_identity(keys).send().await;

    assert_refused(&answer, "InvalidClientTokenId");
}

#[tokio::test]
async fn an_unknown_key_is_invalid() {
    let (world, mut keys) = world_with_keys().await;
    keys.access_key_id = "ASIAIOSFODNN7EXAMPLE".to_owned();

    let answer = world.caller_identity(keys).send().await;

    assert_refused(&answer, "InvalidClientTokenId");
}

#[tokio::test]
async fn a_session_ends_at_its_expiration() {
    let (world, keys) = world_with_keys().await;
    world.put_knobs(json!({ "clock_offset_seconds": 3605 })).await;
    let mut call = world.caller_identity(keys);
    call.date += time::Duration::seconds(3605);

    let answer = call.send().await;

    assert_refused(&answer, "ExpiredToken");
}

#[tokio::test]
async fn a_session_lives_until_its_expiration() {
    let (world, keys) = world_with_keys().await;
    world.put_knobs(json!({ "clock_offset_seconds": 3570 })).await;
    let mut call = world.caller_identity(keys);
    call.date += time::Duration::seconds(3570);

    let answer = call.send().await;

    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_scope_of_another_service_does_not_match() {
    let (world, keys) = world_with_keys().await;
    let mut call = world.caller_identity(keys);
    call.service = "iam";

    let answer = call.send().await;

    assert_refused(&answer, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_call_without_a_signature_is_refused() {
    let world = World::start().await;
    let request = world.client.post(format!("{}/", world.url()));
    let request = request.header("content-type", "application/x-www-form-urlencoded");

    let response = request.body("Action=GetCallerIdentity&Version=2011-06-15").send().await.unwrap();

    assert_refused(&Answer::read(response).await, "MissingAuthenticationToken");
}

#[tokio::test]
async fn another_action_is_not_known() {
    let (world, keys) = world_with_keys().await;
    let mut call = world.caller_identity(keys);
    call.body = b"Action=GetSessionToken&Version=2011-06-15".to_vec();

    let answer = call.send().await;

    assert_eq!((answer.status, element(&answer.text(), "Code")), (400, "InvalidAction"));
}
