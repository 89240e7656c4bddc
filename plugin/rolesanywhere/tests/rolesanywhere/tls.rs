//! TLS as the real transport does it, against a server on loopback with a CA of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::parties::{good_answer, identity, request};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rolesanywhere::{Client, Error, Session, Settings, Url};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use time::macros::datetime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
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
        let (ca_pem, tls) = localhost(version);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url =
            Url::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
        let task = tokio::spawn(serve(listener, tls, end));
        Self { ca_pem, url, task }
    }

    async fn ask(&self, ca_pem: Option<String>) -> Result<Session, Error> {
        self.ask_through(None, ca_pem).await
    }

    async fn ask_through(&self, proxy_url: Option<Url>, ca_pem: Option<String>) -> Result<Session, Error> {
        let settings = Settings {
            endpoint: Some(self.url.clone()),
            endpoint_ca_pem: ca_pem,
            proxy_url,
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

/// A proxy that makes one tunnel and answers with what CONNECT said.
async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let place = head.split(' ').nth(1).unwrap();
    let mut there = TcpStream::connect(place).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n").await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
    head
}

#[tokio::test]
async fn a_session_is_made_through_a_proxys_tunnel() {
    let server = Server::start(&TLS13).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://me:hunter2@{}", listener.local_addr().unwrap());
    let proxied = tokio::spawn(async move { tunnel(listener.accept().await.unwrap().0).await });

    let session = server.ask_through(proxy.parse().ok(), Some(server.ca_pem.clone())).await;

    assert!(session.is_ok(), "{session:?}");
    let head = proxied.await.unwrap();
    let place = format!("localhost:{}", server.url.port().unwrap());
    assert!(head.starts_with(&format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n")), "{head}");
    assert!(head.contains("\r\nProxy-Authorization: Basic bWU6aHVudGVyMg==\r\n"), "{head}");
}

#[tokio::test]
async fn a_proxy_itself_may_speak_tls() {
    let (server, (proxy_ca, tls)) = (Server::start(&TLS13).await, localhost(&TLS13));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let proxied = tokio::spawn(async move {
        let stream = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
        tunnel(stream).await
    });

    let session = server.ask_through(proxy.parse().ok(), Some(server.ca_pem.clone() + &proxy_ca)).await;

    assert!(session.is_ok(), "{session:?}");
    assert!(!proxied.await.unwrap().contains("Proxy-Authorization"));
}

#[tokio::test]
async fn a_proxy_that_speaks_tls_and_refuses_is_asked_why() {
    let (server, (proxy_ca, tls)) = (Server::start(&TLS13).await, localhost(&TLS13));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let refusing = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = tls.accept(stream).await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 403 No\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });

    let session = server.ask_through(proxy.parse().ok(), Some(server.ca_pem.clone() + &proxy_ca)).await;

    let text = session.unwrap_err().to_string();
    assert!(
        text.contains(&format!("the proxy {proxy} (proxy_url) refuses a tunnel to localhost:")),
        "{text}"
    );
    refusing.abort();
}

#[tokio::test]
async fn what_is_wrong_at_the_end_of_a_tunnel_is_no_fault_of_the_proxy() {
    let server = Server::start(&TLS13).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let proxied = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tunnel(stream).await;
        }
    });

    let text = server.ask_through(proxy.parse().ok(), None).await.unwrap_err().to_string();

    let through =
        format!("through the proxy {proxy} (proxy_url): the server's TLS certificate is not trusted");
    assert!(text.contains(&through), "{text}");
    proxied.abort();
}

/// A frame of HTTP/2, RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a server of HTTP/2 may say after the settings instead of an answer; the last frame again and again.
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

/// Says it to whoever asks, until the other side closes.
async fn speak_h2(listener: TcpListener, tls: TlsAcceptor, first: Vec<u8>, more: Vec<u8>) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut stream) = tls.accept(stream).await else { continue };
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let _ = stream.read(&mut [0; 4096]).await;
        let said = [frame(4, 0, 0, &[]), first.clone()].concat();
        let mut alive = stream.write_all(&said).await.is_ok();
        while alive && !more.is_empty() {
            alive = stream.write_all(&more).await.is_ok();
        }
        let _ = stream.shutdown().await;
    }
}

#[tokio::test]
async fn no_oddity_of_http_2_is_a_session_or_outlasts_an_attempt() {
    for (name, first, more) in oddities() {
        let (ca_pem, tls) = localhost_speaking(&TLS13, &[b"h2"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings {
            endpoint: Url::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port()))
                .ok(),
            endpoint_ca_pem: Some(ca_pem),
            request_timeout: Duration::from_millis(500),
            max_retries: 0,
            ..Settings::default()
        };
        let server = tokio::spawn(speak_h2(listener, tls, first, more));
        let now = || datetime!(2026-01-02 03:04:05 UTC);

        let client = Client::new(&settings).unwrap();
        let err =
            client.create_session(&identity(), &request(), now, Duration::from_secs(5)).await.unwrap_err();

        assert!(matches!(err, Error::Unavailable { .. } | Error::BadAnswer { .. }), "{name}: {err:?}");
        assert!(err.to_string().len() < 600, "{name}: {err}");
        assert!(!server.is_finished(), "{name}");
        server.abort();
    }
}
