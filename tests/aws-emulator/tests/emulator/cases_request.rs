//! Cases about the parameters of a request, its route and its rate.

use crate::client::{Call, Shape};
use crate::expectations::refusal;
use crate::world::{ANCHOR, PROFILE, ROLE, ROOT, World, seconds_until};
use serde_json::{Value, json};
use tokio::task::JoinSet;

async fn refuses(change: impl FnOnce(&mut Call), case: &str, value: &str) {
    let world = World::start().await;
    let device = ROOT.device("payments");

    let answer = world.call(&device).but(change).send().await;

    world.refuses(&answer, &refusal(case).of(value)).await;
}

fn put(name: &'static str, value: impl Into<Value>) -> impl FnOnce(&mut Call) {
    let value = value.into();
    move |call| drop(call.parameters.insert(name.to_owned(), value))
}

fn drop_parameter(name: &'static str) -> impl FnOnce(&mut Call) {
    move |call| drop(call.parameters.remove(name))
}

async fn refuses_arn(name: &'static str, arn: &str) {
    let world = World::start().await;
    let device = ROOT.device("payments");

    let answer = world.call(&device).set(name, arn).send().await;

    let pattern =
        answer.message().split("regular expression pattern: ").nth(1).unwrap_or_default().to_owned();
    let rest = "failed to satisfy constraint: Member must satisfy regular expression pattern";
    let echo = format!("{arn}' at '{name}' {rest}: {pattern}");
    assert!(pattern.starts_with("arn:aws"), "{}", answer.message());
    world.refuses(&answer, &refusal("28 pattern").of(&echo)).await;
}

#[tokio::test]
async fn case_14_a_session_name_the_profile_does_not_accept_is_refused() {
    refuses(put("roleSessionName", "payments-1"), "14", "").await;
}

#[tokio::test]
async fn case_25_a_duration_of_899_seconds_is_refused() {
    refuses(put("durationSeconds", 899), "25 short", "899").await;
}

#[tokio::test]
async fn case_25_a_duration_of_zero_is_refused() {
    refuses(put("durationSeconds", 0), "25 short", "0").await;
}

#[tokio::test]
async fn case_25_a_negative_duration_is_refused() {
    refuses(put("durationSeconds", -900), "25 short", "-900").await;
}

#[tokio::test]
async fn case_25_a_duration_of_43201_seconds_is_refused() {
    refuses(put("durationSeconds", 43_201), "25 long", "43201").await;
}

#[tokio::test]
async fn case_26_a_duration_over_the_profiles_is_clamped() {
    let world = World::start_with(|state| {
        state["profiles"][0]["duration_seconds"] = 1800.into();
        state["roles"][0]["max_session_duration"] = 7200.into();
    })
    .await;

    let answer = world.call(&ROOT.device("payments")).set("durationSeconds", 7200).send().await;

    let left = seconds_until(&answer.session().expiration);
    assert!((1790..=1801).contains(&left), "{left} seconds are left");
}

#[tokio::test]
async fn case_27_a_missing_trust_anchor_is_refused() {
    refuses(drop_parameter("trustAnchorArn"), "27", "trustAnchorArn").await;
}

#[tokio::test]
async fn case_27_a_missing_profile_is_refused() {
    refuses(drop_parameter("profileArn"), "27", "profileArn").await;
}

#[tokio::test]
async fn case_27_a_missing_role_is_refused() {
    refuses(drop_parameter("roleArn"), "27", "roleArn").await;
}

#[tokio::test]
async fn case_28_an_anchor_of_another_service_is_malformed() {
    refuses_arn("trustAnchorArn", &ANCHOR.replace("rolesanywhere", "acm-pca")).await;
}

#[tokio::test]
async fn case_28_a_profile_of_no_aws_partition_is_malformed() {
    refuses_arn("profileArn", &PROFILE.replace("arn:aws", "arn:gcp")).await;
}

#[tokio::test]
async fn case_28_a_role_where_the_profile_belongs_is_malformed() {
    refuses_arn("profileArn", ROLE).await;
}

#[tokio::test]
async fn case_28_an_arn_over_1011_characters_is_refused() {
    let long = format!("{ROLE}{}", "x".repeat(1012 - ROLE.len()));
    refuses(put("roleArn", long.clone()), "28 length", &long).await;
}

#[tokio::test]
async fn case_53_a_body_that_is_no_json_is_refused() {
    refuses(|call| call.raw_body = Some("durationSeconds=900"), "53", "expected value at line 1 column 1")
        .await;
}

#[tokio::test]
async fn case_53_a_json_array_is_refused() {
    refuses(
        |call| call.raw_body = Some("[]"),
        "53",
        "invalid type: sequence, expected a JSON object at line 1 column 0",
    )
    .await;
}

#[tokio::test]
async fn case_53_a_duration_in_quotes_is_refused() {
    refuses(put("durationSeconds", "3600"), "53", "durationSeconds must be an integer").await;
}

#[tokio::test]
async fn case_53_a_role_that_is_a_number_is_refused() {
    refuses(put("roleArn", 5), "53", "roleArn must be a string").await;
}

#[tokio::test]
async fn case_55_get_of_sessions_is_no_operation() {
    refuses(|call| call.method = reqwest::Method::GET, "55", "").await;
}

#[tokio::test]
async fn case_55_post_to_session_is_no_operation() {
    refuses(|call| call.path = "/session", "55", "").await;
}

#[tokio::test]
async fn case_56_the_eleventh_request_of_a_burst_is_throttled() {
    let world = World::start().await;
    world.put_knobs(json!({ "max_tps": 10 })).await;
    let device = ROOT.device("payments");
    let mut burst = JoinSet::new();
    for prepared in (0..30).map(|_| world.call(&device).sign()) {
        burst.spawn(prepared.send());
    }

    let answers = burst.join_all().await;

    let (granted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(granted.len() >= 10, "only {} were granted", granted.len());
    let first = refused.first().expect("30 requests at once are over 10 a second");
    let expected = refusal("56");
    assert_eq!((first.status, first.error_type()), (expected.status, expected.kind));
    assert_eq!(first.message(), expected.message());
    assert_eq!(world.log_entry(first).await["rule"], expected.rule);
}

async fn refuses_session_name(name: &str, case: &str) {
    let world =
        World::start_with(|state| state["profiles"][0]["accept_role_session_name"] = true.into()).await;

    let answer = world.call(&ROOT.device("payments")).set("roleSessionName", name).send().await;

    world.refuses(&answer, &refusal(case).of(name)).await;
}

#[tokio::test]
async fn case_57_a_session_name_of_one_character_is_refused() {
    refuses_session_name("p", "57 short").await;
}

#[tokio::test]
async fn case_57_a_session_name_of_65_characters_is_refused() {
    refuses_session_name(&"p".repeat(65), "57 long").await;
}

#[tokio::test]
async fn case_57_a_session_name_with_a_space_is_refused() {
    refuses_session_name("payments 1", "57 pattern").await;
}

#[tokio::test]
async fn the_arns_may_travel_in_the_query() {
    let world = World::start().await;
    let device = ROOT.device("payments");
    let call = world.call(&device).set("durationSeconds", 900).but(|call| call.shape = Shape::Query);

    let answer = call.send().await;

    assert!(seconds_until(&answer.session().expiration) <= 900);
}

#[tokio::test]
async fn the_content_type_of_the_python_client_is_accepted() {
    let world = World::start().await;
    let call = world.call(&ROOT.device("payments"));

    let answer = call.but(|call| call.content_type = "application/x-amz-json-1.0").send().await;

    answer.session();
}

#[tokio::test]
async fn a_query_altered_after_signing_is_refused() {
    let world = World::start().await;
    let device = ROOT.device("payments");
    let mut prepared = world.call(&device).but(|call| call.shape = Shape::Query).sign();
    prepared.url = prepared.url.replace("role%2Fdemo", "role%2Fadmin");

    let answer = prepared.send().await;

    world.refuses(&answer, &refusal("8")).await;
}

#[tokio::test]
async fn query_and_body_that_differ_are_refused() {
    let world = World::start().await;
    let device = ROOT.device("payments");
    let mut prepared = world.call(&device).but(|call| call.shape = Shape::Query).sign();
    prepared.body = json!({ "roleArn": format!("{ROLE}-other") }).to_string().into_bytes();

    let answer = prepared.send().await;

    assert_eq!((answer.status, answer.error_type()), (400, "ValidationException"));
}
