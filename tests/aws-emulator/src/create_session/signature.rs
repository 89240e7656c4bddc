//! The request's signature: `SigV4` with the leaf's private key (`AWS4-X509-RSA-SHA256`, `AWS4-X509-ECDSA-SHA256`,
//! `AWS4-X509-MLDSA`).

use time::OffsetDateTime;

use super::certificate::serial_decimal;
use crate::{
    http::Call,
    pki::{Certificate, KeyType, Mismatch},
    rules::{Refusal, Rule},
    sigv4::{self, Authorization},
    state::State,
};

/// Everything about the signature but the certificate itself. Each failure has the same text and its own rule.
pub(super) fn check(
    state: &State,
    call: &Call,
    leaf: &Certificate,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let header = call
        .header("authorization")
        .ok_or_else(|| refuse(Rule::SignatureMissing, "no one Authorization header"))?;
    let authorization =
        Authorization::parse(header).map_err(|reason| refuse(Rule::SignatureMissing, reason))?;
    check_algorithm(&authorization, leaf)?;
    let at = check_scope(state, call, &authorization, leaf)?;
    check_signed_headers(call, &authorization)?;
    let signature = lowercase_hex(&authorization.signature)?;
    if !sigv4::within_tolerance(at, now) {
        return Err(refuse(Rule::Clock, &format!("signed at {at}, now {now}")));
    }
    let message = sigv4::string_to_sign(&authorization, call);
    let key = leaf.key().map_err(|error| refuse(Rule::LeafKey, &error.to_string()))?;
    key.verify_sha256(message.as_bytes(), &signature).map_err(|mismatch| match mismatch {
        Mismatch::Encoding => refuse(Rule::EcdsaEncoding, "not a DER SEQUENCE of r and s"),
        Mismatch::Pss => refuse(Rule::RsaPss, "RSASSA-PSS"),
        Mismatch::Wrong => refuse(
            Rule::SignatureInvalid,
            &sigv4::canonical_request(&authorization, call).replace('\n', "\\n"),
        ),
    })
}

fn refuse(rule: Rule, detail: &str) -> Refusal {
    Refusal::new(rule, detail)
}

fn check_algorithm(authorization: &Authorization, leaf: &Certificate) -> Result<(), Refusal> {
    let key_type = match authorization.algorithm.as_str() {
        "AWS4-X509-RSA-SHA256" => KeyType::Rsa,
        "AWS4-X509-ECDSA-SHA256" => KeyType::Ec,
        "AWS4-X509-MLDSA" => KeyType::MlDsa,
        other => return Err(refuse(Rule::SignatureAlgorithm, other)),
    };
    if leaf.key().is_ok_and(|key| key.key_type() == key_type) {
        return Ok(());
    }
    Err(refuse(Rule::SignatureKeyType, &authorization.algorithm))
}

/// The credential's parts; gives the time of signing.
fn check_scope(
    state: &State,
    call: &Call,
    authorization: &Authorization,
    leaf: &Certificate,
) -> Result<OffsetDateTime, Refusal> {
    let scope = &authorization.scope;
    if authorization.key_id != serial_decimal(leaf) {
        let detail = format!("{} for serial {}", authorization.key_id, serial_decimal(leaf));
        return Err(refuse(Rule::CredentialSerial, &detail));
    }
    if (scope.region.as_str(), scope.service.as_str(), scope.terminator.as_str())
        != (state.region.as_str(), "rolesanywhere", "aws4_request")
    {
        return Err(refuse(Rule::Scope, &scope.to_string()));
    }
    let at = sigv4::signing_time(call)
        .ok_or_else(|| refuse(Rule::SignatureDate, "X-Amz-Date is not YYYYMMDDTHHMMSSZ"))?;
    if sigv4::date_of(at) != scope.date {
        return Err(refuse(Rule::ScopeDate, &scope.to_string()));
    }
    Ok(at)
}

fn check_signed_headers(call: &Call, authorization: &Authorization) -> Result<(), Refusal> {
    sigv4::check_signed_headers(call, authorization)
        .map_err(|reason| refuse(Rule::SignedHeaders, &reason))?;
    let signed = |name: &str| authorization.signed_headers.iter().any(|header| header == name);
    let sent = |name: &&str| call.headers(name).any(|value| !value.is_empty());
    match ["x-amz-x509", "x-amz-x509-chain"].into_iter().filter(sent).find(|name| !signed(name)) {
        Some(name) => Err(refuse(Rule::UnsignedHeader, name)),
        None => Ok(()),
    }
}

fn lowercase_hex(text: &str) -> Result<Vec<u8>, Refusal> {
    let lowercase = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let bytes = hex::decode(text).ok().filter(|_| lowercase);
    bytes.ok_or_else(|| refuse(Rule::SignatureEncoding, "not lowercase hex"))
}
