//! Cases about the leaf certificate and the header that carries it.

use crate::clock::now;
use crate::expectations::refusal;
use crate::pki::{Authority, Hash, Key, Name, Template, Version, only};
use crate::world::{ROOT, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::Duration;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsages};

fn leaf() -> Template {
    Template::leaf("payments")
}

async fn refuses_leaf(template: Template, case: &str) {
    let world = World::start().await;
    let device = ROOT.device_from(template);

    let answer = world.call(&device).send().await;

    world.refuses(&answer, &refusal(case)).await;
}

async fn refuses_header(value: Option<String>, case: &str) {
    let world = World::start().await;
    let device = ROOT.device("payments");

    let answer = world.call(&device).but(|call| call.certificate_header = value).send().await;

    world.refuses(&answer, &refusal(case)).await;
}

#[tokio::test]
async fn case_03_a_leaf_without_key_usage_is_insufficient() {
    refuses_leaf(Template { key_usage: None, ..leaf() }, "3").await;
}

#[tokio::test]
async fn case_03_a_leaf_without_digital_signature_is_insufficient() {
    let key_usage = Some(only(KeyUsages::KeyEncipherment));
    refuses_leaf(Template { key_usage, ..leaf() }, "3").await;
}

#[tokio::test]
async fn case_04_a_leaf_that_is_a_ca_is_insufficient() {
    let basic_constraints = Some(BasicConstraints { ca: true, path_len_constraint: None });
    refuses_leaf(Template { basic_constraints, ..leaf() }, "4").await;
}

#[tokio::test]
async fn case_05_a_leaf_signed_with_sha_1_is_insufficient() {
    refuses_leaf(Template { hash: Hash::Sha1, ..leaf() }, "5").await;
}

#[tokio::test]
async fn case_05_a_leaf_signed_with_md5_is_insufficient() {
    let root = Authority::self_signed(Template::authority("RSA Root"), Key::rsa_2048());
    let anchor = root.certificate.pem();
    let world =
        World::start_with(|state| state["trust_anchors"][0]["certificates_pem"] = anchor.into()).await;
    let device = root.device_from(Template { hash: Hash::Md5, ..leaf() });

    let answer = world.call(&device).send().await;

    world.refuses(&answer, &refusal("5")).await;
}

#[tokio::test]
async fn case_06_a_version_1_leaf_is_insufficient() {
    refuses_leaf(Template { version: Version::V1, ..leaf() }, "6").await;
}

#[tokio::test]
async fn case_07_a_leaf_with_an_empty_subject_is_refused() {
    refuses_leaf(Template { subject: Name::empty(), ..leaf() }.with_dns("payments.example.com"), "7").await;
}

#[tokio::test]
async fn case_33_an_expired_leaf_is_refused() {
    let not_after = now() - Duration::seconds(30);
    refuses_leaf(Template { not_after, ..leaf() }, "33 expired").await;
}

#[tokio::test]
async fn case_33_a_leaf_that_is_not_valid_yet_is_refused() {
    let not_before = now() + Duration::minutes(2);
    refuses_leaf(Template { not_before, ..leaf() }, "33 early").await;
}

#[tokio::test]
async fn case_35_a_request_without_a_certificate_is_refused() {
    refuses_header(None, "35").await;
}

#[tokio::test]
async fn case_36_a_certificate_that_is_not_base64_is_refused() {
    refuses_header(Some("not*base64".to_owned()), "36").await;
}

#[tokio::test]
async fn case_36_a_certificate_as_pem_text_is_refused() {
    let pem = ROOT.device("payments").certificate.pem().replace('\n', "");
    refuses_header(Some(pem), "36").await;
}

#[tokio::test]
async fn case_36_two_certificates_in_one_header_are_refused() {
    let mut two = ROOT.device("payments").certificate.der;
    two.extend(ROOT.device("payroll").certificate.der);
    refuses_header(Some(STANDARD.encode(two)), "36").await;
}

#[tokio::test]
async fn case_36_bytes_after_the_certificate_are_refused() {
    let mut trailing = ROOT.device("payments").certificate.der;
    trailing.extend([0, 0]);
    refuses_header(Some(STANDARD.encode(trailing)), "36").await;
}

#[tokio::test]
async fn case_51_a_leaf_with_an_ed25519_key_is_refused() {
    let world = World::start().await;
    let device = ROOT.device_with_key(leaf(), Key::ed25519());

    let answer = world.call(&device).send().await;

    world.refuses(&answer, &refusal("51")).await;
}

#[tokio::test]
async fn case_51_a_leaf_with_a_small_rsa_key_is_refused_as_well() {
    let world = World::start().await;
    let device = ROOT.device_with_key(leaf(), Key::rsa_1024());

    let answer = world.call(&device).send().await;

    world.refuses(&answer, &refusal("51")).await;
}
