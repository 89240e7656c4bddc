//! A certificate and its private key: the key signs requests, and the certificate proves who signed.

use std::fmt;

use aws_lc_rs::digest::{Digest, SHA256, SHA384, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA256_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING,
    PqdsaKeyPair, PqdsaSigningAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

/// A leaf certificate, the intermediates above it and the leaf's private key, ready to sign.
///
/// The key stays inside AWS-LC, which clears it when the identity is dropped.
pub struct Identity {
    key: SigningKey,
    certificate_header: String,
    chain_header: Option<String>,
    serial: String,
}

/// A certificate or key that cannot sign for Roles Anywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It is not DER, or has bytes after its end.
    #[error("the {0} is not one DER-coded X.509 certificate")]
    Certificate(&'static str),
    /// Serial numbers are positive, RFC 5280 section 4.1.2.2.
    #[error("the certificate's serial number is negative")]
    NegativeSerial,
    /// There are more intermediates than AWS accepts.
    #[error("the chain has {0} certificates, the maximum is 5")]
    ChainTooLong(usize),
    /// Its key is neither RSA of 2048 to 4096 bits, nor ECDSA on P-256, P-384 or P-521, nor ML-DSA.
    #[error(
        "the certificate's key is not RSA of 2048 to 4096 bits, ECDSA on P-256, P-384 or P-521, or ML-DSA"
    )]
    UnsupportedKey,
    /// The private key cannot be read, or is of another kind than the certificate's.
    #[error("the private key is not a PKCS#8 key of the certificate's kind")]
    Key,
    /// The key does not belong to the certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
}

/// A signature that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The crypto library failed.
    #[error("the request could not be signed")]
    Crypto,
    /// The time has no four-digit year.
    #[error("the time cannot be written into a request")]
    Time,
    /// A part of the request cannot be sent.
    #[error("the request could not be built: {0}")]
    Request(&'static str),
}

/// AWS's limit on `X-Amz-X509-Chain`.
const MAX_CHAIN: usize = 5;

enum SigningKey {
    Rsa(RsaKeyPair),
    /// The key signs SHA-256 itself.
    Ecdsa(EcdsaKeyPair),
    /// AWS-LC's P-384 signer is tied to SHA-384; see [`widened_sha256`].
    EcdsaP384(EcdsaKeyPair),
    MlDsa(PqdsaKeyPair),
}

impl Identity {
    /// Checks that certificate and key belong together and can sign.
    ///
    /// `chain` holds the intermediates below the trust anchor in any order, at most five; the leaf itself is left out
    /// if it is among them.
    #[expect(clippy::needless_pass_by_value, reason = "an identity is made of parts nobody else needs")]
    pub fn new(
        certificate_der: Vec<u8>,
        chain: Vec<Vec<u8>>,
        key_pkcs8: &[u8],
    ) -> Result<Self, IdentityError> {
        let certificate = parse(&certificate_der, "certificate")?;
        if certificate.raw_serial().first().is_some_and(|byte| byte & 0x80 != 0) {
            return Err(IdentityError::NegativeSerial);
        }
        let key = SigningKey::of(certificate.public_key(), key_pkcs8)?;
        let serial = certificate.serial.to_string();
        let chain: Vec<Vec<u8>> = chain.into_iter().filter(|der| *der != certificate_der).collect();
        Ok(Self {
            key,
            serial,
            chain_header: chain_header(&chain)?,
            certificate_header: STANDARD.encode(&certificate_der),
        })
    }

    /// The name of the signature algorithm, such as `AWS4-X509-ECDSA-SHA256`.
    pub fn algorithm(&self) -> &'static str {
        match self.key {
            SigningKey::Rsa(_) => "AWS4-X509-RSA-SHA256",
            SigningKey::Ecdsa(_) | SigningKey::EcdsaP384(_) => "AWS4-X509-ECDSA-SHA256",
            SigningKey::MlDsa(_) => "AWS4-X509-MLDSA",
        }
    }

    /// The certificate's serial number in decimal, of any length, as the credential in a request names it.
    pub fn serial_decimal(&self) -> &str {
        &self.serial
    }

    /// The value of `x-amz-x509`: the leaf as base64 DER.
    pub(crate) fn certificate_header(&self) -> &str {
        &self.certificate_header
    }

    /// The value of `x-amz-x509-chain`: the intermediates as base64 DER, separated by commas without spaces.
    pub(crate) fn chain_header(&self) -> Option<&str> {
        self.chain_header.as_deref()
    }

    /// RSASSA-PKCS1-v1_5 or DER-coded ECDSA, both over SHA-256, or pure ML-DSA of the message with an empty context.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let random = SystemRandom::new();
        match &self.key {
            SigningKey::Rsa(key) => {
                let mut out = vec![0; key.public_modulus_len()];
                let signed = key.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut out);
                signed.map(|()| out)
            }
            SigningKey::Ecdsa(key) => key.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            SigningKey::EcdsaP384(key) => widened_sha256(message)
                .and_then(|hash| key.sign_digest(&hash))
                .map(|signature| signature.as_ref().to_vec()),
            SigningKey::MlDsa(key) => {
                let mut out = vec![0; key.algorithm().signature_len()];
                key.sign(message, &mut out).map(|_| out)
            }
        }
        .map_err(|_| SigningError::Crypto)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("serial", &self.serial)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    fn of(public: &SubjectPublicKeyInfo<'_>, pkcs8: &[u8]) -> Result<Self, IdentityError> {
        let algorithm = &public.algorithm.algorithm;
        if *algorithm == OID_PKCS1_RSAENCRYPTION {
            return Self::rsa(public, pkcs8);
        }
        if let Some(signing) = ml_dsa(algorithm.as_bytes()) {
            let key = PqdsaKeyPair::from_pkcs8(signing, pkcs8).map_err(|_| IdentityError::Key)?;
            same_key(key.public_key().as_ref(), public)?;
            return Ok(Self::MlDsa(key));
        }
        if *algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
            return Err(IdentityError::UnsupportedKey);
        }
        let curve = public.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
        let curve = curve.ok_or(IdentityError::UnsupportedKey)?;
        if curve == OID_EC_P256 {
            ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, public, pkcs8).map(Self::Ecdsa)
        } else if curve == OID_NIST_EC_P384 {
            ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, public, pkcs8).map(Self::EcdsaP384)
        } else if curve == OID_NIST_EC_P521 {
            ecdsa(&ECDSA_P521_SHA256_ASN1_SIGNING, public, pkcs8).map(Self::Ecdsa)
        } else {
            Err(IdentityError::UnsupportedKey)
        }
    }

    fn rsa(public: &SubjectPublicKeyInfo<'_>, pkcs8: &[u8]) -> Result<Self, IdentityError> {
        let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| IdentityError::Key)?;
        if !(256..=512).contains(&key.public_modulus_len()) {
            return Err(IdentityError::UnsupportedKey);
        }
        same_key(key.public_key().as_ref(), public)?;
        Ok(Self::Rsa(key))
    }
}

/// The parameter set that an object identifier of RFC 9881 §2 names, 2.16.840.1.101.3.4.3.17 to .19.
fn ml_dsa(oid: &[u8]) -> Option<&'static PqdsaSigningAlgorithm> {
    let (set, arc) = oid.split_last()?;
    if arc != b"\x60\x86\x48\x01\x65\x03\x04\x03" {
        return None;
    }
    match set {
        17 => Some(&ML_DSA_44_SIGNING),
        18 => Some(&ML_DSA_65_SIGNING),
        19 => Some(&ML_DSA_87_SIGNING),
        _ => None,
    }
}

fn ecdsa(
    algorithm: &'static EcdsaSigningAlgorithm,
    public: &SubjectPublicKeyInfo<'_>,
    pkcs8: &[u8],
) -> Result<EcdsaKeyPair, IdentityError> {
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map_err(|_| IdentityError::Key)?;
    same_key(key.public_key().as_ref(), public)?;
    Ok(key)
}

fn same_key(of_private: &[u8], of_certificate: &SubjectPublicKeyInfo<'_>) -> Result<(), IdentityError> {
    let same = of_private == of_certificate.subject_public_key.data.as_ref();
    if same { Ok(()) } else { Err(IdentityError::KeyMismatch) }
}

/// SHA-256 in the shape of a SHA-384 digest. ECDSA signs the number that a digest represents, and leading zeros do not
/// change that number, so this is ECDSA with SHA-256 on P-384. Roles Anywhere uses SHA-256 with every curve.
fn widened_sha256(message: &[u8]) -> Result<Digest, aws_lc_rs::error::Unspecified> {
    let mut wide = [0; 48];
    wide[16..].copy_from_slice(digest(&SHA256, message).as_ref());
    Digest::import_less_safe(&wide, &SHA384)
}

fn chain_header(chain: &[Vec<u8>]) -> Result<Option<String>, IdentityError> {
    if chain.len() > MAX_CHAIN {
        return Err(IdentityError::ChainTooLong(chain.len()));
    }
    for der in chain {
        parse(der, "chain")?;
    }
    let coded: Vec<String> = chain.iter().map(|der| STANDARD.encode(der)).collect();
    Ok((!coded.is_empty()).then(|| coded.join(",")))
}

fn parse<'a>(der: &'a [u8], what: &'static str) -> Result<X509Certificate<'a>, IdentityError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(IdentityError::Certificate(what)),
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
