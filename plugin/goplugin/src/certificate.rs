//! The certificate and key by which the plugin proves itself to its host in both directions, for the life of one
//! process.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The name that hosts check and display: both sides of the socket are this machine.
pub(crate) const NAME: &str = "localhost";

/// The plugin's own certificate and key.
///
/// go-plugin makes a P-521 key and a `CA:TRUE` certificate here; its hosts do so too, and [`crate::tls`] accepts them.
/// This certificate is P-256 and `CA:FALSE`: hosts pin it by putting it alone into a pool, and Go's `x509.Verify`
/// accepts a leaf that is itself in the pool (measured as server and as client, against go-plugin 1.7 and Vault 1.21).
/// P-256 keys are made and sign several times faster, and a certificate that can sign nothing promises less.
pub(crate) struct CertifiedKey {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl CertifiedKey {
    /// A fresh pair. Its validity is wide and fixed, so no clock is needed: the pair lives in this process only, and
    /// its peer pins it.
    pub(crate) fn generate() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![NAME.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, NAME);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2120, 1, 1);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate: certificate.der().clone(), key })
    }

    /// The certificate that the host pins.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The key, for rustls.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// The certificate as the PEM a host would pass on.
    #[cfg(test)]
    pub(crate) fn pem(&self) -> String {
        use base64::Engine;
        let body = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::*;

    #[test]
    fn the_certificate_is_a_leaf_for_localhost_with_both_key_usages() {
        let identity = CertifiedKey::generate().unwrap();

        let (_, certificate) = X509Certificate::from_der(identity.certificate()).unwrap();

        let constraints = certificate.basic_constraints().unwrap().unwrap();
        let usages = certificate.extended_key_usage().unwrap().unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert!(!constraints.value.ca);
        assert!(usages.value.server_auth && usages.value.client_auth);
        assert_eq!(names.value.general_names, [GeneralName::DNSName("localhost")]);
    }

    #[test]
    fn two_processes_never_share_a_key() {
        let (one, other) = (CertifiedKey::generate().unwrap(), CertifiedKey::generate().unwrap());

        assert_ne!(one.key.serialized_der(), other.key.serialized_der());
    }
}
