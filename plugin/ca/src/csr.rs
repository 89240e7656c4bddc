//! Makes a certificate signing request whose key never leaves this side.

use aws_lc_rs::signature::UnparsedPublicKey;
use secrecy::SecretSlice;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use crate::algorithm;
use crate::error::Error;
use crate::key::PrivateKey;
use crate::profile::{CsrProfile, Window};
use crate::root;
use crate::serial::Serial;
use crate::template;

/// A signing request, and the key that belongs to it.
#[derive(Clone, Debug)]
pub struct Csr {
    /// The PKCS#10 request in PEM, for the CA that signs it.
    pub pem: String,
    /// The key in PKCS#8 DER: store it, and pass it to [`crate::set_signed`] with the signed certificate.
    pub key: SecretSlice<u8>,
}

/// Makes a key and a request for an issuing CA: it requests `CA:TRUE` with `pathlen:0`, keyCertSign and cRLSign.
///
/// With an RSA key this takes up to seconds ([`crate::KeySpec::is_slow`]): call it on a blocking thread.
pub fn generate_csr(profile: &CsrProfile) -> Result<Csr, Error> {
    profile.subject.check()?;
    let key = PrivateKey::generate(profile.key)?;
    let der = template::request(&parameters(), &key, &profile.subject.der())?;
    read_back(&der, profile, &key)?;
    let pem = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", der));
    Ok(Csr { pem: pem.replace("\r\n", "\n"), key: key.pkcs8().clone() })
}

/// A request has neither validity nor serial, so those of the template are ignored.
fn parameters() -> rcgen::CertificateParams {
    let epoch = time::OffsetDateTime::UNIX_EPOCH;
    let mut parameters =
        template::parameters(Window { not_before: epoch, not_after: epoch }, &Serial::from_bytes(&[1]));
    parameters.serial_number = None;
    parameters.is_ca = root::LEAVES_ONLY;
    parameters.key_usages = root::USAGES.to_vec();
    parameters
}

fn read_back(der: &[u8], profile: &CsrProfile, key: &PrivateKey) -> Result<(), Error> {
    let (_, request) = X509CertificationRequest::from_der(der).map_err(Error::bug)?;
    let info = &request.certification_request_info;
    let kind = algorithm::public_kind(&info.subject_pki).map_err(Error::Bug)?;
    let check = algorithm::verification(kind, &request.signature_algorithm);
    let check = check.ok_or_else(|| Error::bug("a request just made is signed with another algorithm"))?;
    UnparsedPublicKey::new(check, key.public_bits())
        .verify(info.raw, &request.signature_value.data)
        .map_err(|_| Error::bug("a request just made does not verify"))?;
    if profile.subject.is(&info.subject) {
        Ok(())
    } else {
        Err(Error::bug("a request just made does not say what was asked"))
    }
}
