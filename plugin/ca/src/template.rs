//! From rcgen's parameters to signed DER: rcgen writes everything but the names and the signature.

use rcgen::{CertificateParams, DistinguishedName, DnType, PublicKeyData, SerialNumber, SigningKey};

use crate::der;
use crate::error::Error;
use crate::key::PrivateKey;
use crate::profile::Window;
use crate::serial::Serial;

/// Positions within `TBSCertificate` after `[0] version`, serial and algorithm (RFC 5280 §4.1).
const ISSUER: usize = 3;
const SUBJECT: usize = 5;
/// Position within `CertificationRequestInfo` after version (RFC 2986 §4.1).
const REQUEST_SUBJECT: usize = 1;

/// The issuer's side of a certificate: the key that signs, the name and the key identifier.
pub(crate) struct Signer<'a> {
    pub(crate) key: &'a PrivateKey,
    /// The Name in DER, byte for byte.
    pub(crate) name: &'a [u8],
    /// The authority key identifier, if the parameters request one.
    pub(crate) key_id: &'a [u8],
}

/// Parameters with a validity and a serial, and a placeholder name: with an empty one rcgen would make the SANs critical.
pub(crate) fn parameters(window: Window, serial: &Serial) -> CertificateParams {
    let mut placeholder = DistinguishedName::new();
    placeholder.push(DnType::CommonName, "placeholder");
    let mut parameters = CertificateParams::default();
    parameters.not_before = window.not_before;
    parameters.not_after = window.not_after;
    parameters.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    parameters.distinguished_name = placeholder;
    parameters
}

/// A certificate for `key` with the subject given in DER.
pub(crate) fn certificate(
    parameters: &CertificateParams,
    key: &PrivateKey,
    subject: &[u8],
    signer: &Signer<'_>,
) -> Result<Vec<u8>, Error> {
    let mut authority = CertificateParams::default();
    authority.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(signer.key_id.to_vec());
    let authority = rcgen::Issuer::from_params(&authority, Draft(signer.key));
    let draft = parameters.signed_by(key, &authority).map_err(Error::bug)?;
    finish(draft.der(), &[(ISSUER, signer.name), (SUBJECT, subject)], signer.key)
}

/// A PKCS#10 request for `key`, signed by it, with the subject given in DER.
pub(crate) fn request(
    parameters: &CertificateParams,
    key: &PrivateKey,
    subject: &[u8],
) -> Result<Vec<u8>, Error> {
    let draft = parameters.serialize_request(&Draft(key)).map_err(Error::bug)?;
    finish(draft.der(), &[(REQUEST_SUBJECT, subject)], key)
}

fn finish(draft: &[u8], names: &[(usize, &[u8])], key: &PrivateKey) -> Result<Vec<u8>, Error> {
    let unsigned =
        der::replace(draft, names).ok_or_else(|| Error::bug("rcgen's certificate has another shape"))?;
    Ok(der::wrap(&unsigned, &key.sign(&unsigned.body)?))
}

/// A key that describes itself truly and signs nothing, because the signature is made once the names are in.
struct Draft<'a>(&'a PrivateKey);

impl PublicKeyData for Draft<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_bits()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.0.spec().rcgen()
    }
}

impl SigningKey for Draft<'_> {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(vec![0])
    }
}
