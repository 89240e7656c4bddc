//! IAM's Query API: a role and its inline policies, and every way in which IAM refuses.

use crate::client::{Answer, SignedCall};
use crate::world::{ROLE, ROOT, World, management_keys, permitted, policy};
use serde_json::{Value, json};

const ROLE_NAME: (&str, &str) = ("RoleName", "demo");

fn statement(sid: &str) -> Value {
    json!({ "Sid": sid, "Effect": "Deny", "Action": "*", "Resource": "*" })
}

fn document() -> String {
    policy(json!([statement("Revoked")])).to_string()
}

async fn put(world: &World, name: &str, document: &str) -> Answer {
    let parameters = [ROLE_NAME, ("PolicyName", name), ("PolicyDocument", document)];
    world.iam("PutRolePolicy", &parameters).await
}

async fn assert_refused(world: &World, answer: &Answer, expected: (u16, &str, &str), rule: &str) {
    let seen = (answer.status, answer.element("Code"), answer.element("Message"));
    assert_eq!((seen.0, seen.1.as_str(), seen.2.as_str()), expected);
    assert_eq!(world.log_entry(answer).await["rule"], rule);
}

/// A good call of the management key, spoiled.
async fn refuses(action: &str, parameters: &[(&str, &str)], expected: (u16, &str, &str), rule: &str) {
    let world = World::start().await;

    let answer = world.iam(action, parameters).await;

    assert_refused(&world, &answer, expected, rule).await;
}

async fn refuses_document(document: &str, message: &str) {
    let parameters = [ROLE_NAME, ("PolicyName", "p"), ("PolicyDocument", document)];
    let expected = (400, "MalformedPolicyDocument", message);
    refuses("PutRolePolicy", &parameters, expected, "iam.malformed_policy").await;
}

#[tokio::test]
async fn a_policy_that_was_put_is_read_back_as_it_was_sent() {
    let world = World::start().await;
    let sent = document().replace(',', ",\n  ");
    assert_eq!(put(&world, "iamra.1", &sent).await.status, 200);

    let read = world.iam("GetRolePolicy", &[ROLE_NAME, ("PolicyName", "iamra.1")]).await;
    let listed = world.iam("ListRolePolicies", &[ROLE_NAME]).await;

    assert_eq!(read.element("PolicyDocument"), crate::client::escape(&sent));
    assert_eq!(listed.element("member"), "iamra.1");
    assert_eq!(listed.element("IsTruncated"), "false");
}

#[tokio::test]
async fn a_role_shows_what_getrole_shows() {
    let world = World::start().await;

    let answer = world.iam("GetRole", &[ROLE_NAME]).await;

    assert_eq!(answer.element("Arn"), ROLE);
    assert_eq!(answer.element("MaxSessionDuration"), "3600");
    assert!(answer.element("RoleId").starts_with("AROA"));
    assert!(answer.element("AssumeRolePolicyDocument").starts_with("%7B%22Statement%22%3A%5B"));
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let world = World::start().await;
    for name in ["a", "b", "c"] {
        assert_eq!(put(&world, name, &document()).await.status, 200);
    }

    let first = world.iam("ListRolePolicies", &[ROLE_NAME, ("MaxItems", "2")]).await;
    let marker = first.element("Marker");
    let second = world.iam("ListRolePolicies", &[ROLE_NAME, ("Marker", &marker)]).await;

    assert_eq!((first.element("IsTruncated").as_str(), marker.as_str()), ("true", "b"));
    assert_eq!((second.element("member").as_str(), second.element("IsTruncated").as_str()), ("c", "false"));
}

#[tokio::test]
async fn an_unknown_role_is_no_such_entity() {
    let expected = (404, "NoSuchEntity", "The role with name other cannot be found.");
    refuses("GetRole", &[("RoleName", "other")], expected, "iam.no_role").await;
}

#[tokio::test]
async fn an_unknown_policy_is_no_such_entity() {
    let expected = (404, "NoSuchEntity", "The role policy with name p cannot be found.");
    refuses("GetRolePolicy", &[ROLE_NAME, ("PolicyName", "p")], expected, "iam.no_policy").await;
    refuses("DeleteRolePolicy", &[ROLE_NAME, ("PolicyName", "p")], expected, "iam.no_policy").await;
}

#[tokio::test]
async fn a_role_is_not_named_with_its_path() {
    let message = "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-";
    let expected = (400, "ValidationError", message);
    refuses("GetRole", &[("RoleName", "vault/demo")], expected, "iam.name").await;
}

#[tokio::test]
async fn a_missing_parameter_is_named() {
    let message = "1 validation error detected: Value null at 'policyDocument' failed to satisfy constraint: Member must not be null";
    let parameters = [ROLE_NAME, ("PolicyName", "p")];
    refuses("PutRolePolicy", &parameters, (400, "ValidationError", message), "iam.missing_parameter").await;
}

#[tokio::test]
async fn a_role_name_of_65_characters_is_out_of_bounds() {
    let name = "r".repeat(65);
    let message = format!(
        "1 validation error detected: Value '{name}' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"
    );
    refuses("GetRole", &[("RoleName", &name)], (400, "ValidationError", &message), "iam.bounds").await;
}

#[tokio::test]
async fn another_action_of_iam_is_not_known() {
    let message = "Could not find operation CreateRole for version 2010-05-08";
    refuses("CreateRole", &[ROLE_NAME], (400, "InvalidAction", message), "caller.action").await;
}

#[tokio::test]
async fn a_policy_that_is_no_policy_is_malformed() {
    refuses_document("{", "Syntax errors in policy.").await;
    refuses_document(&policy(json!([])).to_string(), "Syntax errors in policy.").await;
}

#[tokio::test]
async fn a_statement_id_with_a_hyphen_is_malformed() {
    let document = policy(json!([statement("iamra-5a2b")])).to_string();
    let message = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*";
    refuses_document(&document, message).await;
}

#[tokio::test]
async fn two_statements_of_one_id_are_malformed() {
    let document = policy(json!([statement("A"), statement("A")])).to_string();
    refuses_document(&document, "Statement IDs (SID) in a single policy must be unique.").await;
}

#[tokio::test]
async fn a_principal_in_an_inline_policy_is_malformed() {
    let mut with = statement("A");
    with["Principal"] = "*".into();
    let document = policy(json!([with])).to_string();
    refuses_document(&document, "Policy document should not specify a principal.").await;
}

#[tokio::test]
async fn what_the_emulator_does_not_evaluate_is_not_stored() {
    let mut with = statement("A");
    with["Condition"] = json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } });
    let document = policy(json!([with])).to_string();
    let message = "condition operator \"IpAddress\" is not evaluated by this emulator";
    refuses_document(&document, message).await;
}

/// A policy of exactly `size` characters that count, and some white space that does not.
fn filled(size: usize) -> String {
    let empty = policy(json!([statement("")])).to_string();
    let text = policy(json!([statement(&"a".repeat(size - empty.len()))])).to_string();
    text.replace(',', ",\n    ")
}

#[tokio::test]
async fn all_inline_policies_of_a_role_share_10240_characters() {
    let world = World::start().await;
    assert_eq!(put(&world, "foreign", &filled(10_000)).await.status, 200);
    assert_eq!(put(&world, "ours", &filled(240)).await.status, 200, "exactly the limit");

    let answer = put(&world, "ours", &filled(241)).await;

    let message = "Maximum policy size of 10240 bytes exceeded for role demo";
    assert_refused(&world, &answer, (409, "LimitExceeded", message), "iam.limit").await;
}

#[tokio::test]
async fn a_service_linked_role_is_awss_own() {
    let world = World::start_with(|state| {
        state["roles"][0]["path"] = "/aws-service-role/rolesanywhere.amazonaws.com/".into();
    })
    .await;

    let answer = put(&world, "p", &document()).await;

    let message =
        "Cannot perform the operation on the protected role 'demo' - this role is only modifiable by AWS";
    assert_refused(&world, &answer, (400, "UnmodifiableEntity", message), "iam.protected_role").await;
}

#[tokio::test]
async fn a_session_may_do_to_its_role_what_its_role_may() {
    let allow = json!([{ "Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": ROLE }]);
    let world = World::start_with(permitted(allow)).await;
    let session = world.session(&ROOT.device("vault")).await;
    let document = document();
    let parameters = [ROLE_NAME, ("PolicyName", "p"), ("PolicyDocument", document.as_str())];

    let put = world.iam_as(&session, "PutRolePolicy", &parameters).await;
    let read = world.iam_as(&session, "GetRolePolicy", &parameters[..2]).await;

    assert_eq!(put.status, 200, "{}", put.text());
    let message = format!(
        "User: {} is not authorized to perform: iam:GetRolePolicy on resource: role demo with an explicit deny in an identity-based policy",
        session.assumed_role_arn
    );
    assert_refused(&world, &read, (403, "AccessDenied", &message), "iam.denied").await;
}

#[tokio::test]
async fn a_permission_that_lacks_is_named() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("vault")).await;

    let answer = world.iam_as(&session, "GetRolePolicy", &[ROLE_NAME, ("PolicyName", "p")]).await;

    let message = format!(
        "User: {} is not authorized to perform: iam:GetRolePolicy on resource: role demo because no identity-based policy allows the iam:GetRolePolicy action",
        session.assumed_role_arn
    );
    assert_refused(&world, &answer, (403, "AccessDenied", &message), "iam.denied").await;
}

#[tokio::test]
async fn iam_is_signed_for_its_own_region() {
    let world = World::start().await;
    let mut call =
        SignedCall::iam(world.client.clone(), &world.url(), management_keys(), "GetRole", &[ROLE_NAME]);
    call.region = "eu-central-1";

    let answer = call.send().await;

    assert_eq!((answer.status, answer.element("Code").as_str()), (403, "SignatureDoesNotMatch"));
}

#[tokio::test]
async fn iam_throttles_as_told() {
    let world = World::start().await;
    world.put_knobs(json!({ "iam_throttle_next": 1, "iam_tps": 1 })).await;

    let first = world.iam("GetRole", &[ROLE_NAME]).await;
    let second = world.iam("GetRole", &[ROLE_NAME]).await;

    assert_refused(&world, &first, (400, "Throttling", "Rate exceeded"), "iam.throttled").await;
    assert_refused(&world, &second, (400, "Throttling", "Rate exceeded"), "iam.throttled").await;
}

#[tokio::test]
async fn iam_fails_as_told() {
    let world = World::start().await;
    world.put_knobs(json!({ "iam_fail_next": { "count": 1, "status": 503 } })).await;

    let first = world.iam("GetRole", &[ROLE_NAME]).await;
    let second = world.iam("GetRole", &[ROLE_NAME]).await;

    assert_refused(&world, &first, (503, "ServiceFailure", "Service failure"), "iam.unavailable").await;
    assert_eq!(second.status, 200);
}
