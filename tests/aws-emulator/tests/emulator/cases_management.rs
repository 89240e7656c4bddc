//! Cases about the management API: what may become a trust anchor or a CRL.

use crate::client::Answer;
use crate::expectations::refusal;
use crate::pki::{Authority, Key, Template, only};
use crate::world::{ANCHOR, ANCHOR_ID, ROOT, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsages};

fn anchor_body(pem: &str) -> Value {
    let source = json!({ "sourceType": "CERTIFICATE_BUNDLE", "sourceData": { "x509CertificateData": pem } });
    json!({ "name": "second", "enabled": true, "source": source })
}

fn crl_body(name: &str, data: &[u8]) -> Value {
    json!({ "name": name, "enabled": true, "trustAnchorArn": ANCHOR, "crlData": STANDARD.encode(data) })
}

async fn refuses_anchor(pem: &str, case: &str) {
    let world = World::start().await;

    let answer = world.create("/trustanchors", &anchor_body(pem)).await;

    world.refuses(&answer, &refusal(case)).await;
    assert_eq!(anchors(&world).await, 1, "the refused anchor was stored");
}

async fn anchors(world: &World) -> usize {
    let list = world.manage(reqwest::Method::GET, "/trustanchors", &Value::Null).await.json();
    list["trustAnchors"].as_array().unwrap().len()
}

fn self_signed(template: Template) -> String {
    Authority::self_signed(template, Key::p256()).certificate.pem()
}

fn three_roots() -> String {
    (1..=3).map(|number| Authority::root(&format!("Root {number}")).certificate.pem()).collect()
}

#[tokio::test]
async fn case_58_an_anchor_that_is_no_ca_is_refused() {
    let basic_constraints = Some(BasicConstraints { ca: false, path_len_constraint: None });
    refuses_anchor(&self_signed(Template { basic_constraints, ..Template::authority("Not a CA") }), "58")
        .await;
}

#[tokio::test]
async fn case_58_an_anchor_without_cert_sign_is_refused() {
    let key_usage = Some(only(KeyUsages::DigitalSignature));
    refuses_anchor(&self_signed(Template { key_usage, ..Template::authority("No keyCertSign") }), "58").await;
}

#[tokio::test]
async fn case_59_an_anchor_that_is_no_pem_is_refused() {
    refuses_anchor("MIIB this is not PEM", "59").await;
}

#[tokio::test]
async fn case_59_an_anchor_with_escaped_line_feeds_is_refused() {
    refuses_anchor(&ROOT.certificate.pem().replace('\n', "\\n"), "59").await;
}

#[tokio::test]
async fn case_60_an_anchor_of_three_certificates_is_refused() {
    refuses_anchor(&three_roots(), "60").await;
}

#[tokio::test]
async fn case_60_an_update_to_three_certificates_is_refused() {
    let world = World::start().await;
    let source = anchor_body(&three_roots())["source"].clone();
    let path = format!("/trustanchor/{ANCHOR_ID}");

    let answer = world.manage(reqwest::Method::PATCH, &path, &json!({ "source": source })).await;

    world.refuses(&answer, &refusal("60")).await;
    world.session(&ROOT.device("payments")).await;
}

async fn import(world: &World, name: &str) -> Answer {
    world.create("/crls", &crl_body(name, ROOT.crl(&[]).as_bytes())).await
}

#[tokio::test]
async fn case_61_a_third_crl_is_refused() {
    let world = World::start().await;
    assert_eq!(import(&world, "first").await.status, 201);
    assert_eq!(import(&world, "second").await.status, 201);

    let answer = import(&world, "third").await;

    world.refuses(&answer, &refusal("61")).await;
}

#[tokio::test]
async fn case_62_a_crl_over_300000_bytes_is_refused() {
    let world = World::start().await;

    let answer = world.create("/crls", &crl_body("revoked", &vec![0; 300_001])).await;

    world.refuses(&answer, &refusal("62 size").of("300001 bytes")).await;
}

#[tokio::test]
async fn case_62_a_crl_name_with_a_dot_is_refused() {
    let world = World::start().await;

    let answer = import(&world, "revoked.crl").await;

    world.refuses(&answer, &refusal("62 name").of("revoked.crl")).await;
}

#[tokio::test]
async fn case_63_a_crl_for_an_alias_finds_no_anchor() {
    let world = World::start().await;
    let mut body = crl_body("revoked", ROOT.crl(&[]).as_bytes());
    let alias = ANCHOR.replace(&format!("trust-anchor/{ANCHOR_ID}"), "alias/trust-anchor/tests");
    body["trustAnchorArn"] = alias.into();

    let answer = world.create("/crls", &body).await;

    world.refuses(&answer, &refusal("63")).await;
}

#[tokio::test]
async fn an_anchor_made_over_the_api_trusts_its_ca() {
    let world = World::start().await;
    let root = Authority::root("Second Root");

    let answer = world.create("/trustanchors", &anchor_body(&root.certificate.pem())).await;

    assert_eq!(answer.status, 201, "{}", answer.text());
    let arn = answer.json()["trustAnchor"]["trustAnchorArn"].clone();
    world.call(&root.device("payments")).set("trustAnchorArn", arn).send().await.session();
}

#[tokio::test]
async fn a_crl_imported_over_the_api_revokes() {
    let world = World::start().await;
    let device = ROOT.device("payments");
    let crl = ROOT.crl(&[&device.certificate]);

    let imported = world.create("/crls", &crl_body("revoked", crl.as_bytes())).await;

    assert_eq!(imported.status, 201, "{}", imported.text());
    world.refuses(&world.call(&device).send().await, &refusal("12")).await;
}

#[tokio::test]
async fn a_crl_in_der_is_accepted_as_aws_does() {
    let world = World::start().await;
    let device = ROOT.device("payments");
    let crl = ROOT.crl_der(&[&device.certificate]);

    let imported = world.create("/crls", &crl_body("revoked", &crl)).await;

    assert_eq!(imported.status, 201, "{}", imported.text());
    world.refuses(&world.call(&device).send().await, &refusal("12")).await;
}
