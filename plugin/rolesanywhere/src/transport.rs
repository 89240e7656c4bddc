//! The one place with I/O: a request goes out, a bounded response comes back.

mod connector;
mod resolver;
mod roots;
mod tunnel;

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use zeroize::Zeroizing;

use crate::client::ClientError;
use crate::proxy::Proxy;
use crate::settings::Settings;
use connector::Connector;

/// Sends one request. The caller bounds the time; the implementation bounds the size.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends the request once, without following redirects, and reads the whole answer.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

/// A request without a usable response. The text is short and holds no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TransportError {
    /// What may be done about it.
    pub kind: TransportErrorKind,
    /// What happened.
    pub text: String,
}

/// Kinds of network errors, by what may be done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// No connection, or it broke. Another attempt may succeed.
    Network,
    /// The host's name has no address, or none was told. Another attempt may succeed.
    Unresolved,
    /// The proxy was not reached, or could not reach the endpoint itself. Another attempt may succeed.
    Proxy,
    /// The proxy said no, which is for whoever runs it to change. Another attempt gives the same.
    ProxyRefused,
    /// The server's TLS certificate is not trusted. Another attempt gives the same.
    Untrusted,
    /// The answer is larger than 64 KiB; the rest was not read.
    TooLarge,
}

/// HTTPS with TLS 1.2 or later, HTTP/2 or 1.1, and connections that are kept for the next call.
///
/// hyper's client and not reqwest: that one keeps a proxy's status to itself, reads `NO_PROXY` by other rules than Vault, and asks DNS
/// within a bound that it cannot tell apart from TCP's.
pub struct HttpsTransport {
    client: Client<Connector, Full<Bytes>>,
}

/// The largest answer that is read. A real one has about 2 KiB.
const MAX_BODY: usize = 64 * 1024;
/// The largest head of an answer.
const MAX_HEAD: usize = 64 * 1024;
/// What a peer of HTTP/2 may send ahead of our reading, on one stream and on a connection.
const WINDOWS: [u32; 2] = [64 * 1024, 512 * 1024];
/// Shorter than a NAT gateway forgets a connection; TCP keep-alive does the rest.
const KEEP_IDLE: Duration = Duration::from_mins(5);

impl HttpsTransport {
    /// Reads the system's root certificates; opens nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        let tls = roots::client_config(settings.extra_roots())
            .map_err(|err| ClientError::Transport(err.to_string()))?;
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .http1_max_buf_size(MAX_HEAD)
            .http2_initial_stream_window_size(WINDOWS[0])
            .http2_initial_connection_window_size(WINDOWS[1])
            .build(Connector::new(settings, tls));
        Ok(Self { client })
    }
}

impl fmt::Debug for HttpsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpsTransport")
    }
}

#[async_trait]
impl Transport for HttpsTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let answer = self.client.request(request.map(Full::new)).await.map_err(|err| network(&err))?;
        let (head, mut body) = answer.into_parts();
        if body.size_hint().lower() > MAX_BODY as u64 {
            return Err(too_large());
        }
        let mut read = Zeroizing::new(Vec::with_capacity(8 * 1024));
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame.map_err(|err| network(&err))?.into_data() else { continue };
            if read.len() + chunk.len() > MAX_BODY {
                return Err(too_large());
            }
            append(&mut read, &chunk);
        }
        Ok(Response::from_parts(head, Bytes::from_owner(read)))
    }
}

/// Appends without leaving a copy behind: a vector that grows would free its old memory uncleared.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    if body.capacity() < body.len() + chunk.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity(MAX_BODY));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

fn too_large() -> TransportError {
    let text = format!("the body is larger than {} KiB", MAX_BODY / 1024);
    TransportError { kind: TransportErrorKind::TooLarge, text }
}

impl TransportError {
    /// The same of a proxy that is on the way, where the endpoint has no part in it yet.
    fn of_the_proxy(self, proxy: &Proxy) -> Self {
        let kind = match self.kind {
            TransportErrorKind::Network => TransportErrorKind::Proxy,
            kind => kind,
        };
        Self { kind, text: format!("the proxy {proxy} could not be reached: {}", self.text) }
    }
}

/// What a library's error means: what the connector said, where it is from there.
fn network(err: &(dyn Error + 'static)) -> TransportError {
    if let Some(known) = cause(err) {
        return TransportError::clone(known);
    }
    match untrusted(err) {
        Some(text) => TransportError { kind: TransportErrorKind::Untrusted, text },
        None => TransportError { kind: TransportErrorKind::Network, text: reason(err) },
    }
}

/// The first error of a kind in a chain of causes.
fn cause<'a, E: Error + 'static>(err: &'a (dyn Error + 'static)) -> Option<&'a E> {
    err.downcast_ref().or_else(|| cause(err.source()?))
}

/// The innermost cause, which says what happened; the layers above say where in the libraries. The address of a library's manual,
/// which rustls appends, means nothing to whoever reads a fault of Vault's.
fn reason(err: &(dyn Error + 'static)) -> String {
    let mut deepest = err;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    text.split_once(": https://docs.rs/").map_or(text.clone(), |(said, _)| said.to_owned())
}

/// What is wrong with the server's certificate, if that is the cause.
fn untrusted(err: &(dyn Error + 'static)) -> Option<String> {
    let rustls::Error::InvalidCertificate(problem) = tls_error(err)? else { return None };
    Some(format!(
        "the server's TLS certificate is not trusted: {problem}; if the endpoint or a proxy uses a private CA, put it \
         into endpoint_ca_pem"
    ))
}

/// The TLS error within others. An `io::Error` holds one without naming it as its source.
fn tls_error<'a>(err: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = err.downcast_ref() {
        return Some(found);
    }
    match err.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => tls_error(inner),
        None => tls_error(err.source()?),
    }
}
