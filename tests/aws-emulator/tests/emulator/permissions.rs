//! The permissions of a session: its role's policies, the boundary and the session policy, and the words of each refusal.

use crate::client::{Answer, Keys, Session};
use crate::world::{ANCHOR, ANCHOR_ID, PROFILE_ID, ROLE, ROOT, World, management_keys, permitted, policy};
use reqwest::Method;
use serde_json::{Value, json};

fn anchor_path() -> String {
    format!("/trustanchor/{ANCHOR_ID}")
}

fn may(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

async fn world_and_session(change: impl FnOnce(&mut Value)) -> (World, Session) {
    let world = World::start_with(change).await;
    let session = world.session(&ROOT.device("vault")).await;
    (world, session)
}

/// A caller, and AWS's answer to it.
fn denied(session: &Session, action: &str, resource: &str, why: &str) -> String {
    let who = &session.assumed_role_arn;
    format!("User: {who} is not authorized to perform: {action} on resource: {resource} {why}")
}

fn unallowed(session: &Session, action: &str, resource: &str) -> String {
    denied(session, action, resource, &format!("because no identity-based policy allows the {action} action"))
}

async fn assert_denied(world: &World, answer: &Answer, message: &str) {
    assert_eq!((answer.status, answer.error_type()), (403, "AccessDeniedException"), "{}", answer.text());
    assert_eq!(answer.message(), message);
    assert_eq!(world.log_entry(answer).await["rule"], "management.denied");
}

async fn get_anchor(world: &World, session: &Session) -> Answer {
    world.manage_as(session, Method::GET, &anchor_path(), &Value::Null).await
}

#[tokio::test]
async fn a_session_whose_role_may_read_the_anchor_reads_it() {
    let allow = json!([may("rolesanywhere:GetTrustAnchor", ANCHOR)]);
    let (world, session) = world_and_session(permitted(allow)).await;

    let answer = get_anchor(&world, &session).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["trustAnchor"]["trustAnchorArn"], ANCHOR);
}

#[tokio::test]
async fn a_session_whose_role_has_no_policy_is_told_what_it_lacks() {
    let (world, session) = world_and_session(|_| ()).await;

    let answer = get_anchor(&world, &session).await;

    let message = unallowed(&session, "rolesanywhere:GetTrustAnchor", ANCHOR);
    assert_denied(&world, &answer, &message).await;
}

#[tokio::test]
async fn a_role_that_may_read_may_not_update() {
    let allow =
        json!([may("rolesanywhere:Get*", "*"), may("rolesanywhere:UpdateTrustAnchor", &ANCHOR[..60])]);
    let (world, session) = world_and_session(permitted(allow)).await;

    let answer =
        world.manage_as(&session, Method::PATCH, &anchor_path(), &json!({ "name": "taken over" })).await;

    assert_denied(&world, &answer, &unallowed(&session, "rolesanywhere:UpdateTrustAnchor", ANCHOR)).await;
    let read = world.manage(Method::GET, &anchor_path(), &Value::Null).await;
    assert_eq!(read.json()["trustAnchor"]["name"], "tests");
}

#[tokio::test]
async fn a_list_is_not_allowed_by_the_arn_of_one_resource() {
    let allow = json!([may("rolesanywhere:*", ANCHOR)]);
    let (world, session) = world_and_session(permitted(allow)).await;

    let answer = world.manage_as(&session, Method::GET, "/trustanchors", &Value::Null).await;

    assert_denied(&world, &answer, &unallowed(&session, "rolesanywhere:ListTrustAnchors", "*")).await;
}

#[tokio::test]
async fn an_unknown_anchor_is_denied_before_it_is_not_found() {
    let allow = json!([may("rolesanywhere:GetTrustAnchor", ANCHOR)]);
    let (world, session) = world_and_session(permitted(allow)).await;
    let other = "00000000-0000-4000-8000-000000000000";

    let answer = world.manage_as(&session, Method::GET, &format!("/trustanchor/{other}"), &Value::Null).await;

    let arn = ANCHOR.replace(ANCHOR_ID, other);
    assert_denied(&world, &answer, &unallowed(&session, "rolesanywhere:GetTrustAnchor", &arn)).await;
}

#[tokio::test]
async fn a_permissions_boundary_cuts_down_what_the_role_may_do() {
    let bounded = |state: &mut Value| {
        permitted(json!([may("rolesanywhere:*", "*")]))(state);
        state["roles"][0]["permissions_boundary"] = json!({
            "arn": "arn:aws:iam::111122223333:policy/bound",
            "policy": policy(json!([may("rolesanywhere:UpdateTrustAnchor", "*")])),
        });
    };
    let (world, session) = world_and_session(bounded).await;

    let answer = get_anchor(&world, &session).await;

    let action = "rolesanywhere:GetTrustAnchor";
    let why = format!("because no permissions boundary allows the {action} action");
    assert_denied(&world, &answer, &denied(&session, action, ANCHOR, &why)).await;
}

#[tokio::test]
async fn a_session_policy_cuts_down_what_the_role_may_do() {
    let cut = |state: &mut Value| {
        permitted(json!([may("rolesanywhere:*", "*")]))(state);
        state["profiles"][0]["session_policy"] = policy(json!([may("s3:GetObject", "*")]));
    };
    let (world, session) = world_and_session(cut).await;

    let answer = get_anchor(&world, &session).await;

    let action = "rolesanywhere:GetTrustAnchor";
    let why = format!("because no session policy allows the {action} action");
    assert_denied(&world, &answer, &denied(&session, action, ANCHOR, &why)).await;
}

#[tokio::test]
async fn an_explicit_deny_is_told_as_one() {
    let mut deny = may("rolesanywhere:GetTrustAnchor", "*");
    deny["Effect"] = "Deny".into();
    let (world, session) = world_and_session(permitted(json!([may("*", "*"), deny]))).await;

    let answer = get_anchor(&world, &session).await;

    let why = "with an explicit deny in an identity-based policy";
    assert_denied(&world, &answer, &denied(&session, "rolesanywhere:GetTrustAnchor", ANCHOR, why)).await;
}

#[tokio::test]
async fn a_role_is_put_into_a_profile_by_whoever_may_pass_it() {
    let allow = json!([may("rolesanywhere:*", "*")]);
    let (world, session) = world_and_session(permitted(allow)).await;
    let path = format!("/profile/{PROFILE_ID}");

    let answer = world.manage_as(&session, Method::PATCH, &path, &json!({ "roleArns": [ROLE] })).await;

    assert_denied(&world, &answer, &unallowed(&session, "iam:PassRole", ROLE)).await;
}

#[tokio::test]
async fn a_tag_of_the_anchor_may_be_a_condition() {
    let mut allow = may("rolesanywhere:GetTrustAnchor", "*");
    allow["Condition"] = json!({ "StringEquals": { "aws:ResourceTag/mount": "iamra" } });
    let (world, session) = world_and_session(permitted(json!([allow]))).await;
    let before = get_anchor(&world, &session).await;
    let tags = json!({ "resourceArn": ANCHOR, "tags": [{ "key": "mount", "value": "iamra" }] });
    assert_eq!(world.create("/TagResource", &tags).await.status, 201);

    let after = get_anchor(&world, &session).await;

    assert_eq!((before.status, after.status), (403, 200));
}

#[tokio::test]
async fn a_management_key_may_do_everything_unless_told_otherwise() {
    let edited = |state: &mut Value| {
        state["management_keys"][0]["policies"] =
            json!({ "read": policy(json!([may("rolesanywhere:Get*", "*")])) });
    };
    let world = World::start_with(edited).await;

    let read = world.manage(Method::GET, &anchor_path(), &Value::Null).await;
    let deleted = world.manage(Method::DELETE, &anchor_path(), &Value::Null).await;

    assert_eq!((read.status, deleted.status), (200, 403));
    assert!(deleted.message().starts_with("User: arn:aws:iam::111122223333:user/management is not"));
}

async fn assert_unidentified(keys: Keys, kind: &str, rule: &str) {
    let world = World::start().await;

    let answer = world.manage_as(keys, Method::GET, "/trustanchors", &Value::Null).await;

    assert_eq!((answer.status, answer.error_type()), (403, kind), "{}", answer.text());
    assert_eq!(world.log_entry(&answer).await["rule"], rule);
}

#[tokio::test]
async fn an_unknown_key_is_not_recognised() {
    let keys = Keys { access_key_id: "AKIAUNKNOWN".to_owned(), ..management_keys() };
    assert_unidentified(keys, "UnrecognizedClientException", "management.key").await;
}

#[tokio::test]
async fn a_wrong_secret_does_not_sign_a_management_call() {
    let keys = Keys { secret_access_key: "another".to_owned(), ..management_keys() };
    assert_unidentified(keys, "InvalidSignatureException", "management.signature").await;
}

#[tokio::test]
async fn a_session_without_its_token_is_not_recognised() {
    let (world, session) = world_and_session(|_| ()).await;
    let keys = Keys { security_token: None, ..Keys::from(&session) };

    let answer = world.manage_as(keys, Method::GET, "/trustanchors", &Value::Null).await;

    assert_eq!((answer.status, answer.error_type()), (403, "UnrecognizedClientException"));
}

#[tokio::test]
async fn a_session_that_is_over_manages_nothing() {
    let (world, session) = world_and_session(permitted(json!([may("*", "*")]))).await;
    world.put_knobs(json!({ "clock_offset_seconds": 3605 })).await;
    let keys = Keys::from(&session);
    let mut call = crate::client::SignedCall::management(world.client.clone(), &world.url(), keys);
    call.method = Method::GET;
    "/trustanchors".clone_into(&mut call.path);
    call.date += time::Duration::seconds(3605);

    let answer = call.send().await;

    assert_eq!((answer.status, answer.error_type()), (403, "ExpiredTokenException"));
    assert_eq!(world.log_entry(&answer).await["rule"], "management.expired");
}
