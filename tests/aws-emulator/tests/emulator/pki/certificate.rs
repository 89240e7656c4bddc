//! A certificate as a set of choices, each of which a test may get wrong, and its DER encoding.

use super::keys::{Hash, Key};
use super::name::Name;
use crate::clock::now;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{BitString, Ia5String, Int, ObjectIdentifier, OctetString, UtcTime};
use der::{Encode, Sequence, pem::LineEnding};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use std::time::Duration;
use time::OffsetDateTime;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::constraints::name::{GeneralSubtree, NameConstraints};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::time::Time;

/// The contents of a certificate. Start from [`Template::leaf`] or [`Template::authority`] and spoil the part under test.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) version: Version,
    /// Big-endian bytes of a positive number.
    pub(crate) serial: Vec<u8>,
    pub(crate) subject: Name,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) sans: Vec<GeneralName>,
    /// DNS subtrees that certificates below this one must stay in.
    pub(crate) permitted_dns: Option<&'static str>,
    pub(crate) extended_key_usage: bool,
    pub(crate) extra: Vec<Extension>,
    pub(crate) hash: Hash,
}

/// The version of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// No extensions at all.
    V1,
    V3,
}

impl Template {
    /// A leaf that AWS takes: v3, CA:FALSE, digitalSignature, clientAuth, a random 16-byte serial, valid for a day around now.
    pub(crate) fn leaf(common_name: &str) -> Self {
        Self {
            version: Version::V3,
            serial: random_serial(),
            subject: Name::common(common_name),
            not_before: now() - time::Duration::hours(12),
            not_after: now() + time::Duration::hours(12),
            key_usage: Some(only(KeyUsages::DigitalSignature)),
            basic_constraints: Some(BasicConstraints { ca: false, path_len_constraint: None }),
            sans: Vec::new(),
            permitted_dns: None,
            extended_key_usage: true,
            extra: Vec::new(),
            hash: Hash::Sha256,
        }
    }

    /// A CA that AWS takes as a trust anchor or an intermediate.
    pub(crate) fn authority(common_name: &str) -> Self {
        Self {
            key_usage: Some(KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign)),
            basic_constraints: Some(BasicConstraints { ca: true, path_len_constraint: None }),
            extended_key_usage: false,
            ..Self::leaf(common_name)
        }
    }

    pub(crate) fn with_dns(mut self, name: &str) -> Self {
        self.sans.push(GeneralName::DnsName(Ia5String::new(name).unwrap()));
        self
    }

    pub(crate) fn with_uri(mut self, uri: &str) -> Self {
        self.sans.push(GeneralName::UniformResourceIdentifier(Ia5String::new(uri).unwrap()));
        self
    }

    pub(crate) fn with_directory_name(mut self, name: &Name) -> Self {
        self.sans.push(GeneralName::DirectoryName(name.to_x509()));
        self
    }

    /// Encodes the certificate for `public`, signed by `issuer_key` in the name of `issuer`.
    pub(crate) fn sign(
        self,
        public: SubjectPublicKeyInfoOwned,
        issuer: &Name,
        issuer_key: &Key,
    ) -> Certificate {
        let algorithm = issuer_key.signature_algorithm(self.hash);
        let extensions = (self.version == Version::V3).then(|| self.extensions());
        let tbs = ToBeSigned {
            version: if self.version == Version::V3 { 2 } else { 0 },
            serial: positive(&self.serial),
            signature: algorithm.clone(),
            issuer: issuer.to_x509(),
            validity: Validity { not_before: utc(self.not_before), not_after: utc(self.not_after) },
            subject: self.subject.to_x509(),
            public,
            extensions,
        };
        let signature = issuer_key.sign(self.hash, &tbs.to_der().unwrap());
        let signed = Signed { tbs, algorithm, signature: BitString::from_bytes(&signature).unwrap() };
        Certificate { der: signed.to_der().unwrap(), serial: self.serial, subject: self.subject }
    }

    fn extensions(&self) -> Vec<Extension> {
        let mut all = self.extra.clone();
        all.extend(self.basic_constraints.as_ref().map(|value| extension("2.5.29.19", true, value)));
        all.extend(self.key_usage.as_ref().map(|value| extension("2.5.29.15", true, value)));
        if self.extended_key_usage {
            let client_auth = ExtendedKeyUsage(vec![ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2")]);
            all.push(extension("2.5.29.37", false, &client_auth));
        }
        if !self.sans.is_empty() {
            all.push(extension("2.5.29.17", false, &SubjectAltName(self.sans.clone())));
        }
        all.extend(self.permitted_dns.map(|name| extension("2.5.29.30", true, &permitted(name))));
        all
    }
}

/// An encoded certificate, with the facts that clients must send about it.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) subject: Name,
}

impl Certificate {
    pub(crate) fn pem(&self) -> String {
        let label = "CERTIFICATE";
        der::pem::encode_string(label, LineEnding::LF, &self.der).unwrap()
    }

    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(&self.der)
    }

    /// The serial as AWS requires it in `Credential=`: decimal, of any size.
    pub(crate) fn serial_decimal(&self) -> String {
        let mut digits = vec![0_u8];
        for byte in &self.serial {
            let mut carry = u32::from(*byte);
            for digit in &mut digits {
                let value = u32::from(*digit) * 256 + carry;
                *digit = u8::try_from(value % 10).unwrap();
                carry = value / 10;
            }
            while carry > 0 {
                digits.push(u8::try_from(carry % 10).unwrap());
                carry /= 10;
            }
        }
        digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
    }

    /// The serial as AWS uses it for session names: lower-case hex.
    pub(crate) fn serial_hex(&self) -> String {
        hex::encode(&self.serial)
    }
}

#[derive(Sequence)]
struct ToBeSigned {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", default = "v1")]
    version: u8,
    serial: Int,
    signature: AlgorithmIdentifierOwned,
    issuer: x509_cert::name::Name,
    validity: Validity,
    subject: x509_cert::name::Name,
    public: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

fn v1() -> u8 {
    0
}

#[derive(Sequence)]
struct Validity {
    not_before: Time,
    not_after: Time,
}

#[derive(Sequence)]
struct Signed {
    tbs: ToBeSigned,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// A key usage of one purpose.
pub(crate) fn only(purpose: KeyUsages) -> KeyUsage {
    KeyUsage(purpose.into())
}

/// An extension with its value encoded.
pub(crate) fn extension(oid: &str, critical: bool, value: &impl Encode) -> Extension {
    Extension {
        extn_id: ObjectIdentifier::new_unwrap(oid),
        critical,
        extn_value: OctetString::new(value.to_der().unwrap()).unwrap(),
    }
}

pub(super) fn positive(serial: &[u8]) -> Int {
    let mut bytes = serial.to_vec();
    if bytes[0] >= 0x80 {
        bytes.insert(0, 0);
    }
    Int::new(&bytes).unwrap()
}

pub(super) fn utc(instant: OffsetDateTime) -> Time {
    let seconds = u64::try_from(instant.unix_timestamp()).unwrap();
    Time::UtcTime(UtcTime::from_unix_duration(Duration::from_secs(seconds)).unwrap())
}

fn permitted(dns: &str) -> NameConstraints {
    let base = GeneralName::DnsName(Ia5String::new(dns).unwrap());
    let subtree = GeneralSubtree { base, minimum: 0, maximum: None };
    NameConstraints { permitted_subtrees: Some(vec![subtree]), excluded_subtrees: None }
}

fn random_serial() -> Vec<u8> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).unwrap();
    serial[0] = (serial[0] & 0x7f) | 0x40;
    serial.to_vec()
}
