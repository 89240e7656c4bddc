//! ECR `GetAuthorizationToken`: who gets a password, and each refusal.

use crate::client::{Answer, Keys, SignedCall};
use crate::world::{ACCOUNT, ROOT, World, permitted};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

const ACTION: &str = "ecr:GetAuthorizationToken";

fn may_pull() -> impl FnOnce(&mut Value) {
    permitted(json!([{ "Effect": "Allow", "Action": ACTION, "Resource": "*" }]))
}

/// A world whose role may ask, and the call of a session of that role.
async fn asking() -> (World, SignedCall) {
    let world = World::start_with(may_pull()).await;
    let call = call_in(&world).await;
    (world, call)
}

async fn call_in(world: &World) -> SignedCall {
    let session = world.session(&ROOT.device("payments")).await;
    SignedCall::authorization_token(world.client.clone(), &world.url(), Keys::from(&session))
}

async fn assert_refused(world: &World, answer: &Answer, kind: &str, rule: &str) {
    assert_eq!((answer.status, &answer.json()["__type"]), (400, &json!(kind)), "{}", answer.text());
    assert_eq!(world.log_entry(answer).await["rule"], rule);
}

/// A call that is spoiled before it is signed.
async fn fires(spoil: impl FnOnce(&mut SignedCall), kind: &str, rule: &str) {
    let (world, mut call) = asking().await;
    spoil(&mut call);

    let answer = call.send().await;

    assert_refused(&world, &answer, kind, rule).await;
}

fn login(answer: &Answer) -> String {
    let token = answer.json()["authorizationData"][0]["authorizationToken"].as_str().unwrap().to_owned();
    String::from_utf8(BASE64_STANDARD.decode(token).unwrap()).unwrap()
}

#[tokio::test]
async fn a_session_whose_role_may_gets_a_user_and_a_password_for_twelve_hours() {
    let (world, call) = asking().await;
    let begun = call.date.unix_timestamp();

    let answer = call.send().await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(login(&answer).strip_prefix("AWS:").is_some_and(|password| password.len() > 100));
    let data = &answer.json()["authorizationData"][0];
    let left = data["expiresAt"].as_f64().unwrap() - f64::from(i32::try_from(begun).unwrap());
    assert!((43_190.0..43_260.0).contains(&left), "{left}");
    assert_eq!(data["proxyEndpoint"], format!("https://{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com"));
    assert_eq!(world.log_entry(&answer).await["operation"], "GetAuthorizationToken");
}

#[tokio::test]
async fn the_password_is_the_states_where_it_names_one() {
    let (named, other) = (
        World::start_with(|state| {
            may_pull()(state);
            state["registry_password"] = "opens-the-registry".into();
        })
        .await,
        World::start_with(may_pull()).await,
    );

    let (fixed, first, second) = (
        call_in(&named).await.send().await,
        call_in(&other).await.send().await,
        call_in(&other).await.send().await,
    );

    assert_eq!(login(&fixed), "AWS:opens-the-registry");
    assert_ne!(login(&first), login(&second));
}

#[tokio::test]
async fn a_further_region_of_the_state_answers_and_another_does_not() {
    let world = World::start_with(|state| {
        may_pull()(state);
        state["ecr_regions"] = json!(["us-east-1"]);
    })
    .await;
    let (mut near, mut far) = (call_in(&world).await, call_in(&world).await);
    (near.region, far.region) = ("us-east-1", "us-west-2");

    let (near, far) = (near.send().await, far.send().await);

    assert!(near.text().contains(".dkr.ecr.us-east-1.amazonaws.com"), "{}", near.text());
    assert_refused(&world, &far, "InvalidSignatureException", "ecr.signature").await;
}

#[tokio::test]
async fn a_role_without_the_permission_is_told_what_it_lacks() {
    let world = World::start().await;

    let answer = call_in(&world).await.send().await;

    assert_refused(&world, &answer, "AccessDeniedException", "ecr.denied").await;
    let message = answer.json()["Message"].as_str().unwrap().to_owned();
    let lacks =
        format!("{ACTION} on resource: * because no identity-based policy allows the {ACTION} action");
    assert!(message.ends_with(&lacks), "{message}");
}

#[tokio::test]
async fn an_unsigned_call_is_refused() {
    let world = World::start().await;
    let request = world.client.post(world.url()).header("content-type", "application/x-amz-json-1.1");
    let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";

    let response = request.header("x-amz-target", target).body("{}").send().await.unwrap();

    let answer = Answer::read(response).await;
    assert_refused(&world, &answer, "MissingAuthenticationTokenException", "ecr.missing").await;
}

#[tokio::test]
async fn a_session_without_its_token_is_not_recognised() {
    let spoil = |call: &mut SignedCall| call.keys.security_token = None;
    fires(spoil, "UnrecognizedClientException", "ecr.token").await;
}

#[tokio::test]
async fn a_signature_of_another_service_or_of_six_minutes_ago_does_not_fit() {
    fires(|call| call.service = "sts", "InvalidSignatureException", "ecr.signature").await;
    let old = |call: &mut SignedCall| call.date -= time::Duration::minutes(6);
    fires(old, "InvalidSignatureException", "ecr.signature").await;
}

#[tokio::test]
async fn a_session_that_is_over_pulls_nothing() {
    let (world, mut call) = asking().await;
    world.put_knobs(json!({ "clock_offset_seconds": 3605 })).await;
    call.date += time::Duration::seconds(3605);

    let answer = call.send().await;

    assert_refused(&world, &answer, "ExpiredTokenException", "ecr.expired").await;
}

#[tokio::test]
async fn another_operation_is_unknown() {
    let spoil = |call: &mut SignedCall| {
        call.target = Some("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories");
    };
    fires(spoil, "UnknownOperationException", "ecr.operation").await;
}

#[tokio::test]
async fn a_body_that_is_not_of_the_protocol_is_refused() {
    fires(|call| call.body = b"{".to_vec(), "SerializationException", "ecr.body").await;
    fires(|call| call.content_type = "application/json", "SerializationException", "ecr.body").await;
    let unknown = |call: &mut SignedCall| call.body = br#"{"registryId":"1"}"#.to_vec();
    fires(unknown, "SerializationException", "ecr.unknown_member").await;
}

#[tokio::test]
async fn registry_ids_that_are_no_accounts_are_refused() {
    for ids in [r#"{"registryIds":[]}"#, r#"{"registryIds":["11112222333"]}"#] {
        let spoil = |call: &mut SignedCall| call.body = ids.as_bytes().to_vec();
        fires(spoil, "InvalidParameterException", "ecr.registry_ids").await;
    }
}

#[tokio::test]
async fn the_knobs_of_ecr_throttle_and_fail_it_and_nothing_else() {
    let (world, first) = asking().await;
    let (second, third) = (call_in(&world).await, call_in(&world).await);
    world.put_knobs(json!({ "ecr_throttle_next": 1, "ecr_fail_next": { "count": 1, "status": 500 } })).await;

    let failed = first.send().await;
    let throttled = second.send().await;
    let session = world.call(&ROOT.device("payments")).send().await;
    let answered = third.send().await;

    assert_eq!((failed.status, &failed.json()["__type"]), (500, &json!("ServerException")));
    assert_eq!(world.log_entry(&failed).await["rule"], "ecr.unavailable");
    assert_refused(&world, &throttled, "ThrottlingException", "ecr.throttled").await;
    assert_eq!(world.log_entry(&throttled).await["outcome"], "throttled");
    assert_eq!((session.status, answered.status), (201, 200));
}

#[tokio::test]
async fn the_answer_of_ecr_can_be_something_else() {
    let (world, _) = asking().await;
    let mut seen = Vec::new();
    for kind in ["html", "half_json", "huge", "empty", "expired_session"] {
        let call = call_in(&world).await;
        world.put_knobs(json!({ "ecr_answer": kind })).await;
        seen.push(call.send().await);
        world.put_knobs(json!({})).await;
    }

    let [html, half, huge, empty, expired] = seen.try_into().unwrap();
    assert!(html.text().starts_with("<html>"));
    assert!(
        serde_json::from_slice::<Value>(&half.body).is_err() && half.text().contains("authorizationToken")
    );
    assert_eq!((huge.status, huge.body.len() > 10 << 20), (200, true));
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    let end = expired.json()["authorizationData"][0]["expiresAt"].as_f64().unwrap();
    let now = crate::clock::now().unix_timestamp();
    assert!(end < f64::from(i32::try_from(now).unwrap()), "{end}");
}
