//! The end-entity certificate in `X-Amz-X509` and the rules of AWS's trust model for it.

use base64::{Engine, prelude::BASE64_STANDARD};
use time::OffsetDateTime;

use crate::{
    http::Call,
    pki::Certificate,
    rules::{Refusal, Rule},
};

/// The header is standard base64 with padding, on one line, of exactly one DER certificate.
pub(super) fn read(call: &Call) -> Result<Certificate, Refusal> {
    let sent = call.headers("x-amz-x509").count();
    if sent == 0 {
        return Err(Refusal::new(Rule::LeafMissing, "no x-amz-x509"));
    }
    let malformed = |reason: String| Refusal::new(Rule::LeafMalformed, reason);
    let text = call.header("x-amz-x509").ok_or_else(|| malformed(format!("{sent} x-amz-x509 headers")))?;
    let der = BASE64_STANDARD.decode(text).map_err(|error| malformed(error.to_string()))?;
    Certificate::from_der(&der).map_err(|error| malformed(error.to_string()))
}

/// Lowercase hex of even length, without the sign octet: the default session name, and `ID=` as source identity.
pub(super) fn serial_hex(leaf: &Certificate) -> String {
    hex::encode(positive(leaf.serial()))
}

/// The serial as the decimal number in the credential, of any size.
pub(super) fn serial_decimal(leaf: &Certificate) -> String {
    let mut digits = vec![0_u8];
    for byte in leaf.serial() {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 10).unwrap_or_default();
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

fn positive(octets: &[u8]) -> &[u8] {
    match octets {
        [0, rest @ ..] if !rest.is_empty() => rest,
        octets => octets,
    }
}

/// Checks every rule for the leaf that needs no issuer.
pub(super) fn check(leaf: &Certificate, now: OffsetDateTime) -> Result<(), Refusal> {
    let refuse = |rule, detail: String| Err(Refusal::new(rule, detail));
    if !leaf.is_v3() {
        return refuse(Rule::LeafVersion, "not X.509 v3".to_owned());
    }
    if leaf.serial().first().is_none_or(|octet| *octet >= 0x80)
        || leaf.serial().iter().all(|octet| *octet == 0)
    {
        return refuse(Rule::LeafSerial, format!("serial {}", hex::encode(leaf.serial())));
    }
    if leaf.is_ca() {
        return refuse(Rule::LeafCa, "basicConstraints CA:true".to_owned());
    }
    if !leaf.may_sign_data() {
        return refuse(Rule::LeafKeyUsage, "keyUsage lacks digitalSignature".to_owned());
    }
    if !leaf.is_signed_with_a_strong_hash() {
        return refuse(Rule::LeafWeakSignature, format!("signed with {}", leaf.signature_oid()));
    }
    if leaf.subject().is_empty() {
        return refuse(Rule::LeafEmptySubject, "empty subject".to_owned());
    }
    if let Err(error) = leaf.key() {
        return refuse(Rule::LeafKey, error.to_string());
    }
    if let Some(extension) = leaf.unprocessed_extension() {
        return refuse(Rule::LeafCriticalExtension, extension.to_string());
    }
    check_validity(leaf, now)
}

fn check_validity(leaf: &Certificate, now: OffsetDateTime) -> Result<(), Refusal> {
    if leaf.is_valid_at(now) {
        return Ok(());
    }
    let rule = if now < leaf.not_before() { Rule::LeafNotYetValid } else { Rule::LeafExpired };
    Err(Refusal::new(rule, format!("valid {} to {}, now {now}", leaf.not_before(), leaf.not_after())))
}
