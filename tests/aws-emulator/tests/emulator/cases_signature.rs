//! Cases about the signature, its clock, its scope and what it covers.

use crate::client::call::{day, stamp};
use crate::client::{Call, Encoding};
use crate::clock::now;
use crate::expectations::refusal;
use crate::pki::{Device, Key, Scheme, Template};
use crate::world::{ROOT, World};
use time::Duration;

/// Spoils a call of a P-256 device before it is signed.
async fn refuses(change: impl FnOnce(&mut Call), case: &str) {
    refuses_from(&ROOT.device("payments"), change, case).await;
}

async fn refuses_from(device: &Device, change: impl FnOnce(&mut Call), case: &str) {
    let world = World::start().await;

    let answer = world.call(device).but(change).send().await;

    world.refuses(&answer, &refusal(case)).await;
}

fn rsa_device() -> Device {
    ROOT.device_with_key(Template::leaf("payments"), Key::rsa_2048())
}

fn ml_dsa_device() -> Device {
    ROOT.device_with_key(Template::leaf("payments"), Key::ml_dsa_65())
}

#[tokio::test]
async fn case_08_a_body_altered_after_signing_is_refused() {
    let world = World::start().await;
    let mut prepared = world.call(&ROOT.device("payments")).set("durationSeconds", 900).sign();
    let body = String::from_utf8(prepared.body).unwrap();
    prepared.body = body.replace("900", "901").into_bytes();

    let answer = prepared.send().await;

    world.refuses(&answer, &refusal("8")).await;
}

#[tokio::test]
async fn case_09_a_date_altered_after_signing_is_refused() {
    let world = World::start().await;
    let call = world.call(&ROOT.device("payments"));
    let later = call.date + Duration::minutes(2);
    let scope_stays = day(later) == call.scope_date;
    let altered = if scope_stays { later } else { call.date - Duration::minutes(2) };

    let answer = call.sign().alter("x-amz-date", &stamp(altered)).send().await;

    world.refuses(&answer, &refusal("9")).await;
}

#[tokio::test]
async fn case_10_a_clock_30_minutes_behind_is_refused() {
    refuses(|call| shift(call, Duration::minutes(-30)), "10").await;
}

#[tokio::test]
async fn case_10_a_clock_30_minutes_ahead_is_refused() {
    refuses(|call| shift(call, Duration::minutes(30)), "10").await;
}

#[tokio::test]
async fn case_11_a_clock_over_5_minutes_behind_is_refused() {
    refuses(|call| shift(call, Duration::seconds(-310)), "11").await;
}

#[tokio::test]
async fn case_11_a_clock_over_5_minutes_ahead_is_refused() {
    refuses(|call| shift(call, Duration::seconds(310)), "11").await;
}

#[tokio::test]
async fn a_clock_under_5_minutes_off_is_accepted() {
    let world = World::start().await;
    let device = ROOT.device("payments");

    let answer = world.call(&device).signed_at(now() - Duration::seconds(270)).send().await;

    answer.session();
}

fn shift(call: &mut Call, by: Duration) {
    call.date += by;
    call.scope_date = day(call.date);
}

#[tokio::test]
async fn case_37_an_unsigned_certificate_header_is_refused() {
    refuses(|call| call.unsigned.push("x-amz-x509"), "37").await;
}

async fn refuses_unsigned(header: &'static str) {
    let world = World::start().await;

    let answer = world.call(&ROOT.device("payments")).but(|call| call.unsigned.push(header)).send().await;

    assert_eq!((answer.status, answer.message().as_str()), (403, "Invalid signature"));
    assert_eq!(world.log_entry(&answer).await["rule"], "signature.signed_headers");
}

#[tokio::test]
async fn an_unsigned_host_is_refused() {
    refuses_unsigned("host").await;
}

#[tokio::test]
async fn an_unsigned_date_is_refused() {
    refuses_unsigned("x-amz-date").await;
}

#[tokio::test]
async fn an_unsigned_content_type_is_accepted_as_aws_does() {
    let world = World::start().await;
    let device = ROOT.device("payments");

    let answer = world.call(&device).but(|call| call.unsigned.push("content-type")).send().await;

    answer.session();
}

#[tokio::test]
async fn case_38_an_unsigned_chain_header_is_refused() {
    let issuer = ROOT.intermediate(Template::authority("Issuing CA"));
    let device = issuer.device("payments").through(&[&issuer]);
    refuses_from(&device, |call| call.unsigned.push("x-amz-x509-chain"), "38").await;
}

#[tokio::test]
async fn case_39_an_rsa_label_on_an_ec_key_is_refused() {
    refuses(|call| "AWS4-X509-RSA-SHA256".clone_into(&mut call.label), "39").await;
}

#[tokio::test]
async fn case_39_an_ecdsa_label_on_an_rsa_key_is_refused() {
    let label = |call: &mut Call| "AWS4-X509-ECDSA-SHA256".clone_into(&mut call.label);
    refuses_from(&rsa_device(), label, "39").await;
}

#[tokio::test]
async fn case_40_the_secret_key_algorithm_is_refused() {
    refuses(|call| "AWS4-HMAC-SHA256".clone_into(&mut call.label), "40").await;
}

#[tokio::test]
async fn case_40_an_unknown_algorithm_is_refused() {
    refuses(|call| "AWS4-X509-ECDSA-SHA384".clone_into(&mut call.label), "40").await;
}

#[tokio::test]
async fn case_40_the_ml_dsa_label_with_a_digest_is_refused() {
    let label = |call: &mut Call| "AWS4-X509-MLDSA-SHA256".clone_into(&mut call.label);
    refuses_from(&ml_dsa_device(), label, "40").await;
}

#[tokio::test]
async fn case_43_a_serial_that_is_not_the_leafs_is_refused() {
    let other = ROOT.device("payroll").certificate.serial_decimal();
    refuses(|call| call.serial = other, "43").await;
}

#[tokio::test]
async fn case_44_a_serial_in_hex_is_refused() {
    refuses(|call| call.serial = call.device.certificate.serial_hex(), "44").await;
}

#[tokio::test]
async fn case_45_a_scope_of_another_region_is_refused() {
    refuses(|call| call.region = "us-east-1", "45").await;
}

#[tokio::test]
async fn case_45_a_scope_of_another_service_is_refused() {
    refuses(|call| call.service = "sts", "45").await;
}

#[tokio::test]
async fn case_45_a_scope_with_another_terminator_is_refused() {
    refuses(|call| call.terminator = "aws5_request", "45").await;
}

#[tokio::test]
async fn case_46_a_scope_of_another_day_is_refused() {
    refuses(|call| call.scope_date = day(call.date - Duration::days(1)), "46").await;
}

#[tokio::test]
async fn case_47_an_ecdsa_signature_of_two_plain_integers_is_refused() {
    refuses(|call| call.scheme = Scheme::RawEcdsa, "47").await;
}

#[tokio::test]
async fn case_48_an_rsa_pss_signature_is_refused() {
    refuses_from(&rsa_device(), |call| call.scheme = Scheme::Pss, "48").await;
}

#[tokio::test]
async fn case_49_a_signature_in_base64_is_refused() {
    refuses(|call| call.encoding = Encoding::Base64, "49").await;
}

#[tokio::test]
async fn case_49_a_signature_in_upper_case_hex_is_refused() {
    refuses(|call| call.encoding = Encoding::UpperHex, "49").await;
}

#[tokio::test]
async fn case_50_an_ml_dsa_signature_over_a_digest_is_refused() {
    refuses_from(&ml_dsa_device(), |call| call.scheme = Scheme::MlDsaOverDigest, "50").await;
}

#[tokio::test]
async fn case_50_an_ml_dsa_signature_with_a_context_is_refused() {
    refuses_from(&ml_dsa_device(), |call| call.scheme = Scheme::MlDsaWithContext, "50").await;
}

#[tokio::test]
async fn a_pure_ml_dsa_signature_is_accepted() {
    let world = World::start().await;

    let answer = world.call(&ml_dsa_device()).send().await;

    answer.session();
}
