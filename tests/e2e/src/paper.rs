//! Certificates and keys as an operator may bring them, right and wrong ones.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};

/// A root that signs with SHA-1, with its key. Made once with `openssl req -x509 -sha1 -days 36500`, because rcgen
/// rightly refuses to make one. Nothing trusts it.
pub const SHA1_ROOT: &str = include_str!("throwaway_sha1_ca.pem");

/// The flaw of a CA certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// No flaw.
    None,
    /// `CA:FALSE`.
    NotACa,
    /// A CA whose key usage does not list `keyCertSign`.
    NoCertSign,
    /// Its last day was yesterday.
    Expired,
}

/// A certificate with its key, both as PEM.
pub struct Paper {
    /// The certificate.
    pub certificate: String,
    /// The key, PKCS#8.
    pub key: String,
}

impl Paper {
    /// A self-signed CA of this name with this flaw.
    ///
    /// # Panics
    /// Never: the parameters are fixed.
    pub fn root(name: &str, flaw: Flaw) -> Paper {
        let key = KeyPair::generate().expect("a P-256 key");
        let certificate = ca_params(name, flaw).self_signed(&key).expect("fixed parameters");
        Paper { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A sub CA of this one, with a key of its own.
    ///
    /// # Panics
    /// When this one's certificate and key do not belong together.
    #[must_use]
    pub fn sub_ca(&self, name: &str) -> Paper {
        let own = KeyPair::from_pem(&self.key).expect("the key was made here");
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, own).expect("the certificate was made here");
        let key = KeyPair::generate().expect("a P-256 key");
        let certificate = ca_params(name, Flaw::None).signed_by(&key, &issuer).expect("fixed parameters");
        Paper { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Certificate and key in one text.
    pub fn bundle(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }
}

fn ca_params(name: &str, flaw: Flaw) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca =
        if flaw == Flaw::NotACa { IsCa::ExplicitNoCa } else { IsCa::Ca(BasicConstraints::Constrained(0)) };
    params.key_usages = match flaw {
        Flaw::NoCertSign => vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign],
        _ => vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign],
    };
    let today = today();
    params.not_before = today - Duration::days(30);
    params.not_after = today + Duration::days(if flaw == Flaw::Expired { -1 } else { 365 });
    params
}

#[expect(clippy::disallowed_methods, reason = "certificates for a real server need the real clock")]
fn today() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
