//! TLS as the real transport does it, against a server on loopback with a CA of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::parties::{identity, request};
use crate::server::{Habit, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rolesanywhere::{Client, Error, Session, Settings, Url};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use time::macros::datetime;
use tokio_rustls::TlsAcceptor;

/// A server of HTTPS and the CA of its certificate.
struct TlsServer {
    ca_pem: String,
    server: Server,
}

impl TlsServer {
    /// Serves `localhost` with this protocol version and a certificate of a CA made for this one server.
    async fn start(version: &'static SupportedProtocolVersion) -> Self {
        Self::with_habit(version, Habit::Serve).await
    }

    async fn with_habit(version: &'static SupportedProtocolVersion, habit: Habit) -> Self {
        let (ca_pem, tls) = localhost(version);
        Self { ca_pem, server: Server::start_tls(tls, habit).await }
    }

    async fn ask(&self, ca_pem: Option<String>) -> Result<Session, Error> {
        ask(&self.server.url, None, ca_pem).await
    }

    /// Asks through a proxy, of which the client trusts `proxy_ca` beside the server's own.
    async fn ask_through(&self, proxy: &Server, proxy_ca: &str) -> Result<Session, Error> {
        let ca_pem = self.ca_pem.clone() + proxy_ca;
        ask(&self.server.url, Some(proxy.url.clone()), Some(ca_pem)).await
    }
}

async fn ask(endpoint: &Url, proxy_url: Option<Url>, ca_pem: Option<String>) -> Result<Session, Error> {
    let settings = Settings {
        endpoint: Some(endpoint.clone()),
        endpoint_ca_pem: ca_pem,
        proxy_url,
        max_retries: 0,
        ..Settings::default()
    };
    let now = || datetime!(2026-01-02 03:04:05 UTC);
    let client = Client::new(&settings).unwrap();
    client.create_session(&identity(), &request(), now, Duration::from_secs(5)).await
}

/// A CA made for this once, and TLS for `localhost` with a certificate of it.
fn localhost(version: &'static SupportedProtocolVersion) -> (String, TlsAcceptor) {
    localhost_speaking(version, &[])
}

/// The same, which agrees to one of `protocols`.
fn localhost_speaking(
    version: &'static SupportedProtocolVersion,
    protocols: &[&[u8]],
) -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    (ca.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_it_is_set() {
    let server = TlsServer::start(&TLS13).await;

    assert!(server.ask(Some(server.ca_pem.clone())).await.is_ok());
}

#[tokio::test]
async fn tls_1_2_is_spoken() {
    let server = TlsServer::start(&TLS12).await;

    assert!(server.ask(Some(server.ca_pem.clone())).await.is_ok());
}

#[tokio::test]
async fn a_private_ca_that_is_not_set_is_refused_with_the_cure() {
    let server = TlsServer::start(&TLS13).await;

    let err = server.ask(None).await.unwrap_err();

    let text = err.to_string();
    assert!(text.contains("TLS certificate is not trusted") && text.contains("endpoint_ca_pem"), "{text}");
}

#[tokio::test]
async fn another_ca_of_the_same_name_is_not_trusted() {
    let (server, other) = (TlsServer::start(&TLS13).await, TlsServer::start(&TLS13).await);

    let err = server.ask(Some(other.ca_pem.clone())).await.unwrap_err();

    assert!(err.to_string().contains("TLS certificate is not trusted"), "{err}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_not_trusted() {
    let mut tls = TlsServer::start(&TLS13).await;
    tls.server.url.set_host(Some("127.0.0.1")).unwrap();

    let err = tls.ask(Some(tls.ca_pem.clone())).await.unwrap_err();

    assert!(err.to_string().contains("TLS certificate is not trusted"), "{err}");
}

#[tokio::test]
async fn a_connection_cut_off_is_told_without_a_librarys_address() {
    let server = TlsServer::with_habit(&TLS13, Habit::HangUp).await;

    let text = server.ask(Some(server.ca_pem.clone())).await.unwrap_err().to_string();

    assert!(text.contains("close_notify") && !text.contains("https://docs"), "{text}");
}

#[tokio::test]
async fn a_session_is_made_through_a_proxys_tunnel() {
    let (tls, mut proxy) = (TlsServer::start(&TLS13).await, Server::start(Habit::Tunnel).await);
    proxy.url.set_username("me").unwrap();
    proxy.url.set_password(Some("hunter2")).unwrap();

    let session = tls.ask_through(&proxy, "").await;

    assert!(session.is_ok(), "{session:?}");
    let (heads, authority) = (proxy.heads(), tls.server.authority());
    let [head] = &heads[..] else { panic!("{heads:?}") };
    assert!(head.starts_with(&format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n")), "{head}");
    assert!(head.contains("\r\nProxy-Authorization: Basic bWU6aHVudGVyMg=="), "{head}");
}

#[tokio::test]
async fn a_proxy_itself_may_speak_tls() {
    let server = TlsServer::start(&TLS13).await;
    let proxy = TlsServer::with_habit(&TLS13, Habit::Tunnel).await;

    let session = server.ask_through(&proxy.server, &proxy.ca_pem).await;

    assert!(session.is_ok(), "{session:?}");
    let heads = proxy.server.heads();
    assert!(heads.len() == 1 && !heads[0].contains("Proxy-Authorization"), "{heads:?}");
}

#[tokio::test]
async fn a_proxy_that_speaks_tls_and_refuses_is_asked_why() {
    let server = TlsServer::start(&TLS13).await;
    let proxy = TlsServer::with_habit(&TLS13, Habit::Say("HTTP/1.1 403 No\r\n\r\n")).await;

    let session = server.ask_through(&proxy.server, &proxy.ca_pem).await;

    let (text, authority) = (session.unwrap_err().to_string(), proxy.server.authority());
    let refuses = format!("the proxy https://{authority} (proxy_url) refuses a tunnel to localhost:");
    assert!(text.contains(&refuses), "{text}");
}

#[tokio::test]
async fn what_is_wrong_at_the_end_of_a_tunnel_is_no_fault_of_the_proxy() {
    let (tls, proxy) = (TlsServer::start(&TLS13).await, Server::start(Habit::Tunnel).await);

    let err = ask(&tls.server.url, Some(proxy.url.clone()), None).await.unwrap_err();

    let (text, authority) = (err.to_string(), proxy.authority());
    let untrusted = "the server's TLS certificate is not trusted";
    let through = format!("through the proxy http://{authority} (proxy_url): {untrusted}");
    assert!(text.contains(&through), "{text}");
}

/// A frame of HTTP/2, RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a server of HTTP/2 may say after the settings instead of an answer: the first frames once, the last ones again and again.
fn oddities() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let once = |frame: Vec<u8>| (frame, Vec::new());
    let status_201 = [0x08, 3, b'2', b'0', b'1'];
    let endless = (frame(1, 4, 1, &status_201), frame(0, 0, 1, &[b' '; 16_000]));
    let oversized = [&[0, 1, b'x', 0x7f, 0x81, 0x79][..], &[b'y'; 16_000]].concat();
    [
        ("a farewell", once(frame(7, 0, 0, &[0; 8]))),
        ("a reset", once(frame(3, 0, 1, &[0, 0, 0, 7]))),
        ("an answer to what nobody asked", once(frame(1, 5, 9, &status_201))),
        ("a frame longer than was agreed", once(vec![0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])),
        ("a header block of nonsense", once(frame(1, 5, 1, &[0xff; 64]))),
        ("a header too long", once(frame(1, 5, 1, &oversized))),
        ("a window beyond its bound", once(frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]))),
        ("no HTTP/2", once(b"HTTP/1.1 201 Created\r\n\r\n".to_vec())),
        ("a header block without end", (frame(1, 0, 1, &status_201), frame(9, 0, 1, &[0; 1000]))),
        ("a body without end", endless),
        ("settings without end", (Vec::new(), frame(4, 0, 0, &[]).repeat(100))),
        ("pings without end", (Vec::new(), frame(6, 0, 0, &[0; 8]).repeat(100))),
    ]
    .into_iter()
    .map(|(name, (first, more))| (name, first, more))
    .collect()
}

#[tokio::test]
async fn no_oddity_of_http_2_is_a_session_or_outlasts_an_attempt() {
    for (name, first, more) in oddities() {
        let (ca_pem, tls) = localhost_speaking(&TLS13, &[b"h2"]);
        let said = [frame(4, 0, 0, &[]), first].concat();
        let server = Server::start_tls(tls, Habit::Flood(said, more)).await;
        let settings = Settings {
            endpoint: Some(server.url.clone()),
            endpoint_ca_pem: Some(ca_pem),
            request_timeout: Duration::from_millis(500),
            max_retries: 0,
            ..Settings::default()
        };
        let now = || datetime!(2026-01-02 03:04:05 UTC);

        let client = Client::new(&settings).unwrap();
        let err =
            client.create_session(&identity(), &request(), now, Duration::from_secs(5)).await.unwrap_err();

        assert!(matches!(err, Error::Unavailable { .. } | Error::BadAnswer { .. }), "{name}: {err:?}");
        assert!(err.to_string().len() < 600, "{name}: {err}");
        assert!(server.heads().iter().any(|head| head == "PRI * HTTP/2.0"), "{name}: {:?}", server.heads());
    }
}
