//! `HTTPS_PROXY` and `NO_PROXY` of a process.

use std::fmt;

/// The proxy variables of a process, as they are written there.
///
/// Vault is a Go program, and reads them by the rules of `golang.org/x/net/http/httpproxy`; so do we, so that one environment means
/// one thing in one Vault. <https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config>
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyVariables {
    pub(crate) https_proxy: Option<String>,
    pub(crate) no_proxy: Option<String>,
}

impl ProxyVariables {
    /// Reads each by its name in capitals, and where that is unset or empty, in small letters.
    ///
    /// `HTTP_PROXY` has no part, and with it Go's rule for CGI (`REQUEST_METHOD`): http goes to this machine alone, which no
    /// variable sends to a proxy. Nor has `ALL_PROXY`, which Go does not read.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |capitals: &str, small: &str| {
            let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
            filled(capitals).or_else(|| filled(small))
        };
        Self { https_proxy: either("HTTPS_PROXY", "https_proxy"), no_proxy: either("NO_PROXY", "no_proxy") }
    }
}

/// A proxy's URL may hold a password.
impl fmt::Debug for ProxyVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyVariables")
            .field("https_proxy", &self.https_proxy.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}
