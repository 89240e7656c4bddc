//! The TLS roots.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// TLS 1.2 or later with AWS-LC. It trusts `extra` and the system's roots, or Mozilla's compiled-in ones if the system
/// has none.
pub(super) fn client_config(extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(rustls_native_certs::load_native_certs().certs, extra))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(system: Vec<CertificateDer<'static>>, extra: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(system);
    if store.is_empty() {
        store.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    store.add_parsable_certificates(extra);
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_without_roots_trusts_the_compiled_in_ones() {
        let compiled_in = webpki_root_certs::TLS_SERVER_ROOT_CERTS;

        assert_eq!(roots(Vec::new(), Vec::new()).len(), compiled_in.len());
    }

    #[test]
    fn extra_roots_come_on_top_of_the_systems() {
        let [first, second, ..] = webpki_root_certs::TLS_SERVER_ROOT_CERTS else {
            panic!("no compiled-in roots")
        };

        assert_eq!(roots(vec![first.clone()], vec![second.clone()]).len(), 2);
    }

    #[test]
    fn extra_roots_do_not_stand_in_for_missing_system_roots() {
        let [first, ..] = webpki_root_certs::TLS_SERVER_ROOT_CERTS else { panic!("no compiled-in roots") };

        assert!(roots(Vec::new(), vec![first.clone()]).len() > 1);
    }

    #[test]
    fn both_http_versions_are_offered() {
        assert_eq!(client_config(Vec::new()).unwrap().alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }
}
