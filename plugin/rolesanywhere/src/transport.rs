//! The one place with I/O: a request goes out, a bounded response comes back.

mod resolver;
mod roots;

use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use zeroize::Zeroizing;

use crate::client::ClientError;
use crate::endpoint;
use crate::settings::Settings;
use resolver::SystemResolver;

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
    /// The server's TLS certificate is not trusted. Another attempt gives the same.
    Untrusted,
    /// The answer is larger than 64 KiB; the rest was not read.
    TooLarge,
}

/// HTTPS with TLS 1.2 or later, HTTP/2 or 1.1, and connections that are kept for the next call.
pub struct HttpsTransport {
    usual: reqwest::Client,
    /// For an operator's own URL on this machine: past the environment's proxy, which could not reach it.
    direct: Option<reqwest::Client>,
}

/// The largest answer that is read. A real one has about 2 KiB.
const MAX_BODY: usize = 64 * 1024;
/// Shorter than a NAT gateway forgets a connection; TCP keep-alive does the rest.
const KEEP_IDLE: Duration = Duration::from_mins(5);

impl HttpsTransport {
    /// Reads the system's root certificates and the proxy variables of the environment; opens nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        let refused = |what: &str| ClientError::Transport(what.to_owned());
        let tls = roots::client_config(settings.extra_roots()).map_err(|err| refused(&err.to_string()))?;
        let finish = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|err| refused(&reason(&err.without_url())))
        };
        if let Some(url) = &settings.proxy_url {
            let proxy = reqwest::Proxy::all(url.clone()).map_err(|_| refused("proxy_url is not usable"))?;
            return Ok(Self { usual: finish(builder(settings, tls).proxy(proxy))?, direct: None });
        }
        let direct = settings.has_loopback_endpoint().then(|| builder(settings, tls.clone()).no_proxy());
        Ok(Self { direct: direct.map(finish).transpose()?, usual: finish(builder(settings, tls))? })
    }

    fn for_url(&self, url: &url::Url) -> &reqwest::Client {
        self.direct.as_ref().filter(|_| endpoint::is_loopback(url)).unwrap_or(&self.usual)
    }
}

fn builder(settings: &Settings, tls: rustls::ClientConfig) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(SystemResolver::default())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(KEEP_IDLE);
    // A kept connection that a router has forgotten would else cost a whole request_timeout.
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(settings.connect_timeout);
    builder
}

impl fmt::Debug for HttpsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpsTransport")
    }
}

#[async_trait]
impl Transport for HttpsTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(network)?;
        let mut answer = self.for_url(request.url()).execute(request).await.map_err(network)?;
        let announced = answer.content_length().unwrap_or_default();
        if announced > MAX_BODY as u64 {
            return Err(too_large());
        }
        let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
        while let Some(chunk) = answer.chunk().await.map_err(network)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(too_large());
            }
            append(&mut body, &chunk);
        }
        let mut response = Response::new(Bytes::from_owner(body));
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
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

fn network(err: reqwest::Error) -> TransportError {
    let err = err.without_url();
    match untrusted(&err) {
        Some(text) => TransportError { kind: TransportErrorKind::Untrusted, text },
        None => TransportError { kind: TransportErrorKind::Network, text: reason(&err) },
    }
}

/// The innermost cause, which says what happened; the layers above say where in the libraries. The address of a library's manual,
/// which rustls appends, means nothing to whoever reads a fault of Vault's.
fn reason(err: &reqwest::Error) -> String {
    if err.is_timeout() {
        return "the connection could not be made in time".to_owned();
    }
    let mut deepest: &(dyn std::error::Error + 'static) = err;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    text.split_once(": https://docs.rs/").map_or(text.clone(), |(said, _)| said.to_owned())
}

/// What is wrong with the server's certificate, if that is the cause.
fn untrusted(err: &reqwest::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(problem) = tls_error(err)? else { return None };
    Some(format!(
        "the server's TLS certificate is not trusted: {problem}; if the endpoint or a proxy uses a private CA, put it \
         into endpoint_ca_pem"
    ))
}

/// The TLS error within others. An `io::Error` holds one without naming it as its source.
fn tls_error<'a>(err: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = err.downcast_ref() {
        return Some(found);
    }
    match err.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => tls_error(inner),
        None => tls_error(err.source()?),
    }
}
