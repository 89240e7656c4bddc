//! Signature Version 4: the canonical request and the string to sign, as the verifier rebuilds them from the request.
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html>

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime, PrimitiveDateTime, macros::format_description};

use crate::http::Call;

/// AWS documents no tolerance; its general guidance is five minutes.
const TOLERANCE: Duration = Duration::minutes(5);

const IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The `Authorization` header, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) algorithm: String,
    /// The access key id, or the certificate's serial.
    pub(crate) key_id: String,
    pub(crate) scope: Scope,
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
}

/// `20260102/eu-central-1/rolesanywhere/aws4_request`.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) terminator: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}/{}", self.date, self.region, self.service, self.terminator)
    }
}

impl Authorization {
    /// Of a call with exactly one that parses.
    pub(crate) fn of(call: &Call) -> Option<Authorization> {
        call.header("authorization").and_then(|header| Authorization::parse(header).ok())
    }

    /// `ALG Credential=…, SignedHeaders=a;b, Signature=…`: each part once.
    pub(crate) fn parse(header: &str) -> Result<Authorization, &'static str> {
        let (algorithm, rest) = header.split_once(' ').ok_or("no algorithm")?;
        let parts: Vec<(&str, &str)> = rest
            .split(',')
            .map(|part| part.trim().split_once('=').ok_or("a part without ="))
            .collect::<Result<_, _>>()?;
        let part = |name: &str| parts.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        if parts.len() != 3 {
            return Err("not exactly three parts");
        }
        let credential: Vec<&str> = part("Credential").ok_or("no Credential")?.split('/').collect();
        let [key_id, date, region, service, terminator] = credential.as_slice() else {
            return Err("a credential that is not key/date/region/service/aws4_request");
        };
        let owned = |text: &&str| (*text).to_owned();
        Ok(Authorization {
            algorithm: algorithm.to_owned(),
            key_id: owned(key_id),
            scope: Scope {
                date: owned(date),
                region: owned(region),
                service: owned(service),
                terminator: owned(terminator),
            },
            signed_headers: part("SignedHeaders")
                .ok_or("no SignedHeaders")?
                .split(';')
                .map(str::to_owned)
                .collect(),
            signature: part("Signature").ok_or("no Signature")?.to_owned(),
        })
    }
}

/// Sorted, in lower case, each sent, `host` and `x-amz-date` among them.
pub(crate) fn check_signed_headers(call: &Call, authorization: &Authorization) -> Result<(), String> {
    let names = &authorization.signed_headers;
    if !names.is_sorted_by(|a, b| a < b) {
        return Err("SignedHeaders are not in order".to_owned());
    }
    if let Some(absent) = names.iter().find(|name| call.headers(name).next().is_none()) {
        return Err(format!("signed header \"{absent}\" is not sent"));
    }
    match ["host", "x-amz-date"].into_iter().find(|name| !names.iter().any(|known| known == name)) {
        Some(name) => Err(format!("{name} is not signed")),
        None => Ok(()),
    }
}

/// `X-Amz-Date` as an instant.
pub(crate) fn signing_time(call: &Call) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(call.header("x-amz-date")?, format).ok().map(PrimitiveDateTime::assume_utc)
}

/// `YYYYMMDD`.
pub(crate) fn date_of(at: OffsetDateTime) -> String {
    at.format(format_description!("[year][month][day]")).unwrap_or_default()
}

pub(crate) fn within_tolerance(at: OffsetDateTime, now: OffsetDateTime) -> bool {
    (now - at).abs() <= TOLERANCE
}

/// Method, path, query, signed headers, their names, and the hash of the body, each on its line.
pub(crate) fn canonical_request(authorization: &Authorization, call: &Call) -> String {
    let headers: Vec<String> = authorization
        .signed_headers
        .iter()
        .map(|name| format!("{name}:{}", canonical_value(call, name)))
        .collect();
    [
        call.method.as_str(),
        &canonical_path(call),
        &canonical_query(call),
        &headers.join("\n"),
        "",
        &authorization.signed_headers.join(";"),
        &hex::encode(Sha256::digest(&call.body)),
    ]
    .join("\n")
}

/// The path as sent, encoded once more: every service but S3 does so.
fn canonical_path(call: &Call) -> String {
    utf8_percent_encode(&call.path, IN_PATH).to_string()
}

fn canonical_query(call: &Call) -> String {
    let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let mut pairs: Vec<(String, String)> =
        call.query_pairs().iter().map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Values of one name are joined by commas; runs of spaces become one.
fn canonical_value(call: &Call, name: &str) -> String {
    let single = |value: &str| value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    call.headers(name).map(single).collect::<Vec<_>>().join(",")
}

/// Algorithm, time, scope and the hash of the canonical request, each on its line.
pub(crate) fn string_to_sign(authorization: &Authorization, call: &Call) -> String {
    let hash = hex::encode(Sha256::digest(canonical_request(authorization, call)));
    let date = call.header("x-amz-date").unwrap_or_default();
    format!("{}\n{date}\n{}\n{hash}", authorization.algorithm, authorization.scope)
}

/// The signature of a secret key in lowercase hex.
pub(crate) fn hmac_signature(secret: &str, authorization: &Authorization, call: &Call) -> String {
    let scope = &authorization.scope;
    let steps = [scope.date.as_str(), &scope.region, &scope.service, &scope.terminator];
    let key = steps.iter().fold(format!("AWS4{secret}").into_bytes(), |key, step| hmac(&key, step));
    hex::encode(hmac(&key, &string_to_sign(authorization, call)))
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Why a request signed with a secret key is refused; the caller has its own words for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Scope, date, signed headers or signature.
    Signature(String),
}

/// Checks everything about an `AWS4-HMAC-SHA256` request but whose key it is.
pub(crate) fn verify_hmac(
    call: &Call,
    authorization: &Authorization,
    secret: &str,
    regions: &[&str],
    service: &str,
    now: OffsetDateTime,
) -> Result<(), Wrong> {
    let wrong = |reason: &str| Err(Wrong::Signature(reason.to_owned()));
    let scope = &authorization.scope;
    if authorization.algorithm != "AWS4-HMAC-SHA256" {
        return wrong("not AWS4-HMAC-SHA256");
    }
    if !regions.contains(&scope.region.as_str())
        || scope.service != service
        || scope.terminator != "aws4_request"
    {
        return wrong(&format!("scope {scope}"));
    }
    let Some(at) = signing_time(call) else { return wrong("X-Amz-Date is missing or malformed") };
    if date_of(at) != scope.date {
        return wrong("the scope's date is not that of X-Amz-Date");
    }
    if !within_tolerance(at, now) {
        return wrong(&format!("signed at {at}, now {now}"));
    }
    check_signed_headers(call, authorization).map_err(Wrong::Signature)?;
    if hmac_signature(secret, authorization, call) != authorization.signature {
        return wrong("another signature");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `get-vanilla-query-order-key-case` of AWS's own test suite.
    #[test]
    fn the_signature_is_that_of_awss_test_suite() {
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        let call = Call {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            query: "Param2=value2&Param1=value1".to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: Vec::new(),
        };
        let header = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
        let authorization = Authorization::parse(header).unwrap();

        let signature = hmac_signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &authorization, &call);

        assert_eq!(signature, authorization.signature);
    }

    #[test]
    fn five_minutes_are_tolerated_and_a_second_more_is_not() {
        let now = OffsetDateTime::UNIX_EPOCH;

        assert!(within_tolerance(now + Duration::seconds(300), now));
        assert!(!within_tolerance(now - Duration::seconds(301), now));
    }
}
