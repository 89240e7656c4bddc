//! Sessions revoked by inline policies of their role: the next signed call is refused, and the neighbours go on.

use crate::client::{Answer, Session};
use crate::pki::Template;
use crate::world::{ROLE, ROOT, World, policy};
use serde_json::{Value, json};

async fn put(world: &World, condition: &Value) {
    let deny = json!([{ "Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": condition }]);
    let document = policy(deny).to_string();
    let parameters = [("RoleName", "demo"), ("PolicyName", "revoked"), ("PolicyDocument", document.as_str())];
    let answer = world.iam("PutRolePolicy", &parameters).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn who(world: &World, session: &Session) -> Answer {
    world.caller_identity(session).send().await
}

fn assert_revoked(answer: &Answer, session: &Session) {
    assert_eq!((answer.status, answer.element("Code").as_str()), (403, "AccessDenied"), "{}", answer.text());
    let expected = format!(
        "User: {} is not authorized to perform: sts:GetCallerIdentity with an explicit deny in an identity-based policy",
        session.assumed_role_arn
    );
    assert_eq!(answer.element("Message"), expected);
}

/// Denies on a condition that names one of two sessions; that one is refused and its neighbour is not.
async fn hits_only_the_first(condition: impl FnOnce(&World, &Session, &str) -> Value) {
    let world = World::start().await;
    let (first, second) =
        (world.session(&ROOT.device("payments")).await, world.session(&ROOT.device("payroll")).await);
    let user_id = world.session_page(&first).await["user_id"].as_str().unwrap().to_owned();

    put(&world, &condition(&world, &first, &user_id)).await;

    assert_revoked(&who(&world, &first).await, &first);
    assert_eq!(who(&world, &second).await.status, 200);
}

#[tokio::test]
async fn a_deny_of_one_user_id_spares_the_neighbour() {
    hits_only_the_first(|_, _, user_id| json!({ "StringEquals": { "aws:userid": user_id } })).await;
}

#[tokio::test]
async fn a_deny_of_one_serial_spares_the_neighbour() {
    let pattern = |_: &World, session: &Session, _: &str| json!({ "StringLike": { "aws:userid": [format!("*:{}", session.name())] } });
    hits_only_the_first(pattern).await;
}

#[tokio::test]
async fn a_deny_of_one_source_identity_spares_the_neighbour() {
    hits_only_the_first(|_, _, _| json!({ "StringEquals": { "aws:SourceIdentity": "CN=payments" } })).await;
}

#[tokio::test]
async fn a_deny_of_one_tag_spares_the_neighbour() {
    let tag = json!({ "StringEquals": { "aws:PrincipalTag/x509Subject/CN": "payments" } });
    hits_only_the_first(|_, _, _| tag).await;
}

/// On AWS this key is there only while a role is being assumed.
#[tokio::test]
async fn a_deny_on_the_source_identity_of_sts_hits_nobody() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;

    put(&world, &json!({ "StringLike": { "sts:SourceIdentity": "*" } })).await;

    assert_eq!(who(&world, &session).await.status, 200);
}

#[tokio::test]
async fn a_deny_of_the_roles_arn_hits_its_sessions() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;

    put(&world, &json!({ "ArnEquals": { "aws:PrincipalArn": ROLE } })).await;
    let answer = who(&world, &session).await;

    assert_revoked(&answer, &session);
    assert_eq!(world.log_entry(&answer).await["rule"], "caller.explicit_deny");
}

#[tokio::test]
async fn the_break_glass_ends_what_was_issued_before_it_and_nothing_after() {
    let world = World::start().await;
    let (first, second) =
        (world.session(&ROOT.device("payments")).await, world.session(&ROOT.device("payroll")).await);
    let cut = crate::clock::now() + time::Duration::seconds(1);
    let cut = cut.format(&time::format_description::well_known::Rfc3339).unwrap();

    put(&world, &json!({ "DateLessThan": { "aws:TokenIssueTime": cut } })).await;
    world.put_knobs(json!({ "clock_offset_seconds": 3 })).await;
    let later = world.session(&ROOT.device("payments")).await;

    assert_revoked(&who(&world, &first).await, &first);
    assert_revoked(&who(&world, &second).await, &second);
    assert_eq!(who(&world, &later).await.status, 200);
}

#[tokio::test]
async fn a_policy_that_is_taken_away_revokes_no_more() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;
    put(&world, &json!({ "StringLike": { "aws:userid": "*" } })).await;

    let answer = world.iam("DeleteRolePolicy", &[("RoleName", "demo"), ("PolicyName", "revoked")]).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(who(&world, &session).await.status, 200);
}

#[tokio::test]
async fn a_changed_policy_is_in_force_after_iams_delay() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;
    world.put_knobs(json!({ "policy_delay_ms": 3_600_000 })).await;

    put(&world, &json!({ "StringLike": { "aws:userid": "*" } })).await;

    assert_eq!(who(&world, &session).await.status, 200, "the delay is an hour");
}

#[tokio::test]
async fn a_role_with_a_path_shows_it_in_its_own_arn_only() {
    let arn = "arn:aws:iam::111122223333:role/vault/apps/demo";
    let world = World::start_with(|state| {
        state["roles"][0]["path"] = "/vault/apps/".into();
        state["profiles"][0]["role_arns"] = json!([arn]);
    })
    .await;
    let device = ROOT.device_from(Template::leaf("payments"));
    let session = world.call(&device).set("roleArn", arn).send().await.session();

    let identity = who(&world, &session).await;
    let role = world.iam("GetRole", &[("RoleName", "demo")]).await;

    let (id, name) = (role.element("RoleId"), session.name());
    assert_eq!(identity.element("Arn"), format!("arn:aws:sts::111122223333:assumed-role/demo/{name}"));
    assert_eq!(identity.element("UserId"), format!("{id}:{name}"));
    assert_eq!((role.element("Arn").as_str(), role.element("Path").as_str()), (arn, "/vault/apps/"));
}
