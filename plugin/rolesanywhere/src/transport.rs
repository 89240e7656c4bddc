//! The one place with I/O: a request goes out, a bounded response comes back.

mod resolver;
mod roots;
mod tunnel;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::client::ClientError;
use crate::proxy::{Proxies, Proxy, Target};
use crate::settings::Settings;
use resolver::{Names, SystemResolver};
use tunnel::Inquiry;

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
/// reqwest does all of that. Ours are the proxy in the way, names, roots, and what is told of a failure.
pub struct HttpsTransport {
    client: reqwest::Client,
    proxies: Arc<Proxies>,
    inquiry: Inquiry,
    connect_timeout: Duration,
}

/// The largest answer that is read. A real one has about 2 KiB.
const MAX_BODY: usize = 64 * 1024;
/// The largest head of an answer in HTTP/2. In HTTP/1.1 hyper's own bounds hold: 100 headers, 408 KiB.
const MAX_HEAD: u32 = 16 * 1024;
/// What a peer of HTTP/2 may send ahead of our reading, on one stream and on a connection.
const WINDOWS: [u32; 2] = [64 * 1024, 512 * 1024];
/// Shorter than a NAT gateway forgets a connection; TCP keep-alive does the rest.
const KEEP_IDLE: Duration = Duration::from_mins(5);

impl HttpsTransport {
    /// Reads the system's root certificates; opens nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        Self::resolving(settings, SystemResolver::default())
    }

    fn resolving(settings: &Settings, resolver: SystemResolver) -> Result<Self, ClientError> {
        let unusable = |err: &(dyn Error + 'static)| ClientError::Transport(reason(err));
        let tls = roots::client_config(settings.extra_roots()).map_err(|err| unusable(&err))?;
        let names = Names::new(resolver, settings.connect_timeout);
        let proxies = Arc::new(Proxies::new(settings));
        let client = builder(settings.connect_timeout)
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(names.clone())
            .proxy(proxy(&proxies))
            .build()
            .map_err(|err| unusable(&err))?;
        let (inquiry, connect_timeout) = (Inquiry::new(names, tls), settings.connect_timeout);
        Ok(Self { client, proxies, inquiry, connect_timeout })
    }

    /// What is told where there is no connection: where a proxy is in the way, what that one says of it, if it does by `ends`.
    async fn unconnected(
        &self,
        err: reqwest::Error,
        target: Target<'_>,
        proxy: Option<&Proxy>,
        ends: Instant,
    ) -> TransportError {
        let told = if err.is_timeout() { self.late() } else { lost(err) };
        let Some(proxy) = proxy else { return told };
        // The only name that is asked for is then the proxy's.
        if told.kind == TransportErrorKind::Unresolved {
            return told.of_the_proxy(proxy);
        }
        match timeout_at(ends, self.inquiry.ask(proxy, target)).await {
            Ok(Ok(())) => told.through(proxy),
            Ok(Err(why)) => why,
            Err(_) => TransportError { kind: TransportErrorKind::Proxy, ..told.through(proxy) },
        }
    }

    fn late(&self) -> TransportError {
        let within = self.connect_timeout.as_secs_f64();
        let text = format!("the connection could not be made in time: none within {within:.1} s");
        TransportError { kind: TransportErrorKind::Network, text }
    }
}

fn builder(connect_timeout: Duration) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(KEEP_IDLE)
        .http2_max_header_list_size(MAX_HEAD)
        .http2_initial_stream_window_size(WINDOWS[0])
        .http2_initial_connection_window_size(WINDOWS[1]);
    // A kept connection that a router has forgotten would else cost a whole request_timeout.
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(connect_timeout);
    builder
}

/// The proxies as reqwest asks for them. One that is refused by [`Proxies::on_the_way_to`] is refused before a request goes out.
fn proxy(proxies: &Arc<Proxies>) -> reqwest::Proxy {
    let authorization = proxies.authorization().and_then(|value| HeaderValue::try_from(value).ok());
    let proxies = Arc::clone(proxies);
    let proxy = reqwest::Proxy::custom(move |url| {
        proxies.on_the_way_to(Target::of(url)).ok().flatten().map(Proxy::address)
    });
    match authorization {
        Some(mut value) => {
            value.set_sensitive(true);
            proxy.custom_http_auth(value)
        }
        None => proxy,
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
        let request = reqwest::Request::try_from(request).map_err(lost)?;
        let url = request.url().clone();
        let target = Target::of(&url);
        let misdirected = |text| TransportError { kind: TransportErrorKind::ProxyRefused, text };
        let proxy = self.proxies.on_the_way_to(target).map_err(misdirected)?;
        let ends = Instant::now() + self.connect_timeout;
        match self.client.execute(request).await {
            Ok(answer) => read(answer).await,
            Err(err) if err.is_connect() => Err(self.unconnected(err, target, proxy, ends).await),
            Err(err) => Err(lost(err)),
        }
    }
}

/// Reads an answer to its end or to its bound.
async fn read(mut answer: reqwest::Response) -> Result<Response<Bytes>, TransportError> {
    if answer.content_length().is_some_and(|announced| announced > MAX_BODY as u64) {
        return Err(too_large());
    }
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
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

    /// The same of a call that a proxy was to pass on, and may have.
    fn through(self, proxy: &Proxy) -> Self {
        Self { text: format!("through the proxy {proxy}: {}", self.text), ..self }
    }
}

/// What reqwest's error means, without the URL of the call.
fn lost(err: reqwest::Error) -> TransportError {
    network(&err.without_url())
}

/// What a library's error means: what the resolver said, where it is from there.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_dns_is_told_as_such_by_the_whole_transport_and_before_the_connection_is_late() {
        let folder = tempfile::TempDir::new().unwrap();
        let resolv_conf = folder.path().join("resolv.conf");
        // of a network for documentation, RFC 5737: nobody answers there
        std::fs::write(&resolv_conf, "nameserver 192.0.2.1\n").unwrap();
        let settings = Settings::default();
        let resolver = SystemResolver::reading(folder.path().join("hosts"), resolv_conf);
        let transport = HttpsTransport::resolving(&settings, resolver).unwrap();
        let request = Request::get("https://rolesanywhere.eu-central-1.amazonaws.com/").body(Bytes::new());
        let began = Instant::now();

        let err = transport.send(request.unwrap()).await.unwrap_err();

        assert_eq!(err.kind, TransportErrorKind::Unresolved);
        assert!(
            err.text.contains("could not be resolved: DNS ") && err.text.contains("192.0.2.1 of "),
            "{err}"
        );
        assert!(began.elapsed() < settings.connect_timeout, "{:?}", began.elapsed());
    }
}
