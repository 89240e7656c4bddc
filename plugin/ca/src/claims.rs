//! Claims that hold for every PEM text and every DER element. `fuzz/` searches for an input that breaks a claim; the tests below
//! replay the inputs that it kept.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a claim that does not hold panics: that is what it is for"
)]

use std::time::Duration;

use secrecy::SecretSlice;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::authority::{Authority, Position};
use crate::key::PrivateKey;
use crate::{
    Error, Issuer, KeySpec, LeafProfile, Serial, Subject, der, der_of_pem, import_bundle, set_signed,
};

const NOW: OffsetDateTime = datetime!(2026-12-01 12:00 UTC);
/// The longest error in bytes, for any input: an error goes into answers, logs and the audit log.
const MAX_ERROR: usize = 2_048;
/// The shortest run of an input that would reveal something of a key: 18 bytes in base64.
const MIN_REVEALING: usize = 24;

/// A PEM text, as an import or a signed answer. An accepted issuer can be stored, read back, written out and used to sign. A
/// refusal is one short line that repeats no line of any block.
pub fn pem_bundle(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for force in [false, true] {
        match import_bundle(&text, NOW, force) {
            Ok(issuer) => usable(&issuer, force),
            Err(error) => check_error(&error, &text),
        }
    }
    if let Err(error) = set_signed(&[], &text, NOW, true) {
        check_error(&error, &text);
    }
    if let Err(error) = der_of_pem(&text) {
        check_error(&error, &text);
    }
}

/// Bytes as DER: reading loses none and invents none, and a certificate, key or serial number is reported as it is.
pub fn der(input: &[u8]) {
    elements(input);
    certificate(input);
    for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
        key(label, input);
    }
    serial(input);
}

fn usable(issuer: &Issuer, force: bool) {
    let stored =
        Issuer::from_parts(issuer.certificate_der().to_vec(), issuer.chain().to_vec(), issuer.key_pkcs8())
            .expect("what was imported is read from storage");
    assert_eq!(stored.subject_text(), issuer.subject_text());
    assert_eq!(stored.key_id(), issuer.key_id());
    one_line(issuer.subject_text());

    let certificates = [vec![issuer.certificate_pem()], issuer.chain_pem()].concat().concat();
    assert_eq!(der_of_pem(&issuer.certificate_pem()).as_deref(), Ok(issuer.certificate_der()));
    let again = set_signed(&[issuer.key_pkcs8().clone()], &certificates, NOW, force)
        .expect("what was imported is taken as a signed answer too");
    assert_eq!((again.certificate_der(), again.chain()), (issuer.certificate_der(), issuer.chain()));
    assert_eq!(again.path(), issuer.path());

    let profile = LeafProfile {
        subject: Subject::named("prod.payments.api"),
        uri_sans: vec!["spiffe://prod/ns/payments/sa/api".to_owned()],
        dns_sans: Vec::new(),
        key: KeySpec::EcP256,
        ttl: Duration::from_mins(10),
    };
    if let Err(error) = issuer.issue(&profile, NOW) {
        panic!("an issuer that was taken in does not sign: {error}");
    }
}

/// Checks the error of an import of `text`.
fn check_error(error: &Error, text: &str) {
    assert!(!error.is_bug(), "{error}");
    let said = error.to_string();
    assert!(said.len() <= MAX_ERROR, "{} bytes: {said}", said.len());
    one_line(&said);
    let inside =
        text.lines().map(str::trim).filter(|line| line.len() >= MIN_REVEALING && !line.contains("-----"));
    for line in inside.filter(|line| line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))) {
        assert!(!said.contains(line), "{said}");
    }
}

fn one_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
}

fn elements(input: &[u8]) {
    let Some((first, rest)) = der::take(input) else { return };
    assert_eq!([first.raw, rest].concat(), input, "bytes were lost or invented");
    assert!(first.raw.ends_with(first.content));
    let written = der::element(first.tag, &[first.content]);
    let read = der::only(&written, first.tag).expect("what was written is read");
    assert_eq!(read.content, first.content);
    if let Some(children) = der::children(first.content) {
        let raw: Vec<&[u8]> = children.iter().map(|child| child.raw).collect();
        assert_eq!(raw.concat(), first.content);
    }
    if let Some(unsigned) = der::replace(input, &[]) {
        let wrapped = der::wrap(&unsigned, b"signature");
        assert!(der::only(&wrapped, der::SEQUENCE).is_some());
    }
}

fn certificate(input: &[u8]) {
    let Some(authority) = Authority::parse(input) else { return };
    one_line(&authority.subject);
    for position in [Position::Parent(0), Position::Parent(1)] {
        if let Err(error) = authority.check(position, NOW, "certificate") {
            check_error(&error, "");
        }
    }
    assert!(authority.is_self_issued() || !authority.names(&authority));
    let _either_way = authority.verifies_under(&authority);
}

fn key(label: &str, input: &[u8]) {
    let contents = SecretSlice::from(input.to_vec());
    match PrivateKey::from_block(label, &contents) {
        Ok(key) => {
            let again = PrivateKey::from_pkcs8(key.pkcs8()).expect("a key that was read is stored and read");
            assert_eq!((again.spec(), again.public_bits()), (key.spec(), key.public_bits()));
            assert!(key.sign(b"message").is_ok_and(|signature| !signature.is_empty()));
            assert!(!format!("{key:?}").contains(&hex::encode(&input[..input.len().min(8)])));
        }
        Err(fault) => assert!(fault.to_string().len() <= MAX_ERROR, "{fault}"),
    }
}

fn serial(input: &[u8]) {
    let serial = Serial::from_bytes(&input[..input.len().min(32)]);
    assert_eq!(serial.to_string().replace(':', ""), serial.hex());
    if let Ok(number) = u128::from_str_radix(&serial.hex(), 16) {
        assert_eq!(serial.decimal(), number.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_pem_texts_hold_the_claim() {
        seeds::replay("pem_bundle", pem_bundle);
    }

    #[test]
    fn the_kept_der_holds_the_claim() {
        seeds::replay("der", der);
    }
}
