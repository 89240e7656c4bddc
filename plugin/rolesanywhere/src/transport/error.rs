//! The error of a request without a usable response.

use std::error::Error;
use std::io;

use crate::proxy::Proxy;

/// A request got no usable response. The text is short and holds no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TransportError {
    /// What may cure it.
    pub kind: TransportErrorKind,
    /// What happened.
    pub text: String,
}

/// Kinds of network errors, by their cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// There was no connection, or it broke. Another attempt may succeed.
    Network,
    /// The host's name has no address, or DNS did not answer. Another attempt may succeed.
    Unresolved,
    /// The proxy was not reached, or could not reach the endpoint itself. Another attempt may succeed.
    Proxy,
    /// The proxy refused, and its operator must allow the request. Another attempt would fail too.
    ProxyRefused,
    /// The server's TLS certificate is not trusted. Another attempt would fail too.
    Untrusted,
    /// The answer is larger than 64 KiB. The rest was not read.
    TooLarge,
}

impl TransportError {
    /// The same error, of a proxy on the way to the endpoint.
    pub(super) fn of_the_proxy(self, proxy: &Proxy) -> Self {
        let kind = match self.kind {
            TransportErrorKind::Network => TransportErrorKind::Proxy,
            kind => kind,
        };
        Self { kind, text: format!("the proxy {proxy} could not be reached: {}", self.text) }
    }

    /// The same error, of a call that a proxy was to pass on, and may have.
    pub(super) fn through(self, proxy: &Proxy) -> Self {
        Self { text: format!("through the proxy {proxy}: {}", self.text), ..self }
    }
}

/// The meaning of reqwest's error, without the URL of the call.
pub(super) fn lost(err: reqwest::Error) -> TransportError {
    network(&err.without_url())
}

/// The meaning of a library's error: the resolver's own error, if it caused it.
pub(super) fn network(err: &(dyn Error + 'static)) -> TransportError {
    if let Some(known) = cause(err) {
        return TransportError::clone(known);
    }
    match untrusted(err) {
        Some(text) => TransportError { kind: TransportErrorKind::Untrusted, text },
        None => TransportError { kind: TransportErrorKind::Network, text: reason(err) },
    }
}

/// The first error of type `E` in a chain of causes.
fn cause<'a, E: Error + 'static>(err: &'a (dyn Error + 'static)) -> Option<&'a E> {
    err.downcast_ref().or_else(|| cause(err.source()?))
}

/// The innermost cause, which says what happened; the layers above say where in the libraries. The link to a library's
/// manual, which rustls appends, is cut, because it means nothing to the operator who reads the error.
pub(super) fn reason(err: &(dyn Error + 'static)) -> String {
    let mut deepest = err;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    text.split_once(": https://docs.rs/").map_or(text.clone(), |(said, _)| said.to_owned())
}

/// The fault of the server's certificate, if that is the cause.
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
