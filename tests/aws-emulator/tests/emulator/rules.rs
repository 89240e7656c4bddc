//! Refusals beyond the 63 cases: each rule of the emulator's table that no other file provokes, provoked here.

use crate::client::{Answer, Call, Keys, SignedCall};
use crate::clock::now;
use crate::pki::certificate::extension;
use crate::pki::{Authority, Device, Hash, Key, Name, Template};
use crate::world::{ANCHOR, ANCHOR_ID, PROFILE, ROLE, ROOT, World, management_keys};
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

/// An unknown critical extension.
fn unknown_extension() -> x509_cert::ext::Extension {
    extension("1.3.6.1.4.1.99999.1", true, &5_u8)
}

async fn assert_rule(world: &World, answer: &Answer, rule: &str) {
    assert_eq!(world.log_entry(answer).await["rule"], rule, "{} {}", answer.status, answer.text());
    assert!(answer.status >= 400, "{rule} is not a refusal");
}

/// A good request, spoiled before it is signed.
async fn fires(change: impl FnOnce(&mut Call), rule: &str) {
    let world = World::start().await;

    let answer = world.call(&ROOT.device("payments")).but(change).send().await;

    assert_rule(&world, &answer, rule).await;
}

async fn fires_for(device: &Device, rule: &str) {
    let world = World::start().await;

    let answer = world.call(device).send().await;

    assert_rule(&world, &answer, rule).await;
}

async fn fires_in(change: impl FnOnce(&mut Value), rule: &str) {
    let world = World::start_with(change).await;

    let answer = world.call(&ROOT.device("payments")).send().await;

    assert_rule(&world, &answer, rule).await;
}

fn put(name: &'static str, value: Value) -> impl FnOnce(&mut Call) {
    move |call| drop(call.parameters.insert(name.to_owned(), value))
}

/// A request signed and then sent with something added to its query.
async fn sends_in_query(more: &str) -> (World, Answer) {
    let world = World::start().await;
    let mut prepared = world.call(&ROOT.device("payments")).sign();
    prepared.url.push_str(more);
    let answer = prepared.send().await;
    (world, answer)
}

#[tokio::test]
async fn a_parameter_given_twice_is_refused() {
    let (world, answer) = sends_in_query("?roleArn=a&roleArn=b").await;

    assert_rule(&world, &answer, "request.duplicate_parameter").await;
}

#[tokio::test]
async fn a_parameter_that_differs_between_query_and_body_is_refused() {
    let (world, answer) = sends_in_query(&format!("?roleArn={ROLE}-other")).await;

    assert_rule(&world, &answer, "request.conflicting_parameter").await;
}

#[tokio::test]
async fn a_parameter_nobody_knows_is_refused() {
    fires(put("durationInSeconds", json!(900)), "request.unknown_parameter").await;
}

#[tokio::test]
async fn instance_properties_have_bounds() {
    let value = json!({ "host": "h".repeat(201) });
    fires(put("instanceProperties", value), "request.instance_properties").await;
}

#[tokio::test]
async fn a_leaf_of_serial_zero_is_insufficient() {
    let device = ROOT.device_from(Template { serial: vec![0], ..Template::leaf("payments") });
    fires_for(&device, "leaf.serial").await;
}

#[tokio::test]
async fn a_critical_extension_of_the_leaf_that_nobody_knows_is_insufficient() {
    let extra = vec![unknown_extension()];
    let device = ROOT.device_from(Template { extra, ..Template::leaf("payments") });
    fires_for(&device, "leaf.critical_extension").await;
}

async fn fires_below(intermediate: Template, rule: &str) {
    let issuer = ROOT.intermediate(intermediate);
    fires_for(&issuer.device("payments").through(&[&issuer]), rule).await;
}

#[tokio::test]
async fn an_expired_intermediate_is_untrusted() {
    let not_after = now() - Duration::minutes(1);
    fires_below(Template { not_after, ..Template::authority("Level 1") }, "chain.expired").await;
}

#[tokio::test]
async fn an_intermediate_signed_with_sha_1_is_untrusted() {
    let hash = Hash::Sha1;
    fires_below(Template { hash, ..Template::authority("Level 1") }, "chain.weak_signature").await;
}

#[tokio::test]
async fn a_critical_extension_of_an_issuer_that_nobody_knows_is_untrusted() {
    let extra = vec![unknown_extension()];
    fires_below(Template { extra, ..Template::authority("Level 1") }, "chain.critical_extension").await;
}

async fn alters(header: &str, value: &str, rule: &str) {
    let world = World::start().await;

    let answer = world.call(&ROOT.device("payments")).sign().alter(header, value).send().await;

    assert_rule(&world, &answer, rule).await;
}

#[tokio::test]
async fn an_authorization_that_does_not_parse_is_refused() {
    alters("authorization", "AWS4-X509-ECDSA-SHA256 Signature=00", "signature.missing").await;
}

#[tokio::test]
async fn a_signing_date_that_is_none_is_refused() {
    alters("x-amz-date", "yesterday", "signature.date").await;
}

#[tokio::test]
async fn a_profile_without_roles_is_empty() {
    fires_in(|state| state["profiles"][0]["role_arns"] = json!([]), "profile.empty").await;
}

#[tokio::test]
async fn a_role_that_the_profile_lists_must_exist() {
    fires_in(|state| state["roles"] = json!([]), "role.unknown").await;
}

#[tokio::test]
async fn a_weak_certificate_is_no_anchor() {
    let template = Template { hash: Hash::Sha1, ..Template::authority("Weak") };
    let pem = Authority::self_signed(template, Key::p256()).certificate.pem();
    let source = json!({ "sourceType": "CERTIFICATE_BUNDLE", "sourceData": { "x509CertificateData": pem } });
    let world = World::start().await;

    let answer = world.create("/trustanchors", &json!({ "name": "weak", "source": source })).await;

    assert_rule(&world, &answer, "management.weak_certificate").await;
}

#[tokio::test]
async fn a_list_of_another_ca_is_bad_data() {
    let data = BASE64_STANDARD.encode(Authority::root("Stranger").crl(&[]));
    let world = World::start().await;

    let body = json!({ "name": "revoked", "crlData": data, "trustAnchorArn": ANCHOR });
    let answer = world.create("/crls", &body).await;

    assert_rule(&world, &answer, "management.crl_data").await;
}

#[tokio::test]
async fn a_resource_that_is_not_there_is_not_found() {
    let world = World::start().await;
    let path = format!("/trustanchor/{}", PROFILE.rsplit('/').next().unwrap());

    let answer = world.manage(Method::GET, &path, &Value::Null).await;

    assert_rule(&world, &answer, "management.not_found").await;
    assert_eq!(answer.error_type(), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_source_of_another_type_is_out_of_bounds() {
    let world = World::start().await;
    let source = json!({ "source": { "sourceType": "SELF_SIGNED_REPOSITORY", "sourceData": {} } });

    let answer = world.manage(Method::PATCH, &format!("/trustanchor/{ANCHOR_ID}"), &source).await;

    assert_rule(&world, &answer, "management.bounds").await;
}

async fn unsigned(path: &str, body: &'static str) -> (World, Answer) {
    let world = World::start().await;
    let request = world.client.post(format!("{}{path}", world.url())).body(body);
    let answer = Answer::read(request.send().await.unwrap()).await;
    (world, answer)
}

#[tokio::test]
async fn a_management_call_without_a_signature_is_refused() {
    let (world, answer) = unsigned("/trustanchors", "{}").await;

    assert_rule(&world, &answer, "management.missing").await;
}

#[tokio::test]
async fn an_iam_call_without_a_signature_is_refused() {
    let (world, answer) = unsigned("/", "Action=GetRole&Version=2010-05-08&RoleName=demo").await;

    assert_rule(&world, &answer, "caller.missing").await;
}

#[tokio::test]
async fn an_iam_call_whose_authorization_does_not_parse_is_incomplete() {
    let world = World::start().await;
    let request = world.client.post(world.url()).header("authorization", "AWS4-HMAC-SHA256");

    let response = request.body("Action=GetRole&Version=2010-05-08&RoleName=demo").send().await.unwrap();

    assert_rule(&world, &Answer::read(response).await, "caller.incomplete").await;
}

#[tokio::test]
async fn an_iam_call_with_an_unknown_key_is_invalid() {
    let world = World::start().await;
    let keys = Keys { access_key_id: "AKIAUNKNOWN".to_owned(), ..management_keys() };

    let answer = world.iam_as(keys, "GetRole", &[("RoleName", "demo")]).await;

    assert_rule(&world, &answer, "caller.token").await;
}

#[tokio::test]
async fn an_iam_call_of_a_session_that_is_over_is_expired() {
    let world = World::start().await;
    let keys = Keys::from(&world.session(&ROOT.device("vault")).await);
    world.put_knobs(json!({ "clock_offset_seconds": 3605 })).await;
    let parameters = [("RoleName", "demo")];
    let mut call = SignedCall::iam(world.client.clone(), &world.url(), keys, "GetRole", &parameters);
    call.date += Duration::seconds(3605);

    let answer = call.send().await;

    assert_rule(&world, &answer, "caller.expired").await;
}

#[tokio::test]
async fn more_than_fifty_session_tags_are_too_many() {
    let subject = (0..60).fold(Name::common("payments"), |name, index| {
        name.and(format!("1.3.6.1.4.1.99999.{index}").leak(), "x")
    });
    let device = ROOT.device_from(Template { subject, ..Template::leaf("payments") });
    fires_for(&device, "role.too_many_tags").await;
}

#[tokio::test]
async fn a_call_that_a_knob_fails_is_unavailable() {
    let world = World::start().await;
    world.put_knobs(json!({ "fail_next": { "count": 1, "status": 503 } })).await;

    let answer = world.call(&ROOT.device("payments")).send().await;

    assert_rule(&world, &answer, "unavailable").await;
}
