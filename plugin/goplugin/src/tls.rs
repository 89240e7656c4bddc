//! Mutual TLS with a peer that is known by its exact certificate (go-plugin's `AutoMTLS`).

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::certificate::CertifiedKey;

/// grpc-go refuses a peer that negotiates nothing.
const ALPN_H2: &[u8] = b"h2";

/// TLS in both directions with one host, which dials the plugin and is dialled through the broker, with the same two
/// certificates.
///
/// TLS 1.2 stays allowed because hosts built for FIPS 140-2 speak nothing newer. Sessions are never resumed, so every
/// connection proves both keys.
pub(crate) struct Tls {
    /// For connections from the host.
    pub(crate) acceptor: TlsAcceptor,
    /// For connections to the host.
    pub(crate) connector: TlsConnector,
}

impl Tls {
    /// TLS as `identity`, with `host` and nobody else.
    pub(crate) fn pinned(identity: &CertifiedKey, host: CertificateDer<'static>) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pin = Arc::new(Pin { certificate: host, algorithms: provider.signature_verification_algorithms });
        Ok(Self {
            acceptor: Arc::new(server(identity, provider.clone(), pin.clone())?).into(),
            connector: Arc::new(client(identity, provider, pin)?).into(),
        })
    }
}

fn server(
    identity: &CertifiedKey,
    provider: Arc<CryptoProvider>,
    pin: Arc<Pin>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(pin)
        .with_single_cert(vec![identity.certificate().clone()], identity.private_key())?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    identity: &CertifiedKey,
    provider: Arc<CryptoProvider>,
    pin: Arc<Pin>,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(pin)
        .with_client_auth_cert(vec![identity.certificate().clone()], identity.private_key())?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Accepts one certificate, byte for byte, from a peer that proves it holds the key.
///
/// webpki cannot be used: it refuses the host's certificate as an end entity, because go-plugin marks it `CA:TRUE`.
/// Comparing all bytes is stricter than a search through a pool of one certificate, and covers name, dates and usages.
/// aws-lc-rs checks the signature of the handshake, because it knows the host's P-521.
#[derive(Debug)]
struct Pin {
    certificate: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pin {
    fn check(&self, presented: &CertificateDer<'_>) -> Result<(), Error> {
        if presented.as_ref() == self.certificate.as_ref() {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pin {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use crate::certificate::NAME;

    /// Dials `acceptor` with `connector`; what the accepting and the dialling side say of it. Under TLS 1.3 a client learns
    /// of a refusal only when it reads.
    async fn meet(acceptor: TlsAcceptor, connector: TlsConnector) -> (io::Result<()>, io::Result<()>) {
        let (near, far) = duplex(64 * 1024);
        let accepting = async {
            let mut stream = acceptor.accept(far).await?;
            stream.write_all(b"x").await
        };
        let dialling = async {
            let mut stream = connector.connect(ServerName::try_from(NAME).unwrap(), near).await?;
            stream.read_u8().await.map(drop)
        };
        tokio::join!(accepting, dialling)
    }

    #[tokio::test]
    async fn two_sides_that_pin_each_other_meet() {
        let (plugin, host) = (CertifiedKey::generate().unwrap(), CertifiedKey::generate().unwrap());
        let acceptor = Tls::pinned(&plugin, host.certificate().clone()).unwrap().acceptor;
        let connector = Tls::pinned(&host, plugin.certificate().clone()).unwrap().connector;

        let (accepted, dialled) = meet(acceptor, connector).await;

        accepted.unwrap();
        dialled.unwrap();
    }

    #[tokio::test]
    async fn a_client_with_another_certificate_is_refused() {
        let (plugin, host, stranger) = (
            CertifiedKey::generate().unwrap(),
            CertifiedKey::generate().unwrap(),
            CertifiedKey::generate().unwrap(),
        );
        let acceptor = Tls::pinned(&plugin, host.certificate().clone()).unwrap().acceptor;
        let connector = Tls::pinned(&stranger, plugin.certificate().clone()).unwrap().connector;

        let (accepted, dialled) = meet(acceptor, connector).await;

        assert!(accepted.is_err());
        assert!(dialled.is_err());
    }

    #[tokio::test]
    async fn a_host_listener_with_another_certificate_is_refused() {
        let (plugin, host, stranger) = (
            CertifiedKey::generate().unwrap(),
            CertifiedKey::generate().unwrap(),
            CertifiedKey::generate().unwrap(),
        );
        let acceptor = Tls::pinned(&stranger, plugin.certificate().clone()).unwrap().acceptor;
        let connector = Tls::pinned(&plugin, host.certificate().clone()).unwrap().connector;

        let (_, dialled) = meet(acceptor, connector).await;

        assert!(dialled.is_err());
    }

    #[tokio::test]
    async fn a_client_that_shows_the_right_certificate_without_its_key_is_refused() {
        let (plugin, host, thief) = (
            CertifiedKey::generate().unwrap(),
            CertifiedKey::generate().unwrap(),
            CertifiedKey::generate().unwrap(),
        );
        let acceptor = Tls::pinned(&plugin, host.certificate().clone()).unwrap().acceptor;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pin = Arc::new(Pin {
            certificate: plugin.certificate().clone(),
            algorithms: provider.signature_verification_algorithms,
        });
        let key = provider.key_provider.load_private_key(thief.private_key()).unwrap();
        let stolen = rustls::sign::CertifiedKey::new(vec![host.certificate().clone()], key);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(pin)
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));
        config.alpn_protocols = vec![ALPN_H2.to_vec()];

        let (accepted, dialled) = meet(acceptor, Arc::new(config).into()).await;

        assert!(accepted.is_err());
        assert!(dialled.is_err());
    }
}
