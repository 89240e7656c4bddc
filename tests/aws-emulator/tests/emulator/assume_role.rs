//! `sts:AssumeRole` with a long-lived key: the callers that the role's trust policy admits, and for how long.

use crate::client::{Answer, Keys, SignedCall};
use crate::world::{ROLE, World, management_keys};
use serde_json::json;

const USER: &str = "arn:aws:iam::111122223333:user/management";

fn element<'a>(answer: &'a str, tag: &str) -> &'a str {
    let (_, rest) = answer.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {answer}"));
    rest.split_once(&format!("</{tag}>")).unwrap().0
}

/// A role of two hours that lets this principal in.
async fn world_trusting(principal: &str) -> World {
    World::start_with(|state| {
        state["roles"][0]["max_session_duration"] = json!(7200);
        state["roles"][0]["trust_policy"] = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole",
        }]});
    })
    .await
}

fn call(world: &World, keys: Keys, rest: &str) -> SignedCall {
    let mut call = world.caller_identity(keys);
    call.body = format!("Action=AssumeRole&Version=2011-06-15{rest}").into_bytes();
    call
}

fn usual(rest: &str) -> String {
    format!("&RoleArn={}&RoleSessionName=vault-demo{rest}", ROLE.replace(':', "%3A").replace('/', "%2F"))
}

async fn assert_refused(world: &World, answer: &Answer, status: u16, code: &str, rule: &str) {
    assert_eq!((answer.status, element(&answer.text(), "Code")), (status, code), "{}", answer.text());
    let entry = world.log_entry(answer).await;
    assert_eq!((&entry["operation"], &entry["rule"]), (&json!("AssumeRole"), &json!(rule)));
    assert_eq!(world.admin("sessions").await, json!([]), "a refusal left a session");
}

#[tokio::test]
async fn a_user_whom_the_role_trusts_becomes_the_role() {
    let world = world_trusting(USER).await;

    let answer = call(&world, management_keys(), &usual("&DurationSeconds=7200")).send().await;

    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    let keys = Keys {
        access_key_id: element(&text, "AccessKeyId").to_owned(),
        secret_access_key: element(&text, "SecretAccessKey").to_owned(),
        security_token: Some(element(&text, "SessionToken").to_owned()),
    };
    let who = world.caller_identity(keys).send().await;
    assert_eq!(
        element(&who.text(), "Arn"),
        "arn:aws:sts::111122223333:assumed-role/demo/vault-demo",
        "{}",
        who.text()
    );
    assert!((7195..=7200).contains(&crate::world::seconds_until(element(&text, "Expiration"))), "{text}");
    assert_eq!(world.log_entry(&answer).await["outcome"], "issued");
}

#[tokio::test]
async fn a_user_whom_the_role_does_not_trust_is_denied() {
    let world = world_trusting("arn:aws:iam::111122223333:user/other").await;

    let answer = call(&world, management_keys(), &usual("")).send().await;

    assert_refused(&world, &answer, 403, "AccessDenied", "assume_role.denied").await;
    let message = format!("User: {USER} is not authorized to perform: sts:AssumeRole on resource: {ROLE}");
    assert_eq!(element(&answer.text(), "Message"), message);
}

#[tokio::test]
async fn a_role_for_roles_anywhere_alone_is_denied() {
    let world = World::start().await;

    let answer = call(&world, management_keys(), &usual("")).send().await;

    assert_refused(&world, &answer, 403, "AccessDenied", "assume_role.denied").await;
}

#[tokio::test]
async fn a_role_that_is_not_there_is_denied() {
    let world = world_trusting(USER).await;

    let answer = call(&world, management_keys(), &usual("").replace("demo&", "gone&")).send().await;

    assert_refused(&world, &answer, 403, "AccessDenied", "assume_role.denied").await;
}

#[tokio::test]
async fn a_wrong_secret_does_not_match() {
    let world = world_trusting(USER).await;
    let mut keys = management_keys();
    keys.secret_access_key.push('x');

    let answer = call(&world, keys, &usual("")).send().await;

    assert_refused(&world, &answer, 403, "SignatureDoesNotMatch", "caller.signature").await;
}

#[tokio::test]
async fn a_session_longer_than_the_roles_maximum_is_refused() {
    let world = world_trusting(USER).await;

    let answer = call(&world, management_keys(), &usual("&DurationSeconds=7201")).send().await;

    assert_refused(&world, &answer, 400, "ValidationError", "assume_role.max_session_duration").await;
}

#[tokio::test]
async fn a_duration_under_fifteen_minutes_is_refused() {
    let world = world_trusting(USER).await;

    let answer = call(&world, management_keys(), &usual("&DurationSeconds=899")).send().await;

    assert_refused(&world, &answer, 400, "ValidationError", "assume_role.bounds").await;
}

#[tokio::test]
async fn a_session_name_with_a_blank_is_refused() {
    let world = world_trusting(USER).await;

    let answer = call(&world, management_keys(), &usual("").replace("vault-demo", "vault+demo")).send().await;

    assert_refused(&world, &answer, 400, "ValidationError", "assume_role.bounds").await;
}

#[tokio::test]
async fn a_parameter_given_twice_is_refused() {
    let world = world_trusting(USER).await;

    let answer = call(&world, management_keys(), &usual("&RoleSessionName=other")).send().await;

    assert_refused(&world, &answer, 400, "ValidationError", "assume_role.bounds").await;
}

#[tokio::test]
async fn a_role_must_be_named() {
    let world = world_trusting(USER).await;

    let answer = call(&world, management_keys(), "&RoleSessionName=vault-demo").send().await;

    assert_refused(&world, &answer, 400, "ValidationError", "assume_role.missing_parameter").await;
}

#[tokio::test]
async fn a_parameter_that_is_not_emulated_is_not_ignored() {
    let world = world_trusting(USER).await;

    let answer = call(&world, management_keys(), &usual("&SerialNumber=GAHT12345678")).send().await;

    assert_refused(&world, &answer, 400, "ValidationError", "assume_role.unknown_parameter").await;
}

#[tokio::test]
async fn latency_hits_assume_role() {
    let world = world_trusting(USER).await;
    world.put_knobs(json!({ "latency_ms": 120 })).await;
    let start = std::time::Instant::now();

    let answer = call(&world, management_keys(), &usual("")).send().await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(start.elapsed().as_millis() >= 120);
}
