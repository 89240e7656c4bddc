//! The target of a request: host and port.

use url::Url;

/// The target of requests.
#[derive(Clone, Copy)]
pub(crate) struct ProxyTarget<'a> {
    pub(crate) is_https: bool,
    /// A name or an address, an IPv6 address without its brackets.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

impl<'a> ProxyTarget<'a> {
    pub(crate) fn of(url: &'a Url) -> Self {
        let host = bare(url.host_str().unwrap_or_default());
        Self { is_https: url.scheme() == "https", host, port: url.port_or_known_default().unwrap_or(443) }
    }
}

/// A host without the brackets of an IPv6 address.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host)
}
