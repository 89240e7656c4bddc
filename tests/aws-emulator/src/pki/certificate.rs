//! One certificate, with the facts that the rules check.

use der::{Decode, Encode, EncodePem, Reader, SliceReader, asn1::ObjectIdentifier, pem::LineEnding};
use time::OffsetDateTime;
use x509_cert::{
    Version,
    ext::pkix::{BasicConstraints, KeyUsage, SubjectAltName, name::GeneralName},
    name::Name,
};

use super::{
    Attribute, Key, NameConstraints, Names, Signed, attributes,
    key::{self, Unsupported},
};

/// Bytes that are not one X.509 certificate in DER.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not a certificate: {0}")]
pub(crate) struct Malformed(pub(crate) String);

impl From<der::Error> for Malformed {
    fn from(error: der::Error) -> Self {
        Malformed(error.to_string())
    }
}

/// A parsed certificate and the bytes it came from.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    alternative_names: Vec<GeneralName>,
    name_constraints: Option<NameConstraints>,
}

/// Extensions that are processed, or that RFC 5280 lets a verifier know without acting on them here: authority and
/// subject key identifier, key usage, both alternative names, basic and name constraints, CRL distribution points,
/// certificate policies, extended key usage.
const PROCESSED: [&str; 10] = [
    "2.5.29.35",
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.37",
];

impl Certificate {
    /// Exactly one certificate; bytes after it are an error.
    pub(crate) fn from_der(der: &[u8]) -> Result<Certificate, Malformed> {
        let parsed = x509_cert::Certificate::from_der(der)?;
        let body = parsed.tbs_certificate();
        if body.signature() != parsed.signature_algorithm() {
            return Err(Malformed("its two signature algorithms differ".to_owned()));
        }
        let names = body.get_extension::<SubjectAltName>()?;
        Ok(Certificate {
            der: der.to_vec(),
            basic_constraints: body.get_extension::<BasicConstraints>()?.map(|(_, value)| value),
            key_usage: body.get_extension::<KeyUsage>()?.map(|(_, value)| value),
            alternative_names: names.map(|(_, names)| names.0).unwrap_or_default(),
            name_constraints: body
                .get_extension::<x509_cert::ext::pkix::NameConstraints>()?
                .map(|(_, value)| NameConstraints(value)),
            parsed,
        })
    }

    /// Every `CERTIFICATE` block of the text; any other block, and text outside blocks, is an error.
    pub(crate) fn all_from_pem(text: &str) -> Result<Vec<Certificate>, Malformed> {
        pem_blocks(text, "CERTIFICATE")?.iter().map(|der| Certificate::from_der(der)).collect()
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn pem(&self) -> String {
        self.parsed.to_pem(LineEnding::LF).unwrap_or_default()
    }

    pub(crate) fn is_v3(&self) -> bool {
        self.parsed.tbs_certificate().version() == Version::V3
    }

    /// The serial number's content octets, as encoded: big endian, two's complement.
    pub(crate) fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    pub(crate) fn subject(&self) -> &Name {
        self.parsed.tbs_certificate().subject()
    }

    pub(crate) fn issuer(&self) -> &Name {
        self.parsed.tbs_certificate().issuer()
    }

    pub(crate) fn subject_attributes(&self) -> Vec<Attribute> {
        attributes(self.subject())
    }

    pub(crate) fn issuer_attributes(&self) -> Vec<Attribute> {
        attributes(self.issuer())
    }

    pub(crate) fn alternative_names(&self) -> &[GeneralName] {
        &self.alternative_names
    }

    pub(crate) fn name_constraints(&self) -> Option<&NameConstraints> {
        self.name_constraints.as_ref()
    }

    /// All names a constraint of an issuer applies to.
    pub(crate) fn names(&self) -> Names<'_> {
        Names { subject: self.subject(), alternatives: &self.alternative_names }
    }

    pub(crate) fn is_ca(&self) -> bool {
        self.basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
    }

    pub(crate) fn path_length(&self) -> Option<u8> {
        self.basic_constraints.as_ref().and_then(|constraints| constraints.path_len_constraint)
    }

    /// The key usage extension's digitalSignature bit; without the extension, no.
    pub(crate) fn may_sign_data(&self) -> bool {
        self.key_usage.as_ref().is_some_and(KeyUsage::digital_signature)
    }

    /// The key usage extension's keyCertSign bit; without the extension, no.
    pub(crate) fn may_sign_certificates(&self) -> bool {
        self.key_usage.as_ref().is_some_and(KeyUsage::key_cert_sign)
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    /// The first critical extension that is not processed, or that is repeated.
    pub(crate) fn unprocessed_extension(&self) -> Option<ObjectIdentifier> {
        let extensions = self.parsed.tbs_certificate().extensions().map_or(&[][..], Vec::as_slice);
        let twice = |id| extensions.iter().filter(|one| one.extn_id == id).count() > 1;
        let known = |id: ObjectIdentifier| PROCESSED.contains(&id.to_string().as_str());
        extensions
            .iter()
            .find(|one| twice(one.extn_id) || (one.critical && !known(one.extn_id)))
            .map(|one| one.extn_id)
    }

    pub(crate) fn not_before(&self) -> OffsetDateTime {
        instant(self.parsed.tbs_certificate().validity().not_before)
    }

    pub(crate) fn not_after(&self) -> OffsetDateTime {
        instant(self.parsed.tbs_certificate().validity().not_after)
    }

    /// Both bounds are included, as in RFC 5280.
    pub(crate) fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        self.not_before() <= now && now.replace_nanosecond(0).unwrap_or(now) <= self.not_after()
    }

    pub(crate) fn key(&self) -> Result<Key, Unsupported> {
        Key::from_spki(self.parsed.tbs_certificate().subject_public_key_info())
    }

    /// The algorithm of the issuer's signature.
    pub(crate) fn signature_oid(&self) -> ObjectIdentifier {
        self.parsed.signature_algorithm().oid
    }

    /// The issuer's signature over this certificate.
    pub(crate) fn signed(&self) -> Result<Signed, Malformed> {
        Signed::from_der(&self.der)
    }

    pub(crate) fn is_signed_with_a_strong_hash(&self) -> bool {
        key::strong_enough(&self.signature_oid())
    }
}

pub(super) fn instant(time: x509_cert::time::Time) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time.to_unix_duration()
}

/// The DER of every block of `label`, in order.
pub(super) fn pem_blocks(text: &str, label: &str) -> Result<Vec<Vec<u8>>, Malformed> {
    let end = format!("-----END {label}-----");
    let mut blocks = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let length = rest.find(&end).ok_or_else(|| Malformed(format!("no `{end}`")))? + end.len();
        let (found, der) =
            der::pem::decode_vec(&rest.as_bytes()[..length]).map_err(|error| Malformed(error.to_string()))?;
        if found != label {
            return Err(Malformed(format!("a PEM block of `{found}`")));
        }
        blocks.push(der);
        rest = rest[length..].trim_start();
    }
    Ok(blocks)
}

/// The bytes of the first element of a DER SEQUENCE.
pub(super) fn first_element(der: &[u8]) -> Result<Vec<u8>, Malformed> {
    let outer = der::asn1::AnyRef::from_der(der)?;
    let mut inside = SliceReader::new(outer.value())?;
    Ok(inside.tlv_bytes()?.to_vec())
}

/// The DER form of any encodable value.
pub(super) fn to_der(value: &impl Encode) -> Vec<u8> {
    value.to_der().unwrap_or_default()
}
