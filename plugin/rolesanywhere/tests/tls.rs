//! TLS as the real transport does it, against a server on loopback with a CA of its own.

mod parties;

use std::sync::Arc;
use std::time::Duration;

use parties::{good_answer, identity, request};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rolesanywhere::{Client, Error, Session, Settings, Url};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use time::macros::datetime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Server {
    ca_pem: String,
    url: Url,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Serves `localhost` with this protocol version and a certificate of a CA made for this one server.
    async fn start(version: &'static SupportedProtocolVersion) -> Self {
        Self::ending(version, End::Answer).await
    }

    async fn ending(version: &'static SupportedProtocolVersion, end: End) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url =
            Url::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
        let task = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), end));
        Self { ca_pem: ca.pem(), url, task }
    }

    async fn ask(&self, ca_pem: Option<String>) -> Result<Session, Error> {
        let settings = Settings {
            endpoint: Some(self.url.clone()),
            endpoint_ca_pem: ca_pem,
            max_retries: 0,
            ..Settings::default()
        };
        let now = || datetime!(2026-01-02 03:04:05 UTC);
        let client = Client::new(&settings).unwrap();
        client.create_session(&identity(), &request(), now, Duration::from_secs(5)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How the server ends a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a session.
    Answer,
    /// By closing the socket, without TLS's farewell.
    Silence,
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, end: End) {
    let body = good_answer();
    let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut stream) = tls.accept(stream).await else { continue };
        let mut seen = Vec::new();
        while !seen.ends_with(b"\"}") {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(read) => seen.extend_from_slice(&chunk[..read]),
            }
        }
        if end == End::Silence {
            continue;
        }
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_it_is_set() {
    let server = Server::start(&TLS13).await;

    assert!(server.ask(Some(server.ca_pem.clone())).await.is_ok());
}

#[tokio::test]
async fn tls_1_2_is_spoken() {
    let server = Server::start(&TLS12).await;

    assert!(server.ask(Some(server.ca_pem.clone())).await.is_ok());
}

#[tokio::test]
async fn a_private_ca_that_is_not_set_is_refused_with_the_cure() {
    let server = Server::start(&TLS13).await;

    let err = server.ask(None).await.unwrap_err();

    let text = err.to_string();
    assert!(text.contains("TLS certificate is not trusted") && text.contains("endpoint_ca_pem"), "{text}");
}

#[tokio::test]
async fn another_ca_of_the_same_name_is_not_trusted() {
    let (server, other) = (Server::start(&TLS13).await, Server::start(&TLS13).await);

    let err = server.ask(Some(other.ca_pem.clone())).await.unwrap_err();

    assert!(err.to_string().contains("TLS certificate is not trusted"), "{err}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_not_trusted() {
    let mut server = Server::start(&TLS13).await;
    server.url.set_host(Some("127.0.0.1")).unwrap();

    let err = server.ask(Some(server.ca_pem.clone())).await.unwrap_err();

    assert!(err.to_string().contains("TLS certificate is not trusted"), "{err}");
}

#[tokio::test]
async fn a_connection_cut_off_is_told_without_a_librarys_address() {
    let server = Server::ending(&TLS13, End::Silence).await;

    let text = server.ask(Some(server.ca_pem.clone())).await.unwrap_err().to_string();

    assert!(text.contains("close_notify") && !text.contains("https://docs"), "{text}");
}
