//! Private keys of every kind a certificate may hold, with the right and the wrong ways to sign with them.

use crypto_common::Generate;
use der::asn1::{BitString, Null, ObjectIdentifier};
use der::{Any, Decode};
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87};
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rsa::{pkcs1v15::Pkcs1v15Sign, pss::Pss};
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Signer;
use signature::hazmat::PrehashSigner;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use std::sync::LazyLock;

/// A private key; the variants are the kinds AWS documents, and Ed25519, which it does not take.
#[derive(Clone)]
pub(crate) enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Rsa(Box<rsa::PrivateKey>),
    Ed25519([u8; 32]),
    MlDsa44(Box<ml_dsa::SigningKey<MlDsa44>>),
    MlDsa65(Box<ml_dsa::SigningKey<MlDsa65>>),
    MlDsa87(Box<ml_dsa::SigningKey<MlDsa87>>),
}

/// The digest of a certificate's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How the string to sign becomes a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// The form that the signing page requires: PKCS#1 v1.5, ECDSA in DER, pure ML-DSA, each over SHA-256 where there is a digest.
    Documented,
    /// ECDSA as two integers side by side.
    RawEcdsa,
    /// RSA with PSS padding.
    Pss,
    /// ML-DSA over the SHA-256 of the string to sign.
    MlDsaOverDigest,
    /// ML-DSA with a context string.
    MlDsaWithContext,
}

/// One RSA key for the whole test run: making one takes longer than any test.
static RSA_2048: LazyLock<rsa::PrivateKey> = LazyLock::new(|| rsa_key(2048));

impl Key {
    pub(crate) fn p256() -> Self {
        Self::P256(Generate::generate())
    }

    pub(crate) fn p384() -> Self {
        Self::P384(Generate::generate())
    }

    pub(crate) fn p521() -> Self {
        Self::P521(Generate::generate())
    }

    pub(crate) fn rsa_2048() -> Self {
        Self::Rsa(Box::new(RSA_2048.clone()))
    }

    pub(crate) fn rsa_1024() -> Self {
        Self::Rsa(Box::new(rsa_key(1024)))
    }

    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Generate::generate())
    }

    pub(crate) fn ml_dsa_44() -> Self {
        Self::MlDsa44(Box::new(Generate::generate()))
    }

    pub(crate) fn ml_dsa_87() -> Self {
        Self::MlDsa87(Box::new(Generate::generate()))
    }

    pub(crate) fn ml_dsa_65() -> Self {
        Self::MlDsa65(Box::new(Generate::generate()))
    }

    /// The algorithm AWS names for this kind of key in the `Authorization` header.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "AWS4-X509-RSA-SHA256",
            Self::MlDsa44(_) | Self::MlDsa65(_) | Self::MlDsa87(_) => "AWS4-X509-MLDSA",
            Self::P256(_) | Self::P384(_) | Self::P521(_) | Self::Ed25519(_) => "AWS4-X509-ECDSA-SHA256",
        }
    }

    pub(crate) fn public(&self) -> SubjectPublicKeyInfoOwned {
        let document = match self {
            Self::P256(key) => p256::PublicKey::from(key.verifying_key()).to_public_key_der(),
            Self::P384(key) => p384::PublicKey::from(key.verifying_key()).to_public_key_der(),
            Self::P521(key) => p521::PublicKey::from(key.verifying_key()).to_public_key_der(),
            Self::Rsa(key) => key.to_public_key().to_public_key_der(),
            Self::MlDsa44(key) => signature::Keypair::verifying_key(&**key).to_public_key_der(),
            Self::MlDsa65(key) => signature::Keypair::verifying_key(&**key).to_public_key_der(),
            Self::MlDsa87(key) => signature::Keypair::verifying_key(&**key).to_public_key_der(),
            Self::Ed25519(seed) => return ed25519_public(seed),
        };
        SubjectPublicKeyInfoOwned::from_der(document.unwrap().as_bytes()).unwrap()
    }

    /// PKCS#8 PEM, for clients that read the key from a file.
    pub(crate) fn pkcs8_pem(&self) -> String {
        let pem = match self {
            Self::P256(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::P384(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::P521(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::Rsa(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::MlDsa44(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::MlDsa65(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::MlDsa87(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::Ed25519(_) => panic!("no client of these tests reads an Ed25519 key"),
        };
        pem.unwrap().to_string()
    }

    /// Signs the string to sign of a request.
    pub(crate) fn sign_request(&self, scheme: Scheme, message: &[u8]) -> Vec<u8> {
        match (self, scheme) {
            (Self::P256(key), Scheme::RawEcdsa) => {
                sign_p256(key, &Sha256::digest(message)).to_bytes().to_vec()
            }
            (Self::Rsa(key), Scheme::Pss) => {
                key.sign(Pss::<Sha256>::new(), &Sha256::digest(message)).unwrap()
            }
            (Self::MlDsa65(key), Scheme::MlDsaOverDigest) => {
                ml_dsa_signature(key, &Sha256::digest(message), b"")
            }
            (Self::MlDsa65(key), Scheme::MlDsaWithContext) => {
                ml_dsa_signature(key, message, b"rolesanywhere")
            }
            (_, Scheme::Documented) => self.sign(Hash::Sha256, message),
            (_, other) => panic!("{other:?} is not a way to sign with this kind of key"),
        }
    }

    /// Signs a certificate or a CRL.
    pub(crate) fn sign(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        let digest = hash.digest(message);
        match self {
            Self::P256(key) => sign_p256(key, &digest).to_der().as_bytes().to_vec(),
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
                signature.to_der().as_bytes().to_vec()
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
                signature.to_der().as_bytes().to_vec()
            }
            Self::Rsa(key) => key.sign(hash.pkcs1(), &digest).unwrap(),
            Self::Ed25519(seed) => ed25519_pair(seed).sign(message).as_ref().to_vec(),
            Self::MlDsa44(key) => key.sign(message).encode().to_vec(),
            Self::MlDsa65(key) => key.sign(message).encode().to_vec(),
            Self::MlDsa87(key) => key.sign(message).encode().to_vec(),
        }
    }

    /// The algorithm identifier that goes with [`Key::sign`] in a certificate.
    pub(crate) fn signature_algorithm(&self, hash: Hash) -> AlgorithmIdentifierOwned {
        let (oid, parameters) = match self {
            Self::P256(_) | Self::P384(_) | Self::P521(_) => (hash.ecdsa_oid(), None),
            Self::Rsa(_) => (hash.rsa_oid(), Some(Any::encode_from(&Null).unwrap())),
            Self::Ed25519(_) => ("1.3.101.112", None),
            Self::MlDsa44(_) => ("2.16.840.1.101.3.4.3.17", None),
            Self::MlDsa65(_) => ("2.16.840.1.101.3.4.3.18", None),
            Self::MlDsa87(_) => ("2.16.840.1.101.3.4.3.19", None),
        };
        AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap(oid), parameters }
    }
}

impl Hash {
    fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => md5::Md5::digest(message).to_vec(),
            Self::Sha1 => sha1::Sha1::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    fn pkcs1(self) -> Pkcs1v15Sign {
        match self {
            Self::Md5 => Pkcs1v15Sign::new::<md5::Md5>(),
            Self::Sha1 => Pkcs1v15Sign::new::<sha1::Sha1>(),
            Self::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
            Self::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
            Self::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        }
    }

    fn rsa_oid(self) -> &'static str {
        match self {
            Self::Md5 => "1.2.840.113549.1.1.4",
            Self::Sha1 => "1.2.840.113549.1.1.5",
            Self::Sha256 => "1.2.840.113549.1.1.11",
            Self::Sha384 => "1.2.840.113549.1.1.12",
            Self::Sha512 => "1.2.840.113549.1.1.13",
        }
    }

    fn ecdsa_oid(self) -> &'static str {
        match self {
            Self::Md5 => panic!("ECDSA with MD5 was never given a name"),
            Self::Sha1 => "1.2.840.10045.4.1",
            Self::Sha256 => "1.2.840.10045.4.3.2",
            Self::Sha384 => "1.2.840.10045.4.3.3",
            Self::Sha512 => "1.2.840.10045.4.3.4",
        }
    }
}

fn sign_p256(key: &p256::ecdsa::SigningKey, digest: &[u8]) -> p256::ecdsa::Signature {
    key.sign_prehash(digest).unwrap()
}

fn ml_dsa_signature(key: &ml_dsa::SigningKey<MlDsa65>, message: &[u8], context: &[u8]) -> Vec<u8> {
    key.expanded_key().sign_deterministic(message, context).unwrap().encode().to_vec()
}

fn rsa_key(bits: usize) -> rsa::PrivateKey {
    let mut random = rsa::rand_core::UnwrapErr(getrandom::SysRng);
    rsa::PrivateKey::new_unchecked(&mut random, bits).unwrap()
}

fn ed25519_pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).unwrap()
}

fn ed25519_public(seed: &[u8; 32]) -> SubjectPublicKeyInfoOwned {
    SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned {
            oid: ObjectIdentifier::new_unwrap("1.3.101.112"),
            parameters: None,
        },
        subject_public_key: BitString::from_bytes(ed25519_pair(seed).public_key().as_ref()).unwrap(),
    }
}
