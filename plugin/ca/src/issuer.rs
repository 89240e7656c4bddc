//! An issuing CA: certificate, parents and key, with everything that leaves need computed once.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::ParsedPublicKey;
use secrecy::SecretSlice;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::algorithm;
use crate::authority::Authority;
use crate::bundle::Bundle;
use crate::error::{BundleFault, Error, utc};
use crate::key::{KeySpec, PrivateKey};
use crate::name;
use crate::profile::Window;
use crate::serial::Serial;

/// A certificate authority with its key, checked when it was made or imported.
///
/// It is immutable, and a clone shares everything with its original.
#[derive(Clone)]
pub struct Issuer(pub(crate) Arc<IssuerParts>);

/// The issuer's parts, and the values that are computed from them once for all leaves.
pub(crate) struct IssuerParts {
    certificate: Vec<u8>,
    chain: Vec<Vec<u8>>,
    path: Vec<Vec<u8>>,
    pub(crate) key: PrivateKey,
    pub(crate) verifier: ParsedPublicKey,
    pub(crate) subject: Vec<u8>,
    subject_text: String,
    serial: Serial,
    pub(crate) window: Window,
    pub(crate) key_id: Vec<u8>,
    is_self_signed: bool,
    remarks: Vec<Warning>,
}

/// How long before its end an issuer is reported, at most: one with a short life is then in its last third.
const SOON: time::Duration = time::Duration::days(30);
const LAST_PART: i32 = 3;

impl Issuer {
    /// Restores an issuer from storage: parses and matches key and certificate, and repeats no other check, so it is
    /// fast.
    ///
    /// Every error is a bug or damaged storage.
    pub fn from_parts(
        certificate_der: Vec<u8>,
        chain: Vec<Vec<u8>>,
        key: &SecretSlice<u8>,
    ) -> Result<Self, Error> {
        Self::from_key(certificate_der, chain, PrivateKey::from_pkcs8(key).map_err(Error::bug)?)
    }

    pub(crate) fn from_key(
        certificate: Vec<u8>,
        chain: Vec<Vec<u8>>,
        key: PrivateKey,
    ) -> Result<Self, Error> {
        let authority =
            Authority::parse(&certificate).ok_or_else(|| Error::bug("an issuer cannot be read"))?;
        if !authority.carries(key.public_bits()) {
            return Err(Error::bug("an issuer's key is not its certificate's"));
        }
        let x509 = &authority.x509;
        let validity = x509.validity();
        Ok(Self(Arc::new(IssuerParts {
            verifier: verifier(&key)?,
            subject: x509.subject().as_raw().to_vec(),
            serial: Serial::from_bytes(x509.raw_serial()),
            window: Window::within(validity.not_before.to_datetime(), validity.not_after.to_datetime())?,
            key_id: key_id(x509),
            is_self_signed: authority.is_self_issued() && authority.verifies_under(&authority),
            remarks: remarks(x509),
            path: path(&certificate, &chain)?,
            subject_text: authority.subject,
            certificate,
            chain,
            key,
        })))
    }

    /// The certificate in DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.0.certificate
    }

    /// The certificate in PEM, as a trust anchor holds it.
    pub fn certificate_pem(&self) -> String {
        encode(&self.0.certificate)
    }

    /// The parents in DER, from the issuer's own upwards, without the issuer itself.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.0.chain
    }

    /// The parents in PEM, one text each, in the order of [`Self::chain`].
    pub fn chain_pem(&self) -> Vec<String> {
        self.0.chain.iter().map(|der| encode(der)).collect()
    }

    /// The certificates that a verifier of a leaf may need besides its trust anchor: the issuer and its parents in DER,
    /// without a self-signed root, up to the first that is signed with RSASSA-PSS. That one is useful in the trust
    /// anchor alone (see [`Warning::PssSignature`]).
    pub fn path(&self) -> Vec<Vec<u8>> {
        self.0.path.clone()
    }

    /// The key in PKCS#8 DER, for sealed storage and nothing else.
    pub fn key_pkcs8(&self) -> &SecretSlice<u8> {
        self.0.key.pkcs8()
    }

    /// The kind of key.
    pub fn key_spec(&self) -> KeySpec {
        self.0.key.spec()
    }

    /// The certificate's serial number.
    pub fn serial(&self) -> &Serial {
        &self.0.serial
    }

    /// SHA-256 of the public key (the bits of `subjectPublicKey`, RFC 5280 §4.1.2.7), lowercase hex: equal for every certificate of the key.
    pub fn key_sha256(&self) -> String {
        hex::encode(digest::digest(&digest::SHA256, self.0.key.public_bits()))
    }

    /// Whether `der` is a certificate of this issuer's key: its own, or another one.
    pub fn shares_key_with(&self, der: &[u8]) -> bool {
        Authority::parse(der).is_some_and(|other| other.carries(self.0.key.public_bits()))
    }

    /// Whether `der` is a CA above this one: it signed this certificate or one of its chain, or would have (a root that was
    /// issued anew, or one that was not supplied).
    pub fn is_below(&self, der: &[u8]) -> bool {
        let Some(above) = Authority::parse(der).filter(|_| der != self.0.certificate) else { return false };
        let path = std::iter::once(&self.0.certificate).chain(&self.0.chain);
        path.filter_map(|der| Authority::parse(der))
            .any(|one| one.names(&above) && one.verifies_under(&above))
    }

    /// Whether `der` is a CA above this one, or may be: if the supplied chain does not reach a root, nobody can tell.
    pub fn may_be_below(&self, der: &[u8]) -> bool {
        let top = self.0.chain.last().unwrap_or(&self.0.certificate);
        let is_whole =
            Authority::parse(top).is_some_and(|top| top.is_self_issued() && top.verifies_under(&top));
        !is_whole || self.is_below(der)
    }

    /// The subject as text in encoded order: `DC=com, DC=example, CN=Issuing CA`.
    pub fn subject_text(&self) -> &str {
        &self.0.subject_text
    }

    /// The subject's attributes in encoded order: the type as a dotted object identifier, and the value.
    pub fn subject_attributes(&self) -> Result<Vec<(String, String)>, Error> {
        let (_, subject) = X509Name::from_der(&self.0.subject).map_err(Error::bug)?;
        Ok(name::attributes(&subject))
    }

    /// The first instant of its validity.
    pub fn not_before(&self) -> OffsetDateTime {
        self.0.window.not_before
    }

    /// The last instant of its validity; no leaf outlives it.
    pub fn not_after(&self) -> OffsetDateTime {
        self.0.window.not_after
    }

    /// The subject key identifier in lowercase hex; if the certificate has none, the one that its leaves name.
    pub fn key_id(&self) -> String {
        hex::encode(&self.0.key_id)
    }

    /// Whether the certificate is signed with its own key.
    pub fn is_self_signed(&self) -> bool {
        self.0.is_self_signed
    }

    /// What an operator should know about this issuer, although it works.
    pub fn warnings(&self, now: OffsetDateTime) -> Vec<Warning> {
        self.0.remarks.iter().cloned().chain(self.expiry_warning(now)).collect()
    }

    /// [`Warning::ExpiresSoon`] within 30 days of the end, or within the last third of a life shorter than 90 days.
    pub fn expiry_warning(&self, now: OffsetDateTime) -> Option<Warning> {
        let Window { not_before, not_after } = self.0.window;
        let soon = SOON.min((not_after - not_before) / LAST_PART);
        (not_after - now < soon).then_some(Warning::ExpiresSoon { not_after })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({:?}, {})", self.subject_text(), self.0.serial)
    }
}

/// A condition that works and is still worth reporting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A leaf ends with its issuer, earlier than requested.
    CappedByIssuer {
        /// The requested end.
        asked: OffsetDateTime,
        /// The granted end.
        not_after: OffsetDateTime,
    },
    /// An issuer ends within 30 days, or is in the last third of a shorter life.
    ExpiresSoon {
        /// Its end.
        not_after: OffsetDateTime,
    },
    /// An issuer may not sign revocation lists.
    NoCrlSign,
    /// An issuer has an extended key usage that leaves client authentication out.
    NoClientAuth,
    /// An issuer restricts the names under it.
    NameConstraints,
    /// An issuer's certificate is signed with RSASSA-PSS: good in a trust anchor, and nowhere else, because AWS documents PKCS#1 v1.5.
    PssSignature,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CappedByIssuer { asked, not_after } => write!(
                f,
                "the certificate ends with its issuer at {} instead of {}; replace the issuer soon",
                utc(*not_after),
                utc(*asked)
            ),
            Self::ExpiresSoon { not_after } => {
                write!(f, "the issuer ends at {}, and every certificate under it", utc(*not_after))
            }
            Self::NoCrlSign => {
                f.write_str("the issuer's keyUsage lacks cRLSign: no revocation list can be signed with it")
            }
            Self::NoClientAuth => f.write_str(
                "the issuer's extendedKeyUsage lacks clientAuth: verifiers may refuse its certificates",
            ),
            Self::NameConstraints => {
                f.write_str("the issuer has nameConstraints: AWS may refuse certificates with other names")
            }
            Self::PssSignature => f.write_str(
                "the issuer's certificate is signed with RSA-PSS, which AWS may not verify: let the trust anchor hold this certificate itself, as trust-bundle shows it, and not a parent of it",
            ),
        }
    }
}

fn path(certificate: &[u8], chain: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Error> {
    let mut path = Vec::new();
    for der in std::iter::once(certificate).chain(chain.iter().map(Vec::as_slice)) {
        let authority =
            Authority::parse(der).ok_or_else(|| Error::bug("an issuer's parent cannot be read"))?;
        if algorithm::is_pss(&authority.x509.signature_algorithm) {
            break;
        }
        if !authority.is_self_issued() {
            path.push(der.to_vec());
        }
    }
    Ok(path)
}

/// Checks signatures of the key with the certificate's public key.
fn verifier(key: &PrivateKey) -> Result<ParsedPublicKey, Error> {
    let check = match key.spec() {
        KeySpec::EcP256 => algorithm::EC_P256_CHECK,
        KeySpec::EcP384 => algorithm::EC_P384_CHECK,
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => algorithm::RSA_CHECK,
        KeySpec::MlDsa44 => algorithm::ML_DSA_44_CHECK,
        KeySpec::MlDsa65 => algorithm::ML_DSA_65_CHECK,
        KeySpec::MlDsa87 => algorithm::ML_DSA_87_CHECK,
    };
    ParsedPublicKey::new(check, key.public_bits()).map_err(Error::bug)
}

/// The subject key identifier, or RFC 7093 §2 method 4 (as rcgen does: SHA-256 of the SPKI, 20 bytes) where there is none.
fn key_id(x509: &X509Certificate<'_>) -> Vec<u8> {
    let given = x509.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    });
    given.unwrap_or_else(|| digest::digest(&digest::SHA256, x509.public_key().raw).as_ref()[..20].to_vec())
}

fn remarks(x509: &X509Certificate<'_>) -> Vec<Warning> {
    let found = |warning: Warning, is: bool| is.then_some(warning);
    let usage = x509.key_usage().ok().flatten();
    let extended = x509.extended_key_usage().ok().flatten();
    let constrained = x509.name_constraints().ok().flatten().is_some();
    [
        found(Warning::NoCrlSign, usage.is_some_and(|usage| !usage.value.crl_sign())),
        found(
            Warning::NoClientAuth,
            extended.is_some_and(|usage| !usage.value.client_auth && !usage.value.any),
        ),
        found(Warning::NameConstraints, constrained),
        found(
            Warning::PssSignature,
            algorithm::is_pss(&x509.signature_algorithm) && x509.subject().as_raw() != x509.issuer().as_raw(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The DER of the one certificate in a PEM text that [`Issuer::certificate_pem`] or [`Issuer::chain_pem`] wrote.
///
/// Errors name the field `certificate`.
pub fn der_of_pem(text: &str) -> Result<Vec<u8>, Error> {
    let field = "certificate";
    let mut certificates = Bundle::parse(text, field)?.certificates;
    match (certificates.pop(), certificates.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(BundleFault::NoCertificate.of(field)),
        (Some(_), others) => Err(BundleFault::TooManyCertificates(others + 1, 1).of(field)),
    }
}

fn encode(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", der)).replace("\r\n", "\n")
}
