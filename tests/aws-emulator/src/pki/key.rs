//! Public keys and the signatures they check.

use der::{Decode, asn1::ObjectIdentifier, referenced::OwnedToRef};
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87, MlDsaParams};
use p256::ecdsa::signature::{Verifier, hazmat::PrehashVerifier};
use sha2::{Digest, Sha256, Sha384, Sha512};
use spki::SubjectPublicKeyInfoOwned;

use super::certificate::{Malformed, first_element};

const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";
const ML_DSA_44: &str = "2.16.840.1.101.3.4.3.17";
const ML_DSA_65: &str = "2.16.840.1.101.3.4.3.18";
const ML_DSA_87: &str = "2.16.840.1.101.3.4.3.19";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";

const RSA_SHA256: &str = "1.2.840.113549.1.1.11";
const RSA_SHA384: &str = "1.2.840.113549.1.1.12";
const RSA_SHA512: &str = "1.2.840.113549.1.1.13";
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";
const ECDSA_SHA512: &str = "1.2.840.10045.4.3.4";

/// Whether a signature algorithm is RSA PKCS#1 v1.5 or ECDSA with SHA-256 or stronger, or ML-DSA.
pub(crate) fn strong_enough(algorithm: &ObjectIdentifier) -> bool {
    Algorithm::of(algorithm).is_some()
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How a certificate or a revocation list is signed.
#[derive(Clone, Copy)]
enum Algorithm {
    Rsa(Hash),
    Ec(Hash),
    /// Pure, with an empty context; of a key of this very size.
    MlDsa(Size),
}

/// The parameter set of ML-DSA.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    S44,
    S65,
    S87,
}

impl Algorithm {
    fn of(oid: &ObjectIdentifier) -> Option<Algorithm> {
        Some(match oid.to_string().as_str() {
            RSA_SHA256 => Algorithm::Rsa(Hash::Sha256),
            RSA_SHA384 => Algorithm::Rsa(Hash::Sha384),
            RSA_SHA512 => Algorithm::Rsa(Hash::Sha512),
            ECDSA_SHA256 => Algorithm::Ec(Hash::Sha256),
            ECDSA_SHA384 => Algorithm::Ec(Hash::Sha384),
            ECDSA_SHA512 => Algorithm::Ec(Hash::Sha512),
            ML_DSA_44 => Algorithm::MlDsa(Size::S44),
            ML_DSA_65 => Algorithm::MlDsa(Size::S65),
            ML_DSA_87 => Algorithm::MlDsa(Size::S87),
            _ => return None,
        })
    }
}

/// The algorithm that a request's label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Rsa,
    Ec,
    MlDsa,
}

/// A key of a kind or size the emulator does not take.
#[derive(Debug, thiserror::Error)]
#[error("unsupported key: {0}")]
pub(crate) struct Unsupported(String);

/// RSA of 2048-4096 bits, P-256, P-384, P-521, or ML-DSA of any of its three sizes.
pub(crate) enum Key {
    Rsa(Box<rsa::PublicKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
    MlDsa44(Box<ml_dsa::VerifyingKey<MlDsa44>>),
    MlDsa65(Box<ml_dsa::VerifyingKey<MlDsa65>>),
    MlDsa87(Box<ml_dsa::VerifyingKey<MlDsa87>>),
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// An ECDSA signature that is not DER.
    Encoding,
    /// RSA-PSS instead of PKCS#1 v1.5.
    Pss,
    /// Another key, or other bytes.
    Wrong,
}

impl Key {
    pub(crate) fn from_spki(spki: &SubjectPublicKeyInfoOwned) -> Result<Key, Unsupported> {
        match spki.algorithm.oid.to_string().as_str() {
            RSA => rsa_key(spki),
            EC => ec_key(spki),
            ML_DSA_44 => ml_dsa_key(spki).map(|key| Key::MlDsa44(Box::new(key))),
            ML_DSA_65 => ml_dsa_key(spki).map(|key| Key::MlDsa65(Box::new(key))),
            ML_DSA_87 => ml_dsa_key(spki).map(|key| Key::MlDsa87(Box::new(key))),
            other => Err(Unsupported(format!("algorithm {other}"))),
        }
    }

    pub(crate) fn key_type(&self) -> KeyType {
        match self {
            Key::Rsa(_) => KeyType::Rsa,
            Key::P256(_) | Key::P384(_) | Key::P521(_) => KeyType::Ec,
            Key::MlDsa44(_) | Key::MlDsa65(_) | Key::MlDsa87(_) => KeyType::MlDsa,
        }
    }

    /// Checks a request's signature: over SHA-256 of `message`, whatever the curve, in PKCS#1 v1.5 for RSA and DER for
    /// ECDSA; for ML-DSA the pure signature of `message` itself, with an empty context.
    pub(crate) fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), Mismatch> {
        self.verify(Hash::Sha256, message, signature)
    }

    fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<(), Mismatch> {
        match self {
            Key::Rsa(key) => return verify_rsa(key, hash, message, signature),
            Key::MlDsa44(key) => return verify_ml_dsa(key, message, signature),
            Key::MlDsa65(key) => return verify_ml_dsa(key, message, signature),
            Key::MlDsa87(key) => return verify_ml_dsa(key, message, signature),
            Key::P256(_) | Key::P384(_) | Key::P521(_) => {}
        }
        let digest = match hash {
            Hash::Sha256 => Sha256::digest(message).to_vec(),
            Hash::Sha384 => Sha384::digest(message).to_vec(),
            Hash::Sha512 => Sha512::digest(message).to_vec(),
        };
        self.verify_ec(&digest, signature)
    }

    fn size(&self) -> Option<Size> {
        match self {
            Key::MlDsa44(_) => Some(Size::S44),
            Key::MlDsa65(_) => Some(Size::S65),
            Key::MlDsa87(_) => Some(Size::S87),
            Key::Rsa(_) | Key::P256(_) | Key::P384(_) | Key::P521(_) => None,
        }
    }

    /// Checks the signature of a certificate or a revocation list.
    fn verify_as(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), Mismatch> {
        match algorithm {
            Algorithm::Rsa(hash) if self.key_type() == KeyType::Rsa => self.verify(hash, message, signature),
            Algorithm::Ec(hash) if self.key_type() == KeyType::Ec => self.verify(hash, message, signature),
            Algorithm::MlDsa(size) if self.size() == Some(size) => {
                self.verify(Hash::Sha256, message, signature)
            }
            Algorithm::Rsa(_) | Algorithm::Ec(_) | Algorithm::MlDsa(_) => Err(Mismatch::Wrong),
        }
    }

    fn verify_ec(&self, digest: &[u8], signature: &[u8]) -> Result<(), Mismatch> {
        let held = match self {
            Key::P256(key) => {
                key.verify_prehash(digest, &der_signature(p256::ecdsa::Signature::from_der(signature))?)
            }
            Key::P384(key) => {
                key.verify_prehash(digest, &der_signature(p384::ecdsa::Signature::from_der(signature))?)
            }
            Key::P521(key) => {
                key.verify_prehash(digest, &der_signature(p521::ecdsa::Signature::from_der(signature))?)
            }
            Key::Rsa(_) | Key::MlDsa44(_) | Key::MlDsa65(_) | Key::MlDsa87(_) => return Err(Mismatch::Wrong),
        };
        held.map_err(|_| Mismatch::Wrong)
    }
}

fn der_signature<S, E>(parsed: Result<S, E>) -> Result<S, Mismatch> {
    parsed.map_err(|_| Mismatch::Encoding)
}

fn rsa_key(spki: &SubjectPublicKeyInfoOwned) -> Result<Key, Unsupported> {
    use rsa::traits::PublicKeyParts;
    let key =
        rsa::PublicKey::try_from(spki.owned_to_ref()).map_err(|error| Unsupported(error.to_string()))?;
    let bits = key.size() * 8;
    if (2048..=4096).contains(&bits) {
        Ok(Key::Rsa(Box::new(key)))
    } else {
        Err(Unsupported(format!("RSA of {bits} bits, allowed are 2048-4096")))
    }
}

fn ml_dsa_key<P>(spki: &SubjectPublicKeyInfoOwned) -> Result<ml_dsa::VerifyingKey<P>, Unsupported>
where
    P: MlDsaParams + spki::AssociatedAlgorithmIdentifier<Params = der::AnyRef<'static>>,
{
    ml_dsa::VerifyingKey::try_from(spki.owned_to_ref()).map_err(|error| Unsupported(error.to_string()))
}

fn verify_ml_dsa<P: MlDsaParams>(
    key: &ml_dsa::VerifyingKey<P>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Mismatch> {
    let signature = ml_dsa::Signature::try_from(signature).map_err(|_| Mismatch::Wrong)?;
    key.verify(message, &signature).map_err(|_| Mismatch::Wrong)
}

fn ec_key(spki: &SubjectPublicKeyInfoOwned) -> Result<Key, Unsupported> {
    let curve = spki.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    let curve = curve.map(|curve| curve.to_string()).unwrap_or_default();
    let point = spki.subject_public_key.raw_bytes();
    let bad = |_| Unsupported("a point that is not on its curve".to_owned());
    match curve.as_str() {
        P256 => {
            p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Key::P256(Box::new(key))).map_err(bad)
        }
        P384 => {
            p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Key::P384(Box::new(key))).map_err(bad)
        }
        P521 => {
            p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Key::P521(Box::new(key))).map_err(bad)
        }
        other => Err(Unsupported(format!("curve {other}"))),
    }
}

fn verify_rsa(key: &rsa::PublicKey, hash: Hash, message: &[u8], signature: &[u8]) -> Result<(), Mismatch> {
    use rsa::pkcs1v15::{Signature, VerifyingKey};
    let signature = Signature::try_from(signature).map_err(|_| Mismatch::Wrong)?;
    let key = key.clone();
    let held = match hash {
        Hash::Sha256 => VerifyingKey::<Sha256>::new(key.clone()).verify(message, &signature),
        Hash::Sha384 => VerifyingKey::<Sha384>::new(key.clone()).verify(message, &signature),
        Hash::Sha512 => VerifyingKey::<Sha512>::new(key.clone()).verify(message, &signature),
    };
    held.map_err(|_| if is_pss(key, message, &signature) { Mismatch::Pss } else { Mismatch::Wrong })
}

fn is_pss(key: rsa::PublicKey, message: &[u8], signature: &rsa::pkcs1v15::Signature) -> bool {
    use rsa::signature::SignatureEncoding;
    let signature = rsa::pss::Signature::try_from(signature.to_vec().as_slice());
    let key = rsa::pss::VerifyingKey::<Sha256>::new(key);
    signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// `SEQUENCE { signed bytes, algorithm, signature }`: the shape of certificates and revocation lists.
pub(crate) struct Signed {
    message: Vec<u8>,
    algorithm: ObjectIdentifier,
    signature: Vec<u8>,
}

#[derive(der::Sequence)]
struct Shape {
    message: der::Any,
    algorithm: spki::AlgorithmIdentifierOwned,
    signature: der::asn1::BitString,
}

impl Signed {
    pub(crate) fn from_der(der: &[u8]) -> Result<Signed, Malformed> {
        let shape = Shape::from_der(der)?;
        Ok(Signed {
            message: first_element(der)?,
            algorithm: shape.algorithm.oid,
            signature: shape.signature.raw_bytes().to_vec(),
        })
    }

    /// Whether `key` made this signature; a weak or unknown algorithm never holds.
    pub(crate) fn holds(&self, key: &Key) -> bool {
        Algorithm::of(&self.algorithm)
            .is_some_and(|algorithm| key.verify_as(algorithm, &self.message, &self.signature).is_ok())
    }
}
