//! Errors that name the field, the value and the bound. No variant ever holds key bytes.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why a certificate, key or profile was not made or accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of a profile has a value outside its bound.
    #[error("{field}: {value:?} {bound}")]
    Value {
        /// The field as users write it.
        field: &'static str,
        /// The value, shortened to 80 characters.
        value: String,
        /// The bound, as the rest of a sentence about the value.
        bound: String,
    },
    /// The PEM text as a whole cannot be used.
    #[error("{field}: {fault}")]
    Bundle {
        /// The field as users write it.
        field: &'static str,
        /// What is wrong with it.
        fault: BundleFault,
    },
    /// A private key cannot be used.
    #[error("{field}: {fault}")]
    Key {
        /// The field as users write it.
        field: &'static str,
        /// What is wrong with the key.
        fault: KeyFault,
    },
    /// A certificate cannot be an issuer or a parent of one.
    #[error("{field}: {subject:?} {flaw}")]
    Certificate {
        /// The field as users write it.
        field: &'static str,
        /// The certificate's subject.
        subject: String,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The issuer cannot sign at this instant: the operator must replace it.
    #[error("issuer {subject:?} {flaw}")]
    Issuer {
        /// The issuer's subject.
        subject: String,
        /// `Expired` or `NotYetValid`.
        flaw: Flaw,
    },
    /// A leaf made here breaks one of [`crate::LEAF_RULES`] and was thrown away.
    #[error("the certificate just made breaks the rule {rule:?} ({source_text})")]
    Rule {
        /// The rule's name.
        rule: &'static str,
        /// Where the rule comes from.
        source_text: &'static str,
    },
    /// Something that cannot happen with checked input.
    #[error("{0}")]
    Bug(String),
}

impl Error {
    /// Whether it is a bug of this crate: log it whole, and show no detail.
    pub fn is_bug(&self) -> bool {
        matches!(self, Self::Bug(_) | Self::Rule { .. })
    }

    /// Whether only the operator can cure it, whoever made the request: the issuer has expired or is not valid yet.
    pub fn is_operator(&self) -> bool {
        matches!(self, Self::Issuer { .. })
    }

    pub(crate) fn bug(text: impl std::fmt::Display) -> Self {
        Self::Bug(text.to_string())
    }

    pub(crate) fn value(field: &'static str, value: impl AsRef<str>, bound: impl Into<String>) -> Self {
        Self::Value { field, value: shortened(value.as_ref()), bound: bound.into() }
    }
}

/// What is wrong with a PEM bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleFault {
    /// No block could be read, or one is cut short.
    #[error("is not valid PEM: {0}")]
    Malformed(&'static str),
    /// A block that does not belong in a bundle.
    #[error("holds a block of type {0:?}; only certificates and, for an import, one private key belong here")]
    Foreign(String),
    /// No certificate at all.
    #[error("holds no certificate")]
    NoCertificate,
    /// A certificate block is not a certificate.
    #[error("holds a block that is not an X.509 certificate (certificate {0} of the bundle)")]
    NotX509(usize),
    /// Too many certificates: how many, and the bound (5 fit AWS's X-Amz-X509-Chain header).
    #[error("holds {0} certificates; at most {1} belong here")]
    TooManyCertificates(usize, usize),
    /// Too many blocks to be read: how many, and the bound.
    #[error("holds {0} PEM blocks; at most {1} are read")]
    TooManyBlocks(usize, usize),
    /// An import without a key.
    #[error("holds no private key; exactly one is required")]
    NoKey,
    /// An import with several keys.
    #[error("holds {0} private keys; exactly one is required")]
    TooManyKeys(usize),
    /// A signed certificate came with a private key.
    #[error("holds a private key; send certificates only, the key is already here")]
    KeyNotWanted,
    /// No certificate belongs to the key or keys.
    #[error("holds no certificate for {keys} (found {subjects})")]
    NoMatch {
        /// The owner of the keys.
        keys: &'static str,
        /// The subjects found.
        subjects: String,
    },
    /// Two different certificates carry the key.
    #[error("holds two certificates for one key ({0}); send one of them")]
    TwoMatches(String),
}

/// What is wrong with a private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The key is protected by a passphrase.
    #[error("the private key is encrypted ({0}); decrypt it first, for example with `openssl pkey`")]
    Encrypted(String),
    /// The kind of key is not supported for an issuer.
    #[error(
        "a private key of type {0} is not supported; use ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, ml-dsa-44, ml-dsa-65 or ml-dsa-87"
    )]
    Unsupported(String),
    /// The bytes are not a consistent key.
    #[error("the {0} private key cannot be read")]
    Unreadable(&'static str),
}

/// What is wrong with a certificate that should be an issuer or one of its parents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// Not X.509 v3.
    #[error("is an X.509 v{0} certificate; v3 is required")]
    Version(u32),
    /// The subject has no attribute.
    #[error("has an empty subject; AWS cannot match an issuer without a name")]
    EmptySubject,
    /// The name of its subject or issuer is not DER from the first byte to the last.
    #[error("has a name of its {0} that cannot be read to its end; have the certificate made anew")]
    BrokenName(&'static str),
    /// No leaf can be made with it, for a reason that no other rule names.
    #[error("can sign no leaf: {0}")]
    SignsNothing(String),
    /// An extension occurs twice or cannot be read.
    #[error("has a {0} extension that is repeated or cannot be read")]
    Extension(&'static str),
    /// basicConstraints CA:TRUE is missing.
    #[error("is not a CA: basicConstraints with CA:TRUE is required")]
    NotCa,
    /// keyUsage keyCertSign is missing.
    #[error("may not sign certificates: keyUsage with keyCertSign is required")]
    NoKeyCertSign,
    /// An issuer without `pathlen:0`.
    #[error("has {}; an issuer needs pathlen:0, so that no leaf can become a CA; force=true takes it as it is", pathlen(*.0))]
    PathLength(Option<u32>),
    /// A parent that allows fewer CAs below it than there are.
    #[error("allows {allowed} CAs below it (pathlen) and has {beneath}")]
    TooDeep {
        /// Its path length.
        allowed: u32,
        /// CAs below it in this bundle.
        beneath: u32,
    },
    /// The validity has ended.
    #[error("expired at {}", utc(*.0))]
    Expired(OffsetDateTime),
    /// The validity has not begun.
    #[error("is not valid before {}", utc(*.0))]
    NotYetValid(OffsetDateTime),
    /// Signed with something weaker than SHA-256.
    #[error("is signed with {0}; AWS takes SHA-256 or stronger")]
    WeakSignature(String),
    /// Signed with an algorithm that is not supported.
    #[error(
        "is signed with {0}, which is not supported; use ECDSA, RSA PKCS#1 v1.5 or RSA-PSS with SHA-256, SHA-384 or SHA-512, or ML-DSA"
    )]
    UnsupportedSignature(String),
    /// Its key is of a kind that is not supported.
    #[error("has a key of type {0}, which is not supported here; use {1}")]
    UnsupportedKey(String, &'static str),
    /// The signature does not verify.
    #[error("is not signed by {0:?}: the signature does not verify under that key")]
    BadSignature(String),
    /// Belongs to no other certificate of the bundle.
    #[error("does not belong to the chain of the issuer {0:?}; leave it out")]
    Unrelated(String),
}

impl Flaw {
    pub(crate) fn of(self, field: &'static str, subject: &str) -> Error {
        Error::Certificate { field, subject: subject.to_owned(), flaw: self }
    }
}

impl BundleFault {
    pub(crate) fn of(self, field: &'static str) -> Error {
        Error::Bundle { field, fault: self }
    }
}

/// An instant as RFC 3339 in UTC, as users compare it with their own tools' output.
pub(crate) fn utc(instant: OffsetDateTime) -> String {
    instant.to_offset(time::UtcOffset::UTC).format(&Rfc3339).unwrap_or_else(|_| instant.to_string())
}

fn pathlen(found: Option<u32>) -> String {
    found.map_or_else(|| "no path length".to_owned(), |length| format!("pathlen:{length}"))
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_field_value_and_bound() {
        let error = Error::value("key_type", "dsa", "is not one of ec, rsa");

        assert_eq!(error.to_string(), r#"key_type: "dsa" is not one of ec, rsa"#);
    }

    #[test]
    fn a_long_value_is_shortened_and_control_characters_are_escaped() {
        let error = Error::value("common_name", "x\n".repeat(200), "is too long").to_string();

        assert!(error.contains(r"x\n") && !error.contains('\n') && error.len() < 200, "{error}");
    }

    #[test]
    fn only_our_own_faults_are_bugs() {
        assert!(Error::bug("x").is_bug());
        assert!(!BundleFault::NoKey.of("pem_bundle").is_bug());
    }
}
