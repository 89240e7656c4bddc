//! Conditions of a role's trust policy that must hold, and those that must not.

use crate::pki::{Device, Name, Template};
use crate::world::{ACCOUNT, ACTIONS, ANCHOR, ROOT, World, on_condition, trust_policy};
use serde_json::{Value, json};

async fn outcome(condition: Value, device: &Device) -> String {
    let world = World::start_with(on_condition(condition)).await;
    let answer = world.call(device).send().await;
    world.log_entry(&answer).await["rule"].as_str().unwrap().to_owned()
}

async fn holds(condition: Value, device: &Device) {
    assert_eq!(outcome(condition, device).await, "");
}

async fn fails(condition: Value, device: &Device) {
    assert_eq!(outcome(condition, device).await, "role.trust_policy_condition");
}

fn payments() -> Device {
    let subject = Name::common("payments").and("OU", "Europe").and("OU", "Berlin");
    let template = Template { subject, ..Template::leaf("") };
    ROOT.device_from(template.with_uri("spiffe://prod/ns/payments/sa/api"))
}

#[tokio::test]
async fn the_anchors_own_arn_is_the_source() {
    holds(json!({ "ArnEquals": { "aws:SourceArn": ANCHOR } }), &payments()).await;
}

#[tokio::test]
async fn the_source_arn_may_have_a_wildcard() {
    let pattern = format!("arn:aws:rolesanywhere:eu-central-1:{ACCOUNT}:trust-anchor/*");
    holds(json!({ "ArnLike": { "aws:SourceArn": pattern } }), &payments()).await;
}

#[tokio::test]
async fn the_account_is_the_source_account() {
    holds(json!({ "StringEquals": { "aws:SourceAccount": ACCOUNT } }), &payments()).await;
}

#[tokio::test]
async fn another_source_account_fails() {
    fails(json!({ "StringEquals": { "aws:SourceAccount": "444455556666" } }), &payments()).await;
}

#[tokio::test]
async fn the_common_name_matches_its_tag() {
    holds(json!({ "StringEquals": { "aws:PrincipalTag/x509Subject/CN": "payments" } }), &payments()).await;
}

#[tokio::test]
async fn a_value_matches_in_its_own_case_only() {
    fails(json!({ "StringEquals": { "aws:PrincipalTag/x509Subject/CN": "Payments" } }), &payments()).await;
}

#[tokio::test]
async fn a_key_matches_in_any_case() {
    holds(json!({ "StringEquals": { "AWS:principaltag/X509subject/cn": "payments" } }), &payments()).await;
}

#[tokio::test]
async fn joined_units_match_as_one_value() {
    let key = "aws:PrincipalTag/x509Subject/OU";
    holds(json!({ "StringEquals": { key: "Europe/Berlin" } }), &payments()).await;
}

#[tokio::test]
async fn one_unit_of_several_does_not_match_alone() {
    fails(json!({ "StringEquals": { "aws:PrincipalTag/x509Subject/OU": "Europe" } }), &payments()).await;
}

#[tokio::test]
async fn a_uri_matches_a_pattern() {
    let key = "aws:PrincipalTag/x509SAN/URI";
    holds(json!({ "StringLike": { key: "spiffe://prod/ns/payments/*" } }), &payments()).await;
}

#[tokio::test]
async fn a_uri_outside_the_pattern_fails() {
    let key = "aws:PrincipalTag/x509SAN/URI";
    fails(json!({ "StringLike": { key: "spiffe://prod/ns/payroll/*" } }), &payments()).await;
}

#[tokio::test]
async fn one_of_several_values_is_enough() {
    let key = "aws:PrincipalTag/x509Subject/CN";
    holds(json!({ "StringEquals": { key: ["payroll", "payments"] } }), &payments()).await;
}

#[tokio::test]
async fn every_key_of_a_condition_must_hold() {
    let tags = json!({
        "aws:PrincipalTag/x509Subject/CN": "payments",
        "aws:PrincipalTag/x509Issuer/CN": "Another Root",
    });
    fails(json!({ "StringEquals": tags }), &payments()).await;
}

#[tokio::test]
async fn every_operator_of_a_condition_must_hold() {
    let condition = json!({
        "StringEquals": { "aws:PrincipalTag/x509Subject/CN": "payments" },
        "ArnEquals": { "aws:SourceArn": ANCHOR.replace("5a2b6c1e", "00000000") },
    });
    fails(condition, &payments()).await;
}

#[tokio::test]
async fn the_source_identity_matches_with_its_prefix() {
    holds(json!({ "StringEquals": { "sts:SourceIdentity": "CN=payments" } }), &payments()).await;
}

#[tokio::test]
async fn the_source_identity_fails_without_its_prefix() {
    fails(json!({ "StringEquals": { "sts:SourceIdentity": "payments" } }), &payments()).await;
}

#[tokio::test]
async fn a_negated_condition_fails_on_the_value_itself() {
    fails(json!({ "StringNotEquals": { "aws:PrincipalTag/x509Subject/CN": "payments" } }), &payments()).await;
}

/// The trap AWS warns of: a tag that was never set satisfies every negated condition.
#[tokio::test]
async fn a_negated_condition_holds_on_a_tag_that_was_not_set() {
    let device = ROOT.device_from(Template::leaf("payments").with_dns("*.example.com"));
    holds(json!({ "StringNotEquals": { "aws:PrincipalTag/x509SAN/DNS": "*.example.com" } }), &device).await;
}

#[tokio::test]
async fn an_explicit_deny_wins() {
    let world = World::start_with(|state| {
        let mut policy = trust_policy(&ACTIONS, &Value::Null);
        let mut deny = policy["Statement"][0].clone();
        deny["Effect"] = "Deny".into();
        policy["Statement"].as_array_mut().unwrap().push(deny);
        state["roles"][0]["trust_policy"] = policy;
    })
    .await;

    let answer = world.call(&payments()).send().await;

    assert_eq!(world.log_entry(&answer).await["rule"], "role.trust_policy_deny");
}

#[tokio::test]
async fn the_actions_may_stand_in_statements_of_their_own() {
    let world = World::start_with(|state| {
        let statements: Vec<_> = ACTIONS
            .iter()
            .map(|action| trust_policy(&[action], &Value::Null)["Statement"][0].clone())
            .collect();
        state["roles"][0]["trust_policy"] = json!({ "Version": "2012-10-17", "Statement": statements });
    })
    .await;

    let answer = world.call(&payments()).send().await;

    answer.session();
}
