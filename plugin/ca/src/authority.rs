//! Parses certificate authorities and checks them against the rules for an issuer and for its parents.

use aws_lc_rs::signature::UnparsedPublicKey;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::algorithm::{self, PublicKind};
use crate::error::{Error, Flaw};
use crate::name;

/// A parsed certificate beside its bytes and its subject as text.
pub(crate) struct Authority<'a> {
    pub(crate) der: &'a [u8],
    pub(crate) x509: X509Certificate<'a>,
    pub(crate) subject: String,
}

/// The position of a certificate in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// It signs leaves.
    Issuer(PathLength),
    /// It stands above this many CAs.
    Parent(u32),
}

/// Whether an issuer must have `pathlen:0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathLength {
    Required,
    Forced,
}

impl PathLength {
    pub(crate) fn unless(forced: bool) -> Self {
        if forced { Self::Forced } else { Self::Required }
    }
}

impl<'a> Authority<'a> {
    /// Parses one whole X.509 certificate; `None` for anything else.
    pub(crate) fn parse(der: &'a [u8]) -> Option<Self> {
        let (rest, x509) = X509Certificate::from_der(der).ok()?;
        let subject = name::text(x509.subject());
        rest.is_empty().then_some(Self { der, x509, subject })
    }

    pub(crate) fn carries(&self, public_bits: &[u8]) -> bool {
        self.x509.public_key().subject_public_key.data.as_ref() == public_bits
    }

    /// Whether this certificate names itself as its issuer.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.names(self)
    }

    /// Whether this certificate's issuer is the other's subject, byte for byte.
    pub(crate) fn names(&self, parent: &Self) -> bool {
        self.x509.issuer().as_raw() == parent.x509.subject().as_raw()
    }

    /// Whether the signature was made with the parent's key.
    pub(crate) fn verifies_under(&self, parent: &Self) -> bool {
        verify(&self.x509, parent.x509.public_key())
    }

    /// Checks every rule for an issuer or a parent. The error is the first rule that is broken, under the name of the
    /// field.
    pub(crate) fn check(
        &self,
        position: Position,
        now: OffsetDateTime,
        field: &'static str,
    ) -> Result<(), Error> {
        [
            shape(&self.x509),
            is_ca(&self.x509, position),
            is_valid_at(&self.x509, now),
            is_strong(&self.x509, position),
        ]
        .into_iter()
        .collect::<Result<(), Flaw>>()
        .map_err(|flaw| flaw.of(field, &self.subject))
    }
}

fn verify(signed: &X509Certificate<'_>, key: &SubjectPublicKeyInfo<'_>) -> bool {
    let kind = algorithm::public_kind(key).ok();
    let check = kind.and_then(|kind| algorithm::verification(kind, &signed.signature_algorithm));
    check.is_some_and(|check| {
        UnparsedPublicKey::new(check, &key.subject_public_key.data)
            .verify(signed.tbs_certificate.as_ref(), &signed.signature_value.data)
            .is_ok()
    })
}

/// RFC 5280 §4.1.2.1, §4.1.2.4 and §4.1.2.6; AWS: certificates are X.509 v3, and empty subjects are not supported.
fn shape(x509: &X509Certificate<'_>) -> Result<(), Flaw> {
    if x509.version().0 != 2 {
        return Err(Flaw::Version(x509.version().0 + 1));
    }
    if x509.subject().iter_rdn().next().is_none() {
        return Err(Flaw::EmptySubject);
    }
    let names = [("subject", x509.subject()), ("issuer", x509.issuer())];
    match names.into_iter().find(|(_, name)| !name::is_whole(name.as_raw())) {
        Some((whose, _)) => Err(Flaw::BrokenName(whose)),
        None => Ok(()),
    }
}

/// AWS: a CA has basicConstraints CA:TRUE and keyUsage keyCertSign. RFC 5280 §4.2.1.9 for the path length.
fn is_ca(x509: &X509Certificate<'_>, position: Position) -> Result<(), Flaw> {
    let constraints = x509.basic_constraints().map_err(|_| Flaw::Extension("basicConstraints"))?;
    let constraints = constraints.map(|found| found.value).filter(|found| found.ca).ok_or(Flaw::NotCa)?;
    let usage = x509.key_usage().map_err(|_| Flaw::Extension("keyUsage"))?;
    if !usage.is_some_and(|usage| usage.value.key_cert_sign()) {
        return Err(Flaw::NoKeyCertSign);
    }
    match (position, constraints.path_len_constraint) {
        (Position::Issuer(PathLength::Required), found) if found != Some(0) => Err(Flaw::PathLength(found)),
        (Position::Parent(beneath), Some(allowed)) if allowed < beneath => {
            Err(Flaw::TooDeep { allowed, beneath })
        }
        _ => Ok(()),
    }
}

fn is_valid_at(x509: &X509Certificate<'_>, now: OffsetDateTime) -> Result<(), Flaw> {
    let validity = x509.validity();
    let (not_before, not_after) = (validity.not_before.to_datetime(), validity.not_after.to_datetime());
    if not_after < now {
        return Err(Flaw::Expired(not_after));
    }
    if not_before > now {
        return Err(Flaw::NotYetValid(not_before));
    }
    Ok(())
}

/// AWS: signatures use SHA-256 or stronger. The key of an issuer must be one that this crate can sign with, that of a
/// parent one that it can check.
fn is_strong(x509: &X509Certificate<'_>, position: Position) -> Result<(), Flaw> {
    algorithm::accepted_of_ca(&x509.signature_algorithm)?;
    let parent_keys = "ec-p256, ec-p384, ec-p521, rsa-2048 to rsa-8192, ml-dsa-44, ml-dsa-65 or ml-dsa-87";
    let issuer_keys = "ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, ml-dsa-44, ml-dsa-65 or ml-dsa-87";
    let kind = algorithm::public_kind(x509.public_key());
    match (position, kind) {
        (Position::Parent(_), Ok(_))
        | (
            _,
            Ok(
                PublicKind::P256
                | PublicKind::P384
                | PublicKind::Rsa(2048 | 3072 | 4096)
                | PublicKind::MlDsa44
                | PublicKind::MlDsa65
                | PublicKind::MlDsa87,
            ),
        ) => Ok(()),
        (Position::Issuer(_), Ok(PublicKind::P521)) => {
            Err(Flaw::UnsupportedKey("ec-p521".to_owned(), issuer_keys))
        }
        (Position::Issuer(_), Ok(PublicKind::Rsa(bits))) => {
            Err(Flaw::UnsupportedKey(format!("rsa-{bits}"), issuer_keys))
        }
        (Position::Issuer(_), Err(name)) => Err(Flaw::UnsupportedKey(name, issuer_keys)),
        (Position::Parent(_), Err(name)) => Err(Flaw::UnsupportedKey(name, parent_keys)),
    }
}
