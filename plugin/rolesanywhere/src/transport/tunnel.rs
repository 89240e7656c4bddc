//! The reason why a proxy makes no tunnel. reqwest requests tunnels and hides the status of a refused one, so the proxy
//! is asked once more, for its answer alone.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::{TransportError, TransportErrorKind, network};
use super::resolver::Names;
use crate::proxy::{Proxy, ProxyTarget};

/// The largest head of an answer that is read, in bytes.
const MAX_HEAD: u64 = 16 * 1024;

/// Asks proxies why they refuse. It sends no request of a client.
pub(super) struct Inquiry {
    names: Names,
    tls: TlsConnector,
}

impl Inquiry {
    pub(super) fn new(names: Names, mut tls: ClientConfig) -> Self {
        // proxies are asked over HTTP/1.1
        tls.alpn_protocols.clear();
        Self { names, tls: Arc::new(tls).into() }
    }

    /// Requests a tunnel to `target` from `proxy`, and closes a tunnel that is made. The caller must bound the time.
    ///
    /// # Errors
    /// The proxy's refusal, or the failure to reach the proxy.
    pub(super) async fn ask(&self, proxy: &Proxy, target: ProxyTarget<'_>) -> Result<(), TransportError> {
        let unreached = |err: &(dyn Error + 'static)| network(err).of_the_proxy(proxy);
        let found = self.names.addresses(proxy.host()).await.map_err(|err| unreached(&err))?;
        let addresses: Vec<_> =
            found.into_iter().map(|address| SocketAddr::new(address, proxy.port())).collect();
        let stream = TcpStream::connect(addresses.as_slice()).await.map_err(|err| unreached(&err))?;
        if !proxy.is_https() {
            return answer(stream, proxy, target).await;
        }
        let name = ServerName::try_from(proxy.host().to_owned()).map_err(|err| unreached(&err))?;
        let stream = self.tls.connect(name, stream).await.map_err(|err| unreached(&err))?;
        answer(stream, proxy, target).await
    }
}

/// Reads the answer of `proxy`, to which `stream` leads, to a request for a tunnel to `target`.
async fn answer<S>(stream: S, proxy: &Proxy, target: ProxyTarget<'_>) -> Result<(), TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut stream = BufReader::new(stream);
    let broke = |what: &str| failed(TransportErrorKind::Proxy, format!("the proxy {proxy} {what}"));
    let asked = stream.write_all(connect(proxy, target).as_bytes()).await;
    asked.map_err(|_| broke("closed the connection when it was asked for a tunnel"))?;
    let mut lines = (&mut stream).take(MAX_HEAD);
    let mut first = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(1..)) || !line.ends_with(b"\n") {
            return Err(broke("broke off its answer to CONNECT, or gave none"));
        }
        if line.trim_ascii_end().is_empty() {
            break;
        }
        if first.is_empty() {
            first.clone_from(&line);
        }
    }
    let status = status(&first).ok_or_else(|| broke("answers CONNECT with what is not HTTP"))?;
    if status == StatusCode::OK { Ok(()) } else { Err(refused(status, proxy, target)) }
}

fn connect(proxy: &Proxy, target: ProxyTarget<'_>) -> String {
    let authority = authority(target);
    let authorization = proxy.authorization();
    let authorization =
        authorization.map_or_else(String::new, |value| format!("Proxy-Authorization: {value}\r\n"));
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n")
}

/// Host and port in the form of CONNECT.
fn authority(target: ProxyTarget<'_>) -> String {
    let ProxyTarget { host, port, .. } = target;
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn status(line: &[u8]) -> Option<StatusCode> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let is_http = words.next()?.starts_with("HTTP/1.");
    words.next().filter(|_| is_http)?.parse().ok()
}

/// The error of a status. A refusal lasts; an endpoint that the proxy could not reach may return soon.
fn refused(status: StatusCode, proxy: &Proxy, target: ProxyTarget<'_>) -> TransportError {
    let (refused, authority) = (TransportErrorKind::ProxyRefused, authority(target));
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        let problem = if proxy.authorization().is_some() {
            "does not accept the user and password that were sent"
        } else {
            "requires a user and password: write them to proxy_url"
        };
        return failed(refused, format!("the proxy {proxy} {problem} ({status})"));
    }
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        let text = format!(
            "the proxy {proxy} refuses a tunnel to {authority} ({status}): the proxy's operator must allow it"
        );
        return failed(refused, text);
    }
    let text = format!(
        "the proxy {proxy} has no tunnel to {authority} ({status}): the proxy's operator can say why"
    );
    failed(TransportErrorKind::Proxy, text)
}

fn failed(kind: TransportErrorKind, text: String) -> TransportError {
    TransportError { kind, text }
}
