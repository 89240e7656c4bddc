//! All I/O of the crate: a request goes out, a bounded response comes back.

mod error;
mod resolver;
mod roots;
mod tunnel;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::proxy::{Proxies, Proxy, ProxyTarget};
use crate::settings::Settings;
use error::{lost, reason};
use resolver::{Names, SystemResolver};
use tunnel::Inquiry;

pub use error::{TransportError, TransportErrorKind};

/// Sends requests. The caller bounds the time, the implementation the size.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends the request once, without following redirects, and reads the whole answer.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

/// TLS or the connection pool could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the HTTPS client could not be set up: {0}")]
pub struct SetupError(String);

/// HTTPS with TLS 1.2 or later, HTTP/2 or 1.1, and connections that are reused.
///
/// reqwest provides all of this. This crate supplies the proxy, name resolution, the roots, and the errors.
pub struct HttpsTransport {
    client: reqwest::Client,
    proxies: Arc<Proxies>,
    inquiry: Inquiry,
    connect_timeout: Duration,
}

/// The largest body that is read. A real one has about 2 KiB.
const MAX_BODY: usize = 64 * 1024;
/// The largest head of an HTTP/2 answer. For HTTP/1.1, hyper's own bounds apply: 100 headers, 408 KiB.
const MAX_HEAD: u32 = 16 * 1024;
/// The bytes that an HTTP/2 peer may send before they are read, on one stream and on a connection.
const WINDOWS: [u32; 2] = [64 * 1024, 512 * 1024];
/// How long an idle connection is kept: shorter than a NAT gateway remembers it. TCP keep-alive does the rest.
const KEEP_IDLE: Duration = Duration::from_mins(5);

impl HttpsTransport {
    /// Reads the system's root certificates. Opens no connection yet.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        Self::resolving(settings, SystemResolver::default())
    }

    fn resolving(settings: &Settings, resolver: SystemResolver) -> Result<Self, SetupError> {
        let unusable = |err: &(dyn Error + 'static)| SetupError(reason(err));
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

    /// The error of a failed connection: if a proxy is in the way, its own explanation, if it gives one by `ends`.
    async fn unconnected(
        &self,
        err: reqwest::Error,
        target: ProxyTarget<'_>,
        proxy: Option<&Proxy>,
        ends: Instant,
    ) -> TransportError {
        let error = if err.is_timeout() { self.late() } else { lost(err) };
        let Some(proxy) = proxy else { return error };
        // the only name that is resolved is then the proxy's
        if error.kind == TransportErrorKind::Unresolved {
            return error.of_the_proxy(proxy);
        }
        match timeout_at(ends, self.inquiry.ask(proxy, target)).await {
            Ok(Ok(())) => error.through(proxy),
            Ok(Err(why)) => why,
            Err(_) => TransportError { kind: TransportErrorKind::Proxy, ..error.through(proxy) },
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
    // a reused connection that a router has forgotten would otherwise cost a whole `request_timeout`
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(connect_timeout);
    builder
}

/// The proxies as reqwest asks for them. A proxy that [`Proxies::on_the_way_to`] refuses is refused before a request
/// goes out.
fn proxy(proxies: &Arc<Proxies>) -> reqwest::Proxy {
    let authorization = proxies.authorization().and_then(|value| HeaderValue::try_from(value).ok());
    let proxies = Arc::clone(proxies);
    let proxy = reqwest::Proxy::custom(move |url| {
        proxies.on_the_way_to(ProxyTarget::of(url)).ok().flatten().map(Proxy::address)
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
        let target = ProxyTarget::of(&url);
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

/// Reads an answer to its end, or fails at its bound.
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

/// Appends without leaving a copy behind: a growing vector would free its old memory uncleared.
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
