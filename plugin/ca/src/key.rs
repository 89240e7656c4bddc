//! Private keys: their kinds, how they are made, read in every form that OpenSSL writes, and used to sign.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm,
    RSA_PKCS1_SHA256, RsaKeyPair,
};

use secrecy::{ExposeSecret as _, SecretSlice};

use crate::algorithm;
use crate::der;
use crate::error::{Error, KeyFault};

/// A kind of key that can be made here, for issuers and leaves alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySpec {
    /// NIST P-256, signs with SHA-256. Made in microseconds.
    EcP256,
    /// NIST P-384, signs with SHA-384.
    EcP384,
    /// RSA with 2048 bits, signs with SHA-256.
    Rsa2048,
    /// RSA with 3072 bits, signs with SHA-256.
    Rsa3072,
    /// RSA with 4096 bits, signs with SHA-256.
    Rsa4096,
    /// ML-DSA-44 of FIPS 204, which signs the message itself. A certificate under such an issuer has 2,420 bytes of signature.
    MlDsa44,
    /// ML-DSA-65: 3,309 bytes of signature.
    MlDsa65,
    /// ML-DSA-87: 4,627 bytes of signature.
    MlDsa87,
}

impl KeySpec {
    /// Every kind, in the order documentation lists them.
    pub const ALL: [Self; 8] = [
        Self::EcP256,
        Self::EcP384,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// Parses `key_type` and `key_bits` as Vault's PKI engine names them, and `ml-dsa` with its parameter set for bits.
    /// No bits, or 0, is the default of the type (256, 2048 or 65).
    pub fn from_type_and_bits(key_type: &str, key_bits: Option<u32>) -> Result<Self, Error> {
        let bits = key_bits.filter(|bits| *bits != 0);
        let refused = |bits: u32, bound: &str| Error::value("key_bits", bits.to_string(), bound);
        match (key_type, bits) {
            ("ec", None | Some(256)) => Ok(Self::EcP256),
            ("ec", Some(384)) => Ok(Self::EcP384),
            ("ec", Some(bits)) => Err(refused(bits, "is not one of 256, 384 for key_type ec")),
            ("rsa", None | Some(2048)) => Ok(Self::Rsa2048),
            ("rsa", Some(3072)) => Ok(Self::Rsa3072),
            ("rsa", Some(4096)) => Ok(Self::Rsa4096),
            ("rsa", Some(bits)) => Err(refused(bits, "is not one of 2048, 3072, 4096 for key_type rsa")),
            ("ml-dsa", Some(44)) => Ok(Self::MlDsa44),
            ("ml-dsa", None | Some(65)) => Ok(Self::MlDsa65),
            ("ml-dsa", Some(87)) => Ok(Self::MlDsa87),
            ("ml-dsa", Some(bits)) => Err(refused(bits, "is not one of 44, 65, 87 for key_type ml-dsa")),
            (other, _) => Err(Error::value("key_type", other, "is not one of ec, rsa, ml-dsa")),
        }
    }

    /// `ec` or `rsa`, as Vault's PKI engine names it, or `ml-dsa`.
    pub fn key_type(self) -> &'static str {
        match self {
            Self::EcP256 | Self::EcP384 => "ec",
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => "rsa",
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => "ml-dsa",
        }
    }

    /// The size of the curve or of the modulus in bits; of ML-DSA the number of its parameter set.
    pub fn key_bits(self) -> u32 {
        match self {
            Self::EcP256 => 256,
            Self::EcP384 => 384,
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
            Self::MlDsa44 => 44,
            Self::MlDsa65 => 65,
            Self::MlDsa87 => 87,
        }
    }

    /// Whether making such a key takes so long (0.1 s for RSA 2048, seconds for 4096) that it belongs on a blocking thread.
    pub fn is_slow(self) -> bool {
        self.key_type() == "rsa"
    }

    fn from_modulus(bits: usize) -> Result<Self, KeyFault> {
        match bits {
            2048 => Ok(Self::Rsa2048),
            3072 => Ok(Self::Rsa3072),
            4096 => Ok(Self::Rsa4096),
            _ => Err(KeyFault::Unsupported(format!("rsa-{bits}"))),
        }
    }

    fn from_curve(curve: &[u8]) -> Result<Self, KeyFault> {
        match curve {
            algorithm::P256 => Ok(Self::EcP256),
            algorithm::P384 => Ok(Self::EcP384),
            _ => Err(KeyFault::Unsupported(algorithm::name(curve))),
        }
    }

    fn from_ml_dsa(oid: &[u8]) -> Option<Self> {
        match oid {
            algorithm::ML_DSA_44 => Some(Self::MlDsa44),
            algorithm::ML_DSA_65 => Some(Self::MlDsa65),
            algorithm::ML_DSA_87 => Some(Self::MlDsa87),
            _ => None,
        }
    }

    fn ml_dsa(self) -> &'static PqdsaSigningAlgorithm {
        match self {
            Self::MlDsa44 => &ML_DSA_44_SIGNING,
            Self::MlDsa87 => &ML_DSA_87_SIGNING,
            _ => &ML_DSA_65_SIGNING,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        if self == Self::EcP384 { &ECDSA_P384_SHA384_ASN1_SIGNING } else { &ECDSA_P256_SHA256_ASN1_SIGNING }
    }

    /// rcgen's description of the key and of the signature it makes.
    pub(crate) fn rcgen(self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Self::EcP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::EcP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &rcgen::PKCS_RSA_SHA256,
            Self::MlDsa44 => &rcgen::PKCS_ML_DSA_44,
            Self::MlDsa65 => &rcgen::PKCS_ML_DSA_65,
            Self::MlDsa87 => &rcgen::PKCS_ML_DSA_87,
        }
    }
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let curve = if self.key_type() == "ec" { "p" } else { "" };
        write!(f, "{}-{curve}{}", self.key_type(), self.key_bits())
    }
}

impl FromStr for KeySpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|spec| spec.to_string() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(|spec| spec.to_string()).join(", ");
            Error::value("key_type", text, format!("is not one of {known}"))
        })
    }
}

/// A private key ready to sign, beside its PKCS#8 form.
pub(crate) struct PrivateKey {
    spec: KeySpec,
    pair: Pair,
    pkcs8: SecretSlice<u8>,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    MlDsa(PqdsaKeyPair),
}

impl PrivateKey {
    /// Makes a fresh key. See [`KeySpec::is_slow`].
    pub(crate) fn generate(spec: KeySpec) -> Result<Self, Error> {
        let failed = |_| Error::Bug(format!("no {spec} key could be made"));
        let pair = match spec {
            KeySpec::EcP256 | KeySpec::EcP384 => {
                Pair::Ec(EcdsaKeyPair::generate(spec.signing()).map_err(failed)?)
            }
            KeySpec::Rsa2048 => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?),
            KeySpec::Rsa3072 => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?),
            KeySpec::Rsa4096 => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa4096).map_err(failed)?),
            KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => {
                Pair::MlDsa(PqdsaKeyPair::generate(spec.ml_dsa()).map_err(failed)?)
            }
        };
        let pkcs8 =
            pair.pkcs8().ok_or_else(|| Error::Bug(format!("a fresh {spec} key could not be encoded")))?;
        Ok(Self { spec, pair, pkcs8 })
    }

    /// Reads PKCS#8 DER and keeps its exact bytes.
    pub(crate) fn from_pkcs8(pkcs8: &SecretSlice<u8>) -> Result<Self, KeyFault> {
        let (spec, pair) = read_pkcs8(pkcs8.expose_secret())?;
        Ok(Self { spec, pair, pkcs8: pkcs8.clone() })
    }

    /// Reads the content of a `PRIVATE KEY` (PKCS#8), `EC PRIVATE KEY` (SEC1) or `RSA PRIVATE KEY` (PKCS#1) block.
    pub(crate) fn from_block(label: &str, contents: &SecretSlice<u8>) -> Result<Self, KeyFault> {
        let (spec, pair) = match label {
            "EC PRIVATE KEY" => read_sec1(contents.expose_secret())?,
            "RSA PRIVATE KEY" => read_pkcs1(contents.expose_secret())?,
            _ => read_pkcs8(contents.expose_secret())?,
        };
        let pkcs8 = pair.pkcs8().ok_or(KeyFault::Unreadable(spec.key_type()))?;
        Ok(Self { spec, pair, pkcs8 })
    }

    pub(crate) fn spec(&self) -> KeySpec {
        self.spec
    }

    pub(crate) fn pkcs8(&self) -> &SecretSlice<u8> {
        &self.pkcs8
    }

    /// The content of the public key's BIT STRING: an uncompressed point, a PKCS#1 `RSAPublicKey`, or ML-DSA's bytes.
    pub(crate) fn public_bits(&self) -> &[u8] {
        match &self.pair {
            Pair::Ec(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::MlDsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// Signs with the hash that belongs to the kind of key; ML-DSA signs the message itself, with an empty context.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::bug("the issuer key did not sign");
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, [redacted])", self.spec)
    }
}

impl rcgen::PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        self.public_bits()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.spec.rcgen()
    }
}

impl Pair {
    fn pkcs8(&self) -> Option<SecretSlice<u8>> {
        match self {
            Self::Ec(pair) => {
                pair.to_pkcs8v1().ok().map(|document| SecretSlice::from(document.as_ref().to_vec()))
            }
            Self::Rsa(pair) => {
                pair.as_der().ok().map(|document| SecretSlice::from(document.as_ref().to_vec()))
            }
            Self::MlDsa(pair) => {
                pair.to_pkcs8v1().ok().map(|document| SecretSlice::from(document.as_ref().to_vec()))
            }
        }
    }
}

/// RFC 5208: version, algorithm, key.
fn read_pkcs8(bytes: &[u8]) -> Result<(KeySpec, Pair), KeyFault> {
    let unreadable = || KeyFault::Unreadable("pkcs#8");
    let (algorithm, parameters, key) = pkcs8_parts(bytes).ok_or_else(unreadable)?;
    match algorithm {
        algorithm::RSA => {
            let spec = KeySpec::from_modulus(algorithm::modulus_bits(key, 1).ok_or_else(unreadable)?)?;
            Ok((spec, Pair::Rsa(RsaKeyPair::from_pkcs8(bytes).map_err(|_| KeyFault::Unreadable("rsa"))?)))
        }
        algorithm::EC => {
            let spec = KeySpec::from_curve(parameters)?;
            let pair = EcdsaKeyPair::from_pkcs8(spec.signing(), bytes);
            Ok((spec, Pair::Ec(pair.map_err(|_| KeyFault::Unreadable("ec"))?)))
        }
        other => {
            let spec =
                KeySpec::from_ml_dsa(other).ok_or_else(|| KeyFault::Unsupported(algorithm::name(other)))?;
            let pair = PqdsaKeyPair::from_pkcs8(spec.ml_dsa(), bytes);
            Ok((spec, Pair::MlDsa(pair.map_err(|_| KeyFault::Unreadable("ml-dsa"))?)))
        }
    }
}

fn pkcs8_parts(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let fields = der::children(der::only(bytes, der::SEQUENCE)?.content)?;
    let identifier = der::children(fields.get(1).filter(|field| field.tag == der::SEQUENCE)?.content)?;
    let oid = identifier.first().filter(|field| field.tag == der::OID)?.content;
    let parameters = identifier.get(1).map_or(&[][..], |field| field.content);
    Some((oid, parameters, fields.get(2)?.content))
}

/// RFC 5915: the curve is the OID inside the field tagged `[0]`.
fn read_sec1(bytes: &[u8]) -> Result<(KeySpec, Pair), KeyFault> {
    let unreadable = KeyFault::Unreadable("ec");
    let curve = sec1_curve(bytes).ok_or_else(|| unreadable.clone())?;
    let spec = KeySpec::from_curve(curve)?;
    let pair = EcdsaKeyPair::from_private_key_der(spec.signing(), bytes).map_err(|_| unreadable)?;
    Ok((spec, Pair::Ec(pair)))
}

fn sec1_curve(bytes: &[u8]) -> Option<&[u8]> {
    let fields = der::children(der::only(bytes, der::SEQUENCE)?.content)?;
    let parameters = fields.into_iter().find(|field| field.tag == 0xa0)?;
    Some(der::only(parameters.content, der::OID)?.content)
}

/// RFC 8017 appendix A.1.2.
fn read_pkcs1(bytes: &[u8]) -> Result<(KeySpec, Pair), KeyFault> {
    let unreadable = KeyFault::Unreadable("rsa");
    let spec = KeySpec::from_modulus(algorithm::modulus_bits(bytes, 1).ok_or_else(|| unreadable.clone())?)?;
    Ok((spec, Pair::Rsa(RsaKeyPair::from_der(bytes).map_err(|_| unreadable)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spec_reads_back_from_its_name() {
        for spec in KeySpec::ALL {
            assert_eq!(spec.to_string().parse(), Ok(spec));
            assert_eq!(KeySpec::from_type_and_bits(spec.key_type(), Some(spec.key_bits())), Ok(spec));
        }
    }

    #[test]
    fn no_bits_means_the_types_default() {
        assert_eq!(KeySpec::from_type_and_bits("ec", None), Ok(KeySpec::EcP256));
        assert_eq!(KeySpec::from_type_and_bits("rsa", Some(0)), Ok(KeySpec::Rsa2048));
    }

    #[test]
    fn a_refused_key_type_is_named_with_what_would_do() {
        let error = |key_type, bits| KeySpec::from_type_and_bits(key_type, bits).unwrap_err().to_string();

        assert_eq!(error("ed25519", None), r#"key_type: "ed25519" is not one of ec, rsa, ml-dsa"#);
        assert_eq!(error("ec", Some(521)), r#"key_bits: "521" is not one of 256, 384 for key_type ec"#);
        assert_eq!(
            error("rsa", Some(1024)),
            r#"key_bits: "1024" is not one of 2048, 3072, 4096 for key_type rsa"#
        );
        assert!("p256".parse::<KeySpec>().is_err());
    }

    #[test]
    fn a_fresh_key_reads_back_with_the_same_public_half() {
        for spec in [
            KeySpec::EcP256,
            KeySpec::EcP384,
            KeySpec::Rsa2048,
            KeySpec::MlDsa44,
            KeySpec::MlDsa65,
            KeySpec::MlDsa87,
        ] {
            let key = PrivateKey::generate(spec).unwrap();

            let again = PrivateKey::from_pkcs8(key.pkcs8()).unwrap();

            assert_eq!(again.spec(), spec);
            assert_eq!(again.public_bits(), key.public_bits());
            assert_eq!(again.pkcs8().expose_secret(), key.pkcs8().expose_secret());
        }
    }

    #[test]
    fn damaged_key_bytes_are_refused_and_not_shown() {
        let key = PrivateKey::generate(KeySpec::EcP256).unwrap();
        let bytes = key.pkcs8().expose_secret();

        let fault =
            PrivateKey::from_pkcs8(&SecretSlice::from(bytes[..bytes.len() - 1].to_vec())).unwrap_err();

        assert_eq!(fault.to_string(), "the pkcs#8 private key cannot be read");
    }
}
