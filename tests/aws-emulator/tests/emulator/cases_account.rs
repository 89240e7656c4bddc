//! Cases about the contents of the account: anchors, profiles, roles and their trust policies.

use crate::client::Call;
use crate::expectations::refusal;
use crate::pki::Template;
use crate::world::{ACTIONS, ANCHOR, PROFILE, ROLE, ROOT, World, on_condition, trust_policy};
use serde_json::{Value, json};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// A good request of the leaf `payments` into a state that `change` has edited.
async fn refuses_in(change: impl FnOnce(&mut Value), case: &str) {
    let world = World::start_with(change).await;

    let answer = world.call(&ROOT.device("payments")).send().await;

    world.refuses(&answer, &refusal(case)).await;
}

async fn refuses_request(change: impl FnOnce(Call) -> Call, case: &str) {
    let world = World::start().await;

    let answer = change(world.call(&ROOT.device("payments"))).send().await;

    world.refuses(&answer, &refusal(case)).await;
}

fn replace_id(arn: &str) -> String {
    format!("{}/{NOBODY}", arn.rsplit_once('/').unwrap().0)
}

#[tokio::test]
async fn case_15_an_unknown_trust_anchor_is_not_found() {
    refuses_request(|call| call.set("trustAnchorArn", replace_id(ANCHOR)), "15").await;
}

#[tokio::test]
async fn case_16_an_unknown_profile_is_invalid() {
    refuses_request(|call| call.set("profileArn", replace_id(PROFILE)), "16").await;
}

#[tokio::test]
async fn case_17_a_role_outside_the_profile_is_refused() {
    refuses_request(|call| call.set("roleArn", format!("{ROLE}-other")), "17").await;
}

fn only(actions: &'static [&'static str]) -> impl FnOnce(&mut Value) {
    |state| state["roles"][0]["trust_policy"] = trust_policy(actions, &Value::Null)
}

#[tokio::test]
async fn case_18_a_role_without_set_source_identity_is_not_assumed() {
    refuses_in(only(&["sts:AssumeRole", "sts:TagSession"]), "18").await;
}

#[tokio::test]
async fn case_19_a_role_without_tag_session_is_not_assumed() {
    refuses_in(only(&["sts:AssumeRole", "sts:SetSourceIdentity"]), "19 tag").await;
}

#[tokio::test]
async fn case_19_a_role_without_assume_role_is_not_assumed() {
    refuses_in(only(&["sts:TagSession", "sts:SetSourceIdentity"]), "19 assume").await;
}

#[tokio::test]
async fn case_19_a_role_that_trusts_another_service_is_not_assumed() {
    let other = |state: &mut Value| {
        let mut policy = trust_policy(&ACTIONS, &Value::Null);
        policy["Statement"][0]["Principal"]["Service"] = "ec2.amazonaws.com".into();
        state["roles"][0]["trust_policy"] = policy;
    };
    refuses_in(other, "19 assume").await;
}

#[tokio::test]
async fn case_20_a_condition_on_another_common_name_is_false() {
    let condition = json!({ "StringEquals": { "aws:PrincipalTag/x509Subject/CN": "payroll" } });
    refuses_in(on_condition(condition), "20").await;
}

#[tokio::test]
async fn case_21_a_source_arn_of_another_anchor_is_false() {
    let condition = json!({ "ArnEquals": { "aws:SourceArn": replace_id(ANCHOR) } });
    refuses_in(on_condition(condition), "21").await;
}

#[tokio::test]
async fn case_22_a_condition_on_an_unmapped_attribute_is_false() {
    let condition = json!({ "StringEquals": { "aws:PrincipalTag/x509Subject/CN": "payments" } });
    let unmapped = |state: &mut Value| {
        on_condition(condition)(state);
        state["profiles"][0]["attribute_mappings"] = json!({ "x509Issuer": ["*"] });
    };
    refuses_in(unmapped, "22").await;
}

#[tokio::test]
async fn case_23_a_value_that_is_no_tag_is_named_when_the_condition_fails() {
    let condition = json!({ "StringEquals": { "aws:PrincipalTag/x509SAN/DNS": "*.example.com" } });
    let world = World::start_with(on_condition(condition)).await;
    let device = ROOT.device_from(Template::leaf("payments").with_dns("*.example.com"));

    let answer = world.call(&device).send().await;

    world.refuses(&answer, &refusal("23").of("Issuer: [  ]; Subject: [  ]; SAN: [ DNS ]")).await;
}

#[tokio::test]
async fn case_24_a_profile_longer_than_the_roles_maximum_is_refused() {
    refuses_in(|state| state["profiles"][0]["duration_seconds"] = 7200.into(), "24").await;
}

#[tokio::test]
async fn case_29_a_role_of_another_account_is_refused() {
    refuses_request(|call| call.set("roleArn", ROLE.replace("111122223333", "444455556666")), "29").await;
}

#[tokio::test]
async fn case_29_an_anchor_of_another_account_than_the_profile_is_refused() {
    refuses_request(|call| call.set("trustAnchorArn", ANCHOR.replace("111122223333", "444455556666")), "29")
        .await;
}

#[tokio::test]
async fn case_30_an_anchor_of_another_region_is_not_found() {
    refuses_request(
        |call| call.set("trustAnchorArn", ANCHOR.replace("eu-central-1", "us-east-1")),
        "30 anchor",
    )
    .await;
}

#[tokio::test]
async fn case_30_a_profile_of_another_region_is_invalid() {
    refuses_request(
        |call| call.set("profileArn", PROFILE.replace("eu-central-1", "us-east-1")),
        "30 profile",
    )
    .await;
}

#[tokio::test]
async fn case_31_a_disabled_trust_anchor_gives_no_session() {
    refuses_in(|state| state["trust_anchors"][0]["enabled"] = false.into(), "31").await;
}

#[tokio::test]
async fn case_32_a_disabled_profile_gives_no_session() {
    refuses_in(|state| state["profiles"][0]["enabled"] = false.into(), "32").await;
}

#[tokio::test]
async fn case_54_a_session_policy_over_the_packed_size_is_refused() {
    let resources: Vec<_> =
        (0..60).map(|index| format!("arn:aws:s3:::bucket-{index:04}-{NOBODY}/*")).collect();
    let statement = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": resources });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    refuses_in(|state| state["profiles"][0]["session_policy"] = policy, "54").await;
}
