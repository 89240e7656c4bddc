//! Object identifiers of keys and signatures: their names, the weak ones, and the check that each signature needs.

use aws_lc_rs::signature::{self as lc, VerificationAlgorithm};
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use crate::der;
use crate::error::Flaw;

/// rsaEncryption.
pub(crate) const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
/// id-ecPublicKey.
pub(crate) const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
/// secp256r1.
pub(crate) const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// secp384r1.
pub(crate) const P384: &[u8] = b"\x2b\x81\x04\x00\x22";
/// secp521r1.
pub(crate) const P521: &[u8] = b"\x2b\x81\x04\x00\x23";

/// ML-DSA-44, key and signature alike (RFC 9881 §2).
pub(crate) const ML_DSA_44: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x03\x11";
/// ML-DSA-65.
pub(crate) const ML_DSA_65: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x03\x12";
/// ML-DSA-87.
pub(crate) const ML_DSA_87: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x03\x13";

const ECDSA_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
const ECDSA_SHA384: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x03";
const ECDSA_SHA512: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x04";
const RSA_SHA256: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
const RSA_SHA384: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c";
const RSA_SHA512: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d";
/// id-RSASSA-PSS; its parameters name the hash and the salt.
const RSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

const MGF1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";
const SHA1: &[u8] = b"\x2b\x0e\x03\x02\x1a";
const SHA224: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x04";
const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
const SHA384: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02";
const SHA512: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";

/// Signature algorithms weaker than SHA-256.
const WEAK: &[(&[u8], &str)] = &[
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02", "RSA with MD2"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "RSA with MD5"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "RSA with SHA-1"),
    (b"\x2b\x0e\x03\x02\x1d", "RSA with SHA-1"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", "RSA with SHA-224"),
    (b"\x2a\x86\x48\xce\x3d\x04\x01", "ECDSA with SHA-1"),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x01", "ECDSA with SHA-224"),
    (b"\x2a\x86\x48\xce\x38\x04\x03", "DSA with SHA-1"),
];

/// Other algorithms that occur in practice, by their common names.
const NAMES: &[(&[u8], &str)] = &[
    (RSA, "rsa"),
    (EC, "ec"),
    (P256, "ec-p256"),
    (P384, "ec-p384"),
    (P521, "ec-p521"),
    (b"\x2b\x81\x04\x00\x0a", "ec-secp256k1"),
    (b"\x2b\x81\x04\x00\x21", "ec-p224"),
    (RSA_PSS, "rsa-pss"),
    (b"\x2b\x65\x6e", "x25519"),
    (b"\x2b\x65\x6f", "x448"),
    (b"\x2b\x65\x70", "ed25519"),
    (b"\x2b\x65\x71", "ed448"),
    (b"\x2a\x86\x48\xce\x38\x04\x01", "dsa"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x02", "dsa-with-SHA256"),
    (ML_DSA_44, "ml-dsa-44"),
    (ML_DSA_65, "ml-dsa-65"),
    (ML_DSA_87, "ml-dsa-87"),
];

/// The name of an algorithm or curve, or its identifier in hex for one that is not listed.
pub(crate) fn name(oid: &[u8]) -> String {
    let known = WEAK.iter().chain(NAMES).find(|(known, _)| *known == oid);
    known.map_or_else(|| format!("oid:{}", hex::encode(oid)), |(_, name)| (*name).to_owned())
}

/// A kind of public key that may have signed a certificate of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublicKind {
    P256,
    P384,
    P521,
    /// The modulus in bits.
    Rsa(usize),
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

/// Returns the kind of key of a certificate, or the name of one that is not supported.
pub(crate) fn public_kind(spki: &SubjectPublicKeyInfo<'_>) -> Result<PublicKind, String> {
    let algorithm = spki.algorithm.algorithm.as_bytes();
    if algorithm == RSA {
        let bits = modulus_bits(&spki.subject_public_key.data, 0).unwrap_or(0);
        return if (2048..=8192).contains(&bits) {
            Ok(PublicKind::Rsa(bits))
        } else {
            Err(format!("rsa-{bits}"))
        };
    }
    match algorithm {
        EC => {}
        ML_DSA_44 => return Ok(PublicKind::MlDsa44),
        ML_DSA_65 => return Ok(PublicKind::MlDsa65),
        ML_DSA_87 => return Ok(PublicKind::MlDsa87),
        other => return Err(name(other)),
    }
    match spki.algorithm.parameters.as_ref().map(|any| any.data) {
        Some(P256) => Ok(PublicKind::P256),
        Some(P384) => Ok(PublicKind::P384),
        Some(P521) => Ok(PublicKind::P521),
        Some(curve) => Err(name(curve)),
        None => Err("ec without a named curve".to_owned()),
    }
}

/// Returns the bits of the modulus in a PKCS#1 key, which is the INTEGER at `position` of the SEQUENCE (0 public, 1
/// private).
pub(crate) fn modulus_bits(pkcs1: &[u8], position: usize) -> Option<usize> {
    let fields = der::children(der::only(pkcs1, der::SEQUENCE)?.content)?;
    let modulus = fields.get(position).filter(|field| field.tag == der::INTEGER)?.content;
    let significant = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
    Some(significant.len() * 8 - significant.first()?.leading_zeros() as usize)
}

/// Refuses a certificate whose own signature algorithm AWS does not accept; the flaw names it.
pub(crate) fn accepted(algorithm: &AlgorithmIdentifier<'_>) -> Result<(), Flaw> {
    let oid = algorithm.algorithm.as_bytes();
    if WEAK.iter().any(|(weak, _)| *weak == oid) {
        return Err(Flaw::WeakSignature(name(oid)));
    }
    match oid {
        ECDSA_SHA256 | ECDSA_SHA384 | ECDSA_SHA512 | RSA_SHA256 | RSA_SHA384 | RSA_SHA512 | ML_DSA_44
        | ML_DSA_65 | ML_DSA_87 => Ok(()),
        _ => Err(Flaw::UnsupportedSignature(name(oid))),
    }
}

/// As [`accepted`], for the certificate of a CA, which may also use RSASSA-PSS (AD CS's "alternate signature"): AWS
/// does not check the signature of a certificate in a trust anchor.
pub(crate) fn accepted_of_ca(algorithm: &AlgorithmIdentifier<'_>) -> Result<(), Flaw> {
    if is_pss(algorithm) { pss(algorithm).map(drop) } else { accepted(algorithm) }
}

/// Whether this is RSASSA-PSS, with whatever parameters.
pub(crate) fn is_pss(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    algorithm.algorithm.as_bytes() == RSA_PSS
}

/// Returns the check for RSASSA-PSS with one hash for message and mask, and a salt of its length, as every issuer
/// writes it (RFC 4055 §3.1).
fn pss(algorithm: &AlgorithmIdentifier<'_>) -> Result<&'static dyn VerificationAlgorithm, Flaw> {
    let odd = |what: String| Flaw::UnsupportedSignature(format!("rsa-pss with {what}"));
    let unread = || odd("parameters that cannot be read".to_owned());
    let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(algorithm) else {
        return Err(unread());
    };
    let mask = parameters.mask_gen_algorithm().map_err(|_| unread())?;
    let hash = parameters.hash_algorithm_oid().as_bytes();
    let (check, length): (&'static dyn VerificationAlgorithm, u32) = match hash {
        SHA256 => (&lc::RSA_PSS_2048_8192_SHA256, 32),
        SHA384 => (&lc::RSA_PSS_2048_8192_SHA384, 48),
        SHA512 => (&lc::RSA_PSS_2048_8192_SHA512, 64),
        SHA1 => return Err(Flaw::WeakSignature("rsa-pss with SHA-1".to_owned())),
        SHA224 => return Err(Flaw::WeakSignature("rsa-pss with SHA-224".to_owned())),
        other => return Err(odd(format!("the hash {}", name(other)))),
    };
    match (mask.mgf.as_bytes() == MGF1 && mask.hash.as_bytes() == hash, parameters.salt_length()) {
        (false, _) => Err(odd("another hash for its mask".to_owned())),
        (true, salt) if salt != length => Err(odd(format!("a salt of {salt} bytes instead of {length}"))),
        (true, _) => Ok(check),
    }
}

/// Returns the check for a signature with this algorithm by a key of this kind; `None` if they do not match.
pub(crate) fn verification(
    kind: PublicKind,
    algorithm: &AlgorithmIdentifier<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (kind, algorithm.algorithm.as_bytes()) {
        (PublicKind::Rsa(_), RSA_PSS) => pss(algorithm).ok()?,
        (PublicKind::P256, ECDSA_SHA256) => &lc::ECDSA_P256_SHA256_ASN1,
        (PublicKind::P256, ECDSA_SHA384) => &lc::ECDSA_P256_SHA384_ASN1,
        (PublicKind::P256, ECDSA_SHA512) => &lc::ECDSA_P256_SHA512_ASN1,
        (PublicKind::P384, ECDSA_SHA256) => &lc::ECDSA_P384_SHA256_ASN1,
        (PublicKind::P384, ECDSA_SHA384) => &lc::ECDSA_P384_SHA384_ASN1,
        (PublicKind::P384, ECDSA_SHA512) => &lc::ECDSA_P384_SHA512_ASN1,
        (PublicKind::P521, ECDSA_SHA256) => &lc::ECDSA_P521_SHA256_ASN1,
        (PublicKind::P521, ECDSA_SHA384) => &lc::ECDSA_P521_SHA384_ASN1,
        (PublicKind::P521, ECDSA_SHA512) => &lc::ECDSA_P521_SHA512_ASN1,
        (PublicKind::Rsa(_), RSA_SHA256) => &lc::RSA_PKCS1_2048_8192_SHA256,
        (PublicKind::Rsa(_), RSA_SHA384) => &lc::RSA_PKCS1_2048_8192_SHA384,
        (PublicKind::Rsa(_), RSA_SHA512) => &lc::RSA_PKCS1_2048_8192_SHA512,
        (PublicKind::MlDsa44, ML_DSA_44) => ML_DSA_44_CHECK,
        (PublicKind::MlDsa65, ML_DSA_65) => ML_DSA_65_CHECK,
        (PublicKind::MlDsa87, ML_DSA_87) => ML_DSA_87_CHECK,
        _ => return None,
    })
}

/// Checks signatures of P-256 keys of this crate.
pub(crate) const EC_P256_CHECK: &dyn VerificationAlgorithm = &lc::ECDSA_P256_SHA256_ASN1;
/// Checks signatures of P-384 keys of this crate.
pub(crate) const EC_P384_CHECK: &dyn VerificationAlgorithm = &lc::ECDSA_P384_SHA384_ASN1;
/// Checks signatures of RSA keys of this crate.
pub(crate) const RSA_CHECK: &dyn VerificationAlgorithm = &lc::RSA_PKCS1_2048_8192_SHA256;
/// Checks signatures of ML-DSA-44 keys.
pub(crate) const ML_DSA_44_CHECK: &dyn VerificationAlgorithm = &lc::ML_DSA_44;
/// Checks signatures of ML-DSA-65 keys.
pub(crate) const ML_DSA_65_CHECK: &dyn VerificationAlgorithm = &lc::ML_DSA_65;
/// Checks signatures of ML-DSA-87 keys.
pub(crate) const ML_DSA_87_CHECK: &dyn VerificationAlgorithm = &lc::ML_DSA_87;
