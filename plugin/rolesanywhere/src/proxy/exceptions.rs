//! `NO_PROXY`: the hosts that are reached without a proxy, by the rules of Go's `httpproxy`.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

use super::target::bare;

/// The parsed list. This machine (`localhost` and loopback addresses) is always an exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exceptions {
    Everything,
    These(Vec<Exception>),
}

/// One entry. If it has a port, the target must have the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exception {
    /// `10.0.0.0/8`; it has no port.
    Network(IpNet),
    /// `10.1.2.3` or `10.1.2.3:443`, `::1` or `[::1]:443`.
    Address { address: IpAddr, port: String },
    /// `example.com`: the name and its subdomains. `.example.com`, `*.example.com`: the subdomains alone.
    Domain { below: String, is_itself: bool, port: String },
}

impl Exceptions {
    /// Parses a comma-separated list. Malformed entries are ignored.
    pub(super) fn parse(list: &str) -> Self {
        let entries = || list.split(',').map(|entry| entry.trim().to_lowercase());
        if entries().any(|entry| entry == "*") {
            return Self::Everything;
        }
        Self::These(entries().filter_map(|entry| Exception::parse(&entry)).collect())
    }

    /// Whether a host is reached directly; `host` is a name or an address without brackets.
    pub(super) fn hold(&self, host: &str, port: u16) -> bool {
        let host = host.to_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        match self {
            Self::Everything => true,
            Self::These(all) => all.iter().any(|one| one.holds(&host, address, &port.to_string())),
        }
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if let Ok(network) = entry.parse() {
            return Some(Self::Network(network));
        }
        let (host, port) = split(entry);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address { address: address.to_canonical(), port: port.to_owned() });
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let name = host.strip_prefix('.').unwrap_or(host);
        if host.is_empty() {
            return None;
        }
        let below = format!(".{}", in_ascii(name));
        Some(Self::Domain { below, is_itself: !host.starts_with('.'), port: port.to_owned() })
    }

    fn holds(&self, host: &str, address: Option<IpAddr>, at: &str) -> bool {
        let fits = |port: &str| port.is_empty() || port == at;
        match (self, address) {
            (Self::Network(network), Some(address)) => network.contains(&address),
            (Self::Address { address: excepted, port }, Some(address)) => *excepted == address && fits(port),
            (Self::Domain { below, is_itself, port }, None) => {
                (host.ends_with(below) || *is_itself && host == &below[1..]) && fits(port)
            }
            _ => false,
        }
    }
}

/// Splits host and port; the port is empty if there is none.
fn split(entry: &str) -> (&str, &str) {
    match entry.rsplit_once(':') {
        Some((host, port)) if bare(host) != host || !host.contains(':') => (bare(host), port),
        _ => (entry, ""),
    }
}

/// Converts `münchen.example` to the ASCII form that is sent.
fn in_ascii(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    Host::parse(name).map_or_else(|_| name.to_owned(), |host| host.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(list: &str, target: &str) -> bool {
        let (host, port) = split(target);
        let port = if port.is_empty() { 443 } else { port.parse().unwrap() };
        Exceptions::parse(list).hold(bare(host), port)
    }

    /// A list, a target that it excepts, and one that it does not.
    const CASES: &[(&str, &str, &str)] = &[
        // a name means itself and its subdomains
        ("amazonaws.com", "amazonaws.com", "amazonaws.com.cn"),
        ("amazonaws.com", "sts.eu-central-1.amazonaws.com", "notamazonaws.com"),
        // with `.` or `*.` before it, its subdomains alone
        (".amazonaws.com", "sts.amazonaws.com", "amazonaws.com"),
        ("*.amazonaws.com", "rolesanywhere.eu-central-1.amazonaws.com", "amazonaws.com"),
        // there is no other wildcard
        ("*.amazonaws.com", "a.amazonaws.com", "a.amazonaws.de"),
        ("sts.*.amazonaws.com,x.example", "x.example", "sts.eu-central-1.amazonaws.com"),
        ("*amazonaws.com,x.example", "x.example", "sts.amazonaws.com"),
        // case does not count, nor do spaces around an entry
        (" Internal.EXAMPLE , other.example", "a.internal.example", "internal"),
        ("internal.example", "INTERNAL.example", "example"),
        // empty and malformed entries are ignored
        (",, :80, ,x.example,", "x.example", "y.example"),
        ("[::1,x.example", "x.example", "[fd00::2]"),
        // an entry's port must be the target's
        ("x.example:443", "x.example", "x.example:8443"),
        ("x.example:8443", "a.x.example:8443", "x.example"),
        (".x.example:8443", "a.x.example:8443", "a.x.example"),
        ("*.x.example:8443", "a.x.example:8443", "a.x.example"),
        // addresses, with and without a port
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("10.1.2.3:443", "10.1.2.3", "10.1.2.3:8443"),
        ("fd00::2", "[fd00::2]:443", "[fd00::3]:443"),
        ("[fd00::2]:8443", "[fd00::2]:8443", "[fd00::2]:443"),
        ("10.1.2.3", "[::ffff:10.1.2.3]:443", "[::ffff:10.1.2.4]:443"),
        // networks
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
        ("10.1.2.3/8", "10.9.9.9", "11.9.9.9"),
        ("fd00::/8", "[fdff::1]:443", "[fe00::1]:443"),
        // an address is not a name, and a name is not an address
        ("3.4", "a.3.4", "1.2.3.4"),
        ("10.0.0.0/8,x.example", "x.example", "ten.example"),
        // this machine needs no entry
        ("", "localhost", "localhost.example"),
        ("", "127.9.9.9", "128.0.0.1"),
        ("", "[::1]:443", "[::2]:443"),
        // a name in another alphabet is compared in its ASCII form
        ("münchen.example", "a.xn--mnchen-3ya.example", "munchen.example"),
    ];

    #[test]
    fn no_proxy_means_what_it_means_to_go() {
        for (list, excepted, proxied) in CASES {
            assert!(direct(list, excepted), "{list:?} lets {excepted} go directly");
            assert!(!direct(list, proxied), "{list:?} does not let {proxied} go directly");
        }
    }

    #[test]
    fn an_asterisk_alone_lets_everything_go_directly() {
        for list in ["*", "x.example, *", "*,10.0.0.0/8"] {
            assert!(direct(list, "sts.amazonaws.com") && direct(list, "10.1.2.3"), "{list}");
        }
        assert!(!direct("**", "sts.amazonaws.com"));
    }
}
