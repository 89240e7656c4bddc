//! Cases about the path from the leaf to the trust anchor, and about revocation.

use crate::clock::now;
use crate::expectations::refusal;
use crate::pki::{Authority, Certificate, Device, Key, Template, only};
use crate::world::{ROOT, World, crl};
use std::fmt::Write;
use time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsages};

async fn refuses_device(device: &Device, case: &str) {
    let world = World::start().await;

    let answer = world.call(device).send().await;

    world.refuses(&answer, &refusal(case)).await;
}

fn intermediate(common_name: &str) -> Authority {
    ROOT.intermediate(Template::authority(common_name))
}

/// A leaf below `depth` intermediates, sending them all.
fn device_at_depth(depth: usize) -> Device {
    let mut chain = vec![intermediate("Level 1")];
    for level in 1..depth {
        let above = &chain[level - 1];
        chain.push(above.intermediate(Template::authority(&format!("Level {}", level + 1))));
    }
    let sent: Vec<_> = chain.iter().rev().collect();
    chain[depth - 1].device("payments").through(&sent)
}

#[tokio::test]
async fn case_01_a_leaf_of_another_ca_is_untrusted() {
    refuses_device(&Authority::root("Stranger").device("payments"), "1").await;
}

#[tokio::test]
async fn case_01_a_ca_with_the_anchors_name_and_another_key_is_untrusted() {
    refuses_device(&Authority::root("Emulator Test Root").device("payments"), "1").await;
}

#[tokio::test]
async fn case_02_a_missing_intermediate_leaves_the_leaf_untrusted() {
    refuses_device(&intermediate("Level 1").device("payments"), "2").await;
}

#[tokio::test]
async fn case_34_an_expired_anchor_ends_its_leaves() {
    let expired = Template { not_after: now() - Duration::minutes(1), ..Template::authority("Old Root") };
    let root = Authority::self_signed(expired, Key::p256());
    let anchor = root.certificate.pem();
    let world =
        World::start_with(|state| state["trust_anchors"][0]["certificates_pem"] = anchor.into()).await;

    let answer = world.call(&root.device("payments")).send().await;

    world.refuses(&answer, &refusal("34")).await;
}

#[tokio::test]
async fn case_41_a_chain_of_six_certificates_is_refused() {
    refuses_device(&device_at_depth(6), "41").await;
}

#[tokio::test]
async fn a_chain_of_five_certificates_is_accepted() {
    let world = World::start().await;

    let answer = world.call(&device_at_depth(5)).send().await;

    answer.session();
}

#[tokio::test]
async fn a_chain_in_any_order_with_the_leaf_in_it_is_accepted() {
    let world = World::start().await;
    let mut device = device_at_depth(3);
    device.chain.reverse();
    device.chain.push(device.certificate.clone());

    let answer = world.call(&device).send().await;

    answer.session();
}

#[tokio::test]
async fn an_intermediate_may_be_the_anchor_itself() {
    let issuer = intermediate("Issuing CA");
    let anchor = issuer.certificate.pem();
    let world =
        World::start_with(|state| state["trust_anchors"][0]["certificates_pem"] = anchor.into()).await;

    let answer = world.call(&issuer.device("payments")).send().await;

    answer.session();
}

async fn refuses_delimiter(delimiter: &str) {
    let world = World::start().await;
    let device = device_at_depth(2);
    let chain: Vec<_> = device.chain.iter().map(Certificate::base64).collect();

    let answer = world.call(&device).but(|call| call.chain_header = Some(chain.join(delimiter))).send().await;

    world.refuses(&answer, &refusal("42")).await;
}

#[tokio::test]
async fn case_42_a_chain_delimited_by_semicolons_is_refused() {
    refuses_delimiter(";").await;
}

#[tokio::test]
async fn case_42_a_chain_delimited_by_comma_and_space_is_refused() {
    refuses_delimiter(", ").await;
}

/// No HTTP library writes a line feed into a header, so this one goes over the bare socket, and the server never accepts it as a request.
#[tokio::test]
async fn case_42_a_chain_delimited_by_line_feeds_is_no_http_request() {
    let world = World::start().await;
    let device = device_at_depth(2);
    let chain: Vec<_> = device.chain.iter().map(Certificate::base64).collect();
    let prepared = world.call(&device).but(|call| call.chain_header = Some(chain.join("\n"))).sign();
    let mut text = "POST /sessions HTTP/1.1\r\nhost: localhost\r\n".to_owned();
    for (name, value) in &prepared.headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    let mut socket = tokio::net::TcpStream::connect(world.url().replace("http://", "")).await.unwrap();

    socket.write_all(format!("{text}content-length: 0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn case_52_an_intermediate_that_is_no_ca_breaks_the_chain() {
    let basic_constraints = Some(BasicConstraints { ca: false, path_len_constraint: None });
    let broken = ROOT.intermediate(Template { basic_constraints, ..Template::authority("Not a CA") });
    refuses_device(&broken.device("payments").through(&[&broken]), "52 ca").await;
}

#[tokio::test]
async fn case_52_an_intermediate_without_cert_sign_breaks_the_chain() {
    let key_usage = Some(only(KeyUsages::CRLSign));
    let broken = ROOT.intermediate(Template { key_usage, ..Template::authority("No keyCertSign") });
    refuses_device(&broken.device("payments").through(&[&broken]), "52 usage").await;
}

#[tokio::test]
async fn case_52_a_path_longer_than_its_constraint_breaks_the_chain() {
    let basic_constraints = Some(BasicConstraints { ca: true, path_len_constraint: Some(0) });
    let last = ROOT.intermediate(Template { basic_constraints, ..Template::authority("Last CA") });
    let below = last.intermediate(Template::authority("One Too Many"));
    refuses_device(&below.device("payments").through(&[&below, &last]), "52 length").await;
}

#[tokio::test]
async fn case_52_a_violated_name_constraint_breaks_the_chain() {
    let bounded = bounded_to_example_com();
    let device = bounded.device_from(Template::leaf("payments").with_dns("payments.example.org"));
    refuses_device(&device.through(&[&bounded]), "52 name").await;
}

#[tokio::test]
async fn a_path_as_long_as_its_constraint_is_accepted() {
    let world = World::start().await;
    let basic_constraints = Some(BasicConstraints { ca: true, path_len_constraint: Some(0) });
    let last = ROOT.intermediate(Template { basic_constraints, ..Template::authority("Last CA") });

    let answer = world.call(&last.device("payments").through(&[&last])).send().await;

    answer.session();
}

#[tokio::test]
async fn a_name_inside_its_constraint_is_accepted() {
    let world = World::start().await;
    let bounded = bounded_to_example_com();
    let device = bounded.device_from(Template::leaf("payments").with_dns("payments.example.com"));

    let answer = world.call(&device.through(&[&bounded])).send().await;

    answer.session();
}

fn bounded_to_example_com() -> Authority {
    ROOT.intermediate(Template { permitted_dns: Some("example.com"), ..Template::authority("Bounded CA") })
}

#[tokio::test]
async fn case_12_a_certificate_in_an_enabled_crl_is_revoked() {
    let device = ROOT.device("payments");
    let pem = ROOT.crl(&[&device.certificate]);
    let world = World::start_with(|state| state["crls"] = vec![crl(&pem, true)].into()).await;

    let answer = world.call(&device).send().await;

    world.refuses(&answer, &refusal("12")).await;
}

#[tokio::test]
async fn case_13_a_disabled_crl_revokes_nothing() {
    let device = ROOT.device("payments");
    let pem = ROOT.crl(&[&device.certificate]);
    let world = World::start_with(|state| state["crls"] = vec![crl(&pem, false)].into()).await;

    let answer = world.call(&device).send().await;

    answer.session();
}

#[tokio::test]
async fn a_crl_revokes_only_the_serials_it_lists() {
    let (listed, other) = (ROOT.device("payments"), ROOT.device("payroll"));
    let pem = ROOT.crl(&[&listed.certificate]);
    let world = World::start_with(|state| state["crls"] = vec![crl(&pem, true)].into()).await;

    let answer = world.call(&other).send().await;

    answer.session();
}
