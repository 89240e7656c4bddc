//! A certificate authority of the tests: issues leaves, intermediates and CRLs.

use super::certificate::{Certificate, Template, extension, positive, utc};
use super::keys::{Hash, Key};
use crate::clock::now;
use der::asn1::{BitString, Int};
use der::{Encode, Sequence, pem::LineEnding};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::time::Time;

/// A CA certificate and its key.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    key: Key,
}

/// A workload's certificate and key, and the intermediates that it sends along.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) certificate: Certificate,
    pub(crate) key: Key,
    pub(crate) chain: Vec<Certificate>,
}

impl Authority {
    /// A self-signed CA with a P-256 key.
    pub(crate) fn root(common_name: &str) -> Self {
        Self::self_signed(Template::authority(common_name), Key::p256())
    }

    /// A self-signed CA just as `template` says.
    pub(crate) fn self_signed(template: Template, key: Key) -> Self {
        let name = template.subject.clone();
        let certificate = template.sign(key.public(), &name, &key);
        Self { certificate, key }
    }

    /// A CA below this one.
    pub(crate) fn intermediate(&self, template: Template) -> Self {
        self.intermediate_with_key(template, Key::p256())
    }

    pub(crate) fn intermediate_with_key(&self, template: Template, key: Key) -> Self {
        Self { certificate: self.certify(template, &key), key }
    }

    /// A leaf that AWS takes, with a P-256 key.
    pub(crate) fn device(&self, common_name: &str) -> Device {
        self.device_from(Template::leaf(common_name))
    }

    /// A leaf just as `template` says, with a P-256 key.
    pub(crate) fn device_from(&self, template: Template) -> Device {
        self.device_with_key(template, Key::p256())
    }

    pub(crate) fn device_with_key(&self, template: Template, key: Key) -> Device {
        Device { certificate: self.certify(template, &key), key, chain: Vec::new() }
    }

    fn certify(&self, template: Template, key: &Key) -> Certificate {
        template.sign(key.public(), &self.certificate.subject, &self.key)
    }

    /// A CRL of this CA in PEM that lists the given certificates.
    pub(crate) fn crl(&self, revoked: &[&Certificate]) -> String {
        der::pem::encode_string("X509 CRL", LineEnding::LF, &self.crl_der(revoked)).unwrap()
    }

    /// A CRL of this CA in DER that lists the given certificates.
    pub(crate) fn crl_der(&self, revoked: &[&Certificate]) -> Vec<u8> {
        let entries: Vec<_> = revoked.iter().map(|certificate| revocation(certificate)).collect();
        let algorithm = self.key.signature_algorithm(Hash::Sha256);
        let tbs = CrlToBeSigned {
            version: 1,
            signature: algorithm.clone(),
            issuer: self.certificate.subject.to_x509(),
            this_update: utc(now() - time::Duration::hours(1)),
            next_update: utc(now() + time::Duration::days(1)),
            revoked: (!entries.is_empty()).then_some(entries),
            extensions: Some(vec![extension("2.5.29.20", false, &1_u8)]),
        };
        let signature = self.key.sign(Hash::Sha256, &tbs.to_der().unwrap());
        let signature = BitString::from_bytes(&signature).unwrap();
        SignedCrl { tbs, algorithm, signature }.to_der().unwrap()
    }
}

impl Device {
    /// The same device, sending these intermediates.
    pub(crate) fn through(mut self, chain: &[&Authority]) -> Self {
        self.chain = chain.iter().map(|authority| authority.certificate.clone()).collect();
        self
    }
}

#[derive(Sequence)]
struct CrlToBeSigned {
    version: u8,
    signature: AlgorithmIdentifierOwned,
    issuer: x509_cert::name::Name,
    this_update: Time,
    next_update: Time,
    #[asn1(optional = "true")]
    revoked: Option<Vec<Revocation>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct Revocation {
    serial: Int,
    at: Time,
}

#[derive(Sequence)]
struct SignedCrl {
    tbs: CrlToBeSigned,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

fn revocation(certificate: &Certificate) -> Revocation {
    Revocation { serial: positive(&certificate.serial), at: utc(now() - time::Duration::minutes(5)) }
}
