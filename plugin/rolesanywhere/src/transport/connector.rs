//! From a URL to a connection: name, TCP, a proxy's tunnel where one is in the way, TLS. One bound of time over all of it.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::resolver::SystemResolver;
use super::{TransportError, TransportErrorKind, network, tunnel};
use crate::proxy::{Proxies, Proxy, Target, bare};
use crate::settings::Settings;

/// Finds out that a silent peer is gone, and keeps routers from forgetting the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Makes connections for hyper. Clones are the same one.
#[derive(Clone)]
pub(super) struct Connector(Arc<Ways>);

struct Ways {
    proxies: Proxies,
    names: SystemResolver,
    tls: TlsConnector,
    /// The same without HTTP/2: a proxy is asked in HTTP/1.1.
    tls_to_proxy: TlsConnector,
    within: Duration,
}

/// A connection, through whatever it leads.
pub(super) struct Line {
    stream: Box<dyn Stream>,
    is_h2: bool,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<Line>, TransportError>> + Send>>;

impl Connector {
    /// Of settings that were checked.
    pub(super) fn new(settings: &Settings, tls: ClientConfig) -> Self {
        let mut to_proxy = tls.clone();
        to_proxy.alpn_protocols.clear();
        Self(Arc::new(Ways {
            proxies: Proxies::new(settings),
            names: SystemResolver::default(),
            tls: Arc::new(tls).into(),
            tls_to_proxy: Arc::new(to_proxy).into(),
            within: settings.connect_timeout,
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Line>;
    type Error = TransportError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let ways = Arc::clone(&self.0);
        Box::pin(async move { ways.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Ways {
    async fn connect(&self, uri: &Uri) -> Result<Line, TransportError> {
        let ends = Instant::now() + self.within;
        let target = target(uri);
        let misdirected = |text| TransportError { kind: TransportErrorKind::ProxyRefused, text };
        let stream: Box<dyn Stream> = match self.proxies.on_the_way_to(target).map_err(misdirected)? {
            None => Box::new(self.dial(target.host, target.port, ends).await?),
            Some(proxy) => self.through(proxy, target, ends).await?,
        };
        if !target.is_https {
            return Ok(Line { stream, is_h2: false });
        }
        let stream = self.secure(&self.tls, target.host, stream, ends).await?;
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Line { stream: Box::new(stream), is_h2 })
    }

    async fn dial(&self, host: &str, port: u16, ends: Instant) -> Result<TcpStream, TransportError> {
        let addresses = self.names.addresses(host, ends).await?;
        let mut tcp = HttpConnector::new_with_resolver(Known(addresses));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE));
        tcp.set_keepalive_retries(Some(3));
        // shared out among the addresses, so that one that drops packets leaves time for the next
        tcp.set_connect_timeout(Some(ends.saturating_duration_since(Instant::now())));
        // A kept connection that a router has forgotten would else cost a whole request_timeout.
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(self.within));
        let uri = Uri::builder().scheme("http").authority(format!("host:{port}")).path_and_query("/").build();
        let uri = uri.map_err(|err| network(&err))?;
        let connected = self.in_time(ends, "TCP connection", tcp.call(uri)).await?;
        Ok(connected.into_inner())
    }

    async fn through(
        &self,
        proxy: &Proxy,
        target: Target<'_>,
        ends: Instant,
    ) -> Result<Box<dyn Stream>, TransportError> {
        let unreached = |err: TransportError| err.of_the_proxy(proxy);
        let mut stream: Box<dyn Stream> =
            Box::new(self.dial(proxy.host(), proxy.port(), ends).await.map_err(unreached)?);
        if proxy.is_https() {
            let secured = self.secure(&self.tls_to_proxy, proxy.host(), stream, ends).await;
            stream = Box::new(secured.map_err(unreached)?);
        }
        match timeout_at(ends, tunnel::open(stream, proxy, target)).await {
            Ok(tunnel) => Ok(Box::new(tunnel?)),
            Err(_) => Err(unreached(self.late("answer to CONNECT"))),
        }
    }

    async fn secure<S: Stream>(
        &self,
        tls: &TlsConnector,
        host: &str,
        stream: S,
        ends: Instant,
    ) -> Result<tokio_rustls::client::TlsStream<S>, TransportError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|err| network(&err))?;
        self.in_time(ends, "TLS handshake", tls.connect(name, stream)).await
    }

    async fn in_time<T, E: std::error::Error + 'static>(
        &self,
        ends: Instant,
        what: &str,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, TransportError> {
        match timeout_at(ends, step).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(err)) if is_late(&err) => Err(self.late(what)),
            Ok(Err(err)) => Err(network(&err)),
            Err(_) => Err(self.late(what)),
        }
    }

    fn late(&self, what: impl Display) -> TransportError {
        let within = self.within.as_secs_f64();
        let text = format!("the connection could not be made in time: no {what} within {within:.1} s");
        TransportError { kind: TransportErrorKind::Network, text }
    }
}

fn target(uri: &Uri) -> Target<'_> {
    let is_https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    Target { is_https, host: bare(uri.host().unwrap_or_default()), port }
}

fn is_late(err: &(dyn std::error::Error + 'static)) -> bool {
    let timed_out = |err: &io::Error| err.kind() == io::ErrorKind::TimedOut;
    err.downcast_ref().is_some_and(timed_out) || err.source().is_some_and(is_late)
}

/// A resolver that was told the answer; the connector puts the right port in.
#[derive(Clone)]
struct Known(Vec<IpAddr>);

impl Service<Name> for Known {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        let all: Vec<SocketAddr> = self.0.iter().map(|address| SocketAddr::new(*address, 0)).collect();
        ready(Ok(all.into_iter()))
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        if self.is_h2 { Connected::new().negotiated_h2() } else { Connected::new() }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
