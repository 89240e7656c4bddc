//! The CA certificates that Vault's certificate must chain to.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// TLS 1.2 or later that trusts the certificates of a PEM file alone.
///
/// # Errors
/// The file cannot be read, or holds no certificate. The text names the file.
pub(super) fn from_file(path: &Path) -> Result<ClientConfig, String> {
    let text = fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = parsed.map_err(|error| format!("{} is not PEM: {error}", path.display()))?;
    let mut store = RootCertStore::empty();
    let (taken, _) = store.add_parsable_certificates(certificates);
    if taken == 0 {
        return Err(format!("{} holds no CA certificate in PEM", path.display()));
    }
    client(store)
}

/// TLS 1.2 or later that trusts the system's certificates, or Mozilla's compiled-in ones where the system has none.
///
/// # Errors
/// The TLS library has no protocol version that it can use.
pub(super) fn of_the_system() -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        store.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    client(store)
}

fn client(store: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config =
        builder.map_err(|error| error.to_string())?.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        from_file(file.path()).unwrap_err()
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        assert!(refused("").contains("holds no CA certificate"));
        assert!(
            refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
                .contains("holds no CA certificate")
        );
        assert!(refused("-----BEGIN CERTIFICATE-----\nAAAA\n").contains("is not PEM"));
    }

    #[test]
    fn a_missing_file_is_named() {
        assert!(
            from_file(Path::new("/nowhere/ca.pem"))
                .unwrap_err()
                .starts_with("/nowhere/ca.pem cannot be read")
        );
    }
}
