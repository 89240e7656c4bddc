//! Certificate revocation lists.

use base64::{Engine, prelude::BASE64_STANDARD};
use der::Decode;
use time::OffsetDateTime;
use x509_cert::crl::CertificateList;

use super::{
    Certificate, Signed,
    certificate::{Malformed, instant, pem_blocks},
};

/// A parsed list.
#[derive(Clone, Debug)]
pub(crate) struct RevocationList {
    der: Vec<u8>,
    parsed: CertificateList,
}

impl RevocationList {
    /// PEM (one `X509 CRL` block), or DER in base64.
    pub(crate) fn from_text(text: &str) -> Result<RevocationList, Malformed> {
        if !text.contains("-----BEGIN") {
            let compact: String = text.split_whitespace().collect();
            let der = BASE64_STANDARD.decode(compact).map_err(|error| Malformed(error.to_string()))?;
            return RevocationList::from_bytes(&der);
        }
        match pem_blocks(text, "X509 CRL")?.as_slice() {
            [der] => RevocationList::from_der(der),
            blocks => Err(Malformed(format!("{} CRLs in one PEM text", blocks.len()))),
        }
    }

    /// PEM or DER, as `ImportCrl` takes it.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<RevocationList, Malformed> {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN") => RevocationList::from_text(text),
            _ => RevocationList::from_der(bytes),
        }
    }

    fn from_der(der: &[u8]) -> Result<RevocationList, Malformed> {
        Ok(RevocationList { der: der.to_vec(), parsed: CertificateList::from_der(der)? })
    }

    /// The list's DER in base64, which [`RevocationList::from_text`] reads back.
    pub(crate) fn to_text(&self) -> String {
        BASE64_STANDARD.encode(&self.der)
    }

    /// Whether `ca` made this list.
    pub(crate) fn is_signed_by(&self, ca: &Certificate) -> bool {
        self.parsed.tbs_cert_list.issuer == *ca.subject()
            && Signed::from_der(&self.der).is_ok_and(|signed| ca.key().is_ok_and(|key| signed.holds(&key)))
    }

    /// Whether the certificate is of the list's issuer and its serial number is in the list.
    pub(crate) fn revokes(&self, certificate: &Certificate) -> bool {
        let list = &self.parsed.tbs_cert_list;
        let entries = list.revoked_certificates.as_deref().unwrap_or_default();
        list.issuer == *certificate.issuer()
            && entries.iter().any(|entry| entry.serial_number.as_bytes() == certificate.serial())
    }

    /// Whether `nextUpdate` is past. Its entries still count: what AWS does then is not documented.
    pub(crate) fn is_stale(&self, now: OffsetDateTime) -> bool {
        self.parsed.tbs_cert_list.next_update.is_some_and(|next| instant(next) < now)
    }
}
