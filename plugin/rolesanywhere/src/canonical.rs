//! The signed texts, step by step as AWS names them; each type's `Display` is the text on the wire.
//!
//! The steps are those of Signature Version 4, without its key derivation: the certificate's own key signs.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::identity::{Identity, SigningError};
use crate::partition::Region;

const AMZ_DATE: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
const SCOPE_DATE: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]");

/// Step 1, the canonical request.
///
/// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html#authentication-task1>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalRequest {
    headers: BTreeMap<&'static str, String>,
    payload_hash: String,
}

impl CanonicalRequest {
    /// `POST /sessions` without a query. Header names must be lower case; all of them are signed.
    pub fn new(headers: impl IntoIterator<Item = (&'static str, String)>, body: &[u8]) -> Self {
        let canonical = |(name, value): (&'static str, String)| (name, collapse_spaces(&value));
        Self { headers: headers.into_iter().map(canonical).collect(), payload_hash: hex_sha256(body) }
    }

    /// The names of the signed headers in order, joined by `;`.
    pub fn signed_headers(&self) -> String {
        let names: Vec<&str> = self.headers.keys().copied().collect();
        names.join(";")
    }
}

impl fmt::Display for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("POST\n/sessions\n\n")?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}:{value}")?;
        }
        write!(f, "\n{}\n{}", self.signed_headers(), self.payload_hash)
    }
}

/// The scope of a signature: day, region and service, as `<yyyymmdd>/<region>/rolesanywhere/aws4_request`.
///
/// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html#authentication-task2>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialScope {
    date: String,
    region: Region,
}

impl fmt::Display for CredentialScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/rolesanywhere/aws4_request", self.date, self.region)
    }
}

/// Step 2, the string to sign: algorithm, time, scope and the hash of the canonical request.
///
/// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html#authentication-task2>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringToSign {
    algorithm: &'static str,
    time: String,
    scope: CredentialScope,
    request_hash: String,
}

impl StringToSign {
    /// `now` must be the time in the request's `x-amz-date` header.
    pub fn new(
        request: &CanonicalRequest,
        identity: &Identity,
        region: &Region,
        now: OffsetDateTime,
    ) -> Result<Self, SigningError> {
        Ok(Self {
            algorithm: identity.algorithm(),
            time: amz_date(now)?,
            scope: CredentialScope { date: formatted(now, SCOPE_DATE)?, region: region.clone() },
            request_hash: hex_sha256(request.to_string().as_bytes()),
        })
    }
}

impl fmt::Display for StringToSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n{}", self.algorithm, self.time, self.scope, self.request_hash)
    }
}

/// Steps 3 and 4, the signature within the `Authorization` header.
///
/// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html#authentication-task4>
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    algorithm: &'static str,
    serial: String,
    scope: CredentialScope,
    signed_headers: String,
    signature: String,
}

impl Authorization {
    /// Signs the string with the identity's key. ECDSA is randomised: two calls differ and both verify.
    pub fn new(
        request: &CanonicalRequest,
        string: &StringToSign,
        identity: &Identity,
    ) -> Result<Self, SigningError> {
        Ok(Self {
            algorithm: string.algorithm,
            serial: identity.serial_decimal().to_owned(),
            scope: string.scope.clone(),
            signed_headers: request.signed_headers(),
            signature: hex::encode(identity.sign(string.to_string().as_bytes())?),
        })
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithm, serial, scope, signed_headers, signature } = self;
        write!(
            f,
            "{algorithm} Credential={serial}/{scope}, SignedHeaders={signed_headers}, Signature={signature}"
        )
    }
}

/// Hides the signature, because anybody with the whole text could repeat the request for as long as AWS accepts its time.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithm, serial, scope, signed_headers: _, signature: _ } = self;
        f.debug_struct("Authorization")
            .field("algorithm", algorithm)
            .field("serial", serial)
            .field("scope", scope)
            .finish_non_exhaustive()
    }
}

/// The value of `x-amz-date`: `YYYYMMDDTHHMMSSZ` in UTC.
pub(crate) fn amz_date(now: OffsetDateTime) -> Result<String, SigningError> {
    formatted(now, AMZ_DATE)
}

fn formatted(now: OffsetDateTime, form: &[BorrowedFormatItem<'_>]) -> Result<String, SigningError> {
    now.to_offset(time::UtcOffset::UTC).format(form).map_err(|_| SigningError::Time)
}

fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// Trims a header's value and replaces every run of spaces with one.
fn collapse_spaces(value: &str) -> String {
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_trimmed_and_their_spaces_collapsed() {
        let request = CanonicalRequest::new([("host", "  a   b ".to_owned())], b"");

        assert!(request.to_string().contains("\nhost:a b\n"), "{request}");
    }

    #[test]
    fn headers_are_signed_in_order_of_their_names() {
        let headers = [("x-amz-x509", "c"), ("host", "h"), ("content-type", "t"), ("x-amz-date", "d")];
        let request = CanonicalRequest::new(headers.map(|(name, value)| (name, value.to_owned())), b"");

        assert_eq!(request.signed_headers(), "content-type;host;x-amz-date;x-amz-x509");
    }

    #[test]
    fn a_time_in_another_zone_is_signed_as_utc() {
        let east = time::macros::datetime!(2026-01-01 01:00:00 +02:00);

        assert_eq!(amz_date(east).unwrap(), "20251231T230000Z");
    }
}
