//! Vault's certificate: trusted by the operator's file, which may change under the agent.

use std::path::PathBuf;
use std::sync::Arc;

use node_agent::cache::Limits;
use node_agent::clock::Clock;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::fake_vault::FakeVault;
use crate::world::{World, vault_options};

/// A CA, and what a server with a leaf of it needs.
struct Ca {
    pem: String,
    server: TlsAcceptor,
}

impl Ca {
    fn new() -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        Ca { pem: ca.pem(), server: TlsAcceptor::from(Arc::new(config)) }
    }

    async fn vault(&self) -> FakeVault {
        FakeVault::over_tls(self.server.clone()).await
    }
}

/// An agent in front of a Vault over TLS, which reads the CA from a file with this text.
fn behind(vault: FakeVault, pem: &str) -> (World, TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let options = vault_options(&vault.url, &["--vault-cacert", file.to_str().unwrap()]);
    (World::of(vault, options, Clock::of_this_machine(), Limits::default()), folder, file)
}

#[tokio::test]
async fn a_certificate_of_the_operators_ca_is_trusted_and_no_other() {
    let (ours, theirs) = (Ca::new(), Ca::new());
    let (trusted, _folder, _) = behind(ours.vault().await, &ours.pem);
    let (untrusted, _other, _) = behind(theirs.vault().await, &ours.pem);

    trusted.ask("payments", "api").await.ok();
    let (code, message) = untrusted.ask("payments", "api").await.refused(503);

    assert_eq!(code, "VaultUntrusted");
    assert!(
        message.contains("has a certificate that is not trusted") && message.contains("VAULT_CACERT"),
        "{message}"
    );
}

#[tokio::test]
async fn a_ca_that_is_rotated_under_the_agent_is_read_again() {
    let (old, new) = (Ca::new(), Ca::new());
    let (world, _folder, file) = behind(new.vault().await, &old.pem);
    world.ask("payments", "before").await.refused(503);

    // the kubelet writes a new file and renames it
    let next = file.with_extension("next");
    std::fs::write(&next, &new.pem).unwrap();
    std::fs::rename(&next, &file).unwrap();

    world.ask("payments", "after").await.ok();
}

#[tokio::test]
async fn a_ca_file_that_is_half_written_leaves_the_one_before_it() {
    let ca = Ca::new();
    let (world, _folder, file) = behind(ca.vault().await, &ca.pem);
    world.ask("payments", "before").await.ok();

    std::fs::write(&file, &ca.pem[..60]).unwrap();

    world.ask("payments", "after").await.ok();
}
