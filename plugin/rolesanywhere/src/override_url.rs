//! The rules for an operator's own URL in place of AWS's.

use url::{Host, Url};

/// Checks whether a URL may replace AWS's own. The service sets the signed path, so a URL with a base path could never
/// verify.
pub(crate) fn check(url: &Url, signed_path: &str) -> Result<(), String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user or password; requests are signed instead".to_owned());
    }
    match (url.scheme(), is_loopback(url)) {
        ("https", _) | ("http", true) => {}
        ("http", false) => {
            let host = url.host_str().unwrap_or_default();
            return Err(format!(
                "http is only allowed to a loopback host such as 127.0.0.1, not to {host:?}; use https"
            ));
        }
        (scheme, _) => return Err(format!("has the scheme {scheme:?}, https is expected")),
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "has more than scheme, host and port: the signed path is {signed_path}, so {:?} is refused",
            url.path()
        ));
    }
    Ok(())
}

/// Whether the host is this machine: 127.0.0.0/8, `::1` or `localhost`.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
