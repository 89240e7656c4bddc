//! One request to one address, and its answer, bounded in time and size.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use http::{HeaderName, Request};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use zeroize::Zeroizing;

use super::names::Names;
use super::roots;
use super::stamp::FileStamp;

/// The largest body that is read, in bytes. A session has about 2 KiB, a login about 1 KiB, a registry's login 2 to 3 KiB.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// The largest head of an HTTP/2 answer, in bytes. For HTTP/1.1, hyper's own bounds apply.
const MAX_HEAD: u32 = 16 * 1024;
/// How long an idle connection is kept.
const KEEP_IDLE: Duration = Duration::from_mins(2);
/// The number of idle connections to one address. With HTTP/2, which Vault speaks over TLS, one carries everything.
const MAX_IDLE: usize = 4;

/// How long an answer may take, and how it is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireSettings {
    /// How long a connection may take.
    pub(crate) connect_timeout: Duration,
    /// How long one request may take in all.
    pub(crate) call_timeout: Duration,
    /// Whether the proxy of this process's environment (`HTTPS_PROXY`, `NO_PROXY`) is used.
    pub(crate) uses_proxy: bool,
}

/// The HTTPS client. Opens connections as they are needed, and keeps them.
pub(crate) struct Wire {
    settings: WireSettings,
    cacert: Option<PathBuf>,
    names: Names,
    current: Mutex<(Option<FileStamp>, reqwest::Client)>,
}

/// An answer, read to its end.
pub(crate) struct Received {
    pub(crate) status: u16,
    /// Whether it calls itself JSON.
    pub(crate) is_json: bool,
    /// When it was sent, by the clock of who sent it.
    pub(crate) date: Option<OffsetDateTime>,
    /// The pause that it asks for, in whole seconds.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Without the body, which holds secrets.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("status", &self.status).finish_non_exhaustive()
    }
}

/// No answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WireError {
    /// No connection, or it broke, or nothing came in time.
    Unreachable(String),
    /// The certificate is not trusted.
    Untrusted(String),
    /// The answer is larger than [`MAX_BODY`]. The rest was not read.
    TooLarge,
}

impl Wire {
    /// Reads the CA certificates. Opens no connection.
    ///
    /// # Errors
    /// They cannot be read. The text names the file.
    pub(crate) fn new(cacert: Option<PathBuf>, settings: WireSettings) -> Result<Wire, String> {
        let names = Names::default();
        let stamp = cacert.as_deref().and_then(FileStamp::of);
        let client = client(cacert.as_ref(), &names, settings)?;
        Ok(Wire { settings, cacert, names, current: Mutex::new((stamp, client)) })
    }

    /// Sends a request once, without following redirects.
    ///
    /// # Errors
    /// There is no answer, or it is too large.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Received, WireError> {
        let request = reqwest::Request::try_from(request).map_err(lost)?;
        let client = self.client();
        let answered = async { read(client.execute(request).await.map_err(lost)?).await };
        let call_timeout = self.settings.call_timeout;
        let late = |_| WireError::Unreachable(format!("no answer within {} s", call_timeout.as_secs_f32()));
        tokio::time::timeout(call_timeout, answered).await.map_err(late)?
    }

    /// The client with the CA certificates as they are now. While a changed file cannot be used, the certificates that were read
    /// before it stay.
    fn client(&self) -> reqwest::Client {
        let stamp = self.cacert.as_deref().and_then(FileStamp::of);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == stamp {
            return current.1.clone();
        }
        current.0 = stamp;
        match client(self.cacert.as_ref(), &self.names, self.settings) {
            Ok(changed) => {
                tracing::info!("read the changed CA certificates");
                current.1 = changed;
            }
            Err(why) => tracing::warn!("the CA certificates changed and are not taken: {why}"),
        }
        current.1.clone()
    }
}

fn client(
    cacert: Option<&PathBuf>,
    names: &Names,
    settings: WireSettings,
) -> Result<reqwest::Client, String> {
    let tls = cacert.map_or_else(roots::of_the_system, |path| roots::from_file(path))?;
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(names.clone())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(settings.connect_timeout)
        .tcp_user_timeout(settings.call_timeout)
        .pool_idle_timeout(KEEP_IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .http2_max_header_list_size(MAX_HEAD);
    let builder = if settings.uses_proxy { builder } else { builder.no_proxy() };
    builder.build().map_err(|error| reason(&error))
}

/// Reads an answer to its end, or fails at its bound.
async fn read(mut answer: reqwest::Response) -> Result<Received, WireError> {
    if answer.content_length().is_some_and(|announced| announced > MAX_BODY as u64) {
        return Err(WireError::TooLarge);
    }
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(WireError::TooLarge);
        }
        append(&mut body, &chunk);
    }
    let headers = answer.headers();
    Ok(Received {
        status: answer.status().as_u16(),
        is_json: text(headers, CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json")),
        date: text(headers, DATE).and_then(http_date),
        retry_after: text(headers, RETRY_AFTER)
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs),
        body,
    })
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

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The preferred form of HTTP (RFC 9110, section 5.6.7), the only one that Go's servers write.
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

fn http_date(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, HTTP_DATE).ok().map(PrimitiveDateTime::assume_utc)
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn lost(error: reqwest::Error) -> WireError {
    if error.is_timeout() && error.is_connect() {
        return WireError::Unreachable("no connection in time".to_owned());
    }
    match tls_error(&error) {
        Some(rustls::Error::InvalidCertificate(problem)) => {
            let short = problem.to_string();
            WireError::Untrusted(short.split(": https://").next().unwrap_or_default().to_owned())
        }
        _ => WireError::Unreachable(reason(&error)),
    }
}

/// The innermost cause, which says what happened; the layers above say where in the libraries.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// The TLS error within others. An `io::Error` holds one without naming it as its source.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => tls_error(inner),
        None => tls_error(error.source()?),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_date_of_a_go_server_is_read() {
        assert_eq!(http_date("Fri, 02 Jan 2026 12:00:00 GMT"), Some(datetime!(2026-01-02 12:00 UTC)));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn a_body_that_outgrows_its_first_memory_is_whole() {
        let mut body = Zeroizing::new(Vec::with_capacity(4));
        for chunk in [&b"abc"[..], b"defgh", b"ij"] {
            append(&mut body, chunk);
        }

        assert_eq!(*body, b"abcdefghij");
    }
}
