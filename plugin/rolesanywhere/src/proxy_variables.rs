//! `HTTPS_PROXY` and `NO_PROXY` of a process.

use std::fmt;

/// The proxy variables of a process, as they are set.
///
/// The rules are those of Go's `golang.org/x/net/http/httpproxy`, because the host process and the programs beside it are often
/// written in Go, and one environment must mean one thing to all of them. <https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config>
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyVariables {
    pub(crate) https_proxy: Option<String>,
    pub(crate) no_proxy: Option<String>,
}

impl ProxyVariables {
    /// Reads each variable by its upper-case name, and by its lower-case name if that is unset or empty.
    ///
    /// `HTTP_PROXY` is not read, and neither is `REQUEST_METHOD` for Go's CGI rule, because http stays on this machine
    /// and no variable sends it to a proxy. Go does not read `ALL_PROXY` either.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |capitals: &str, small: &str| {
            let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
            filled(capitals).or_else(|| filled(small))
        };
        Self { https_proxy: either("HTTPS_PROXY", "https_proxy"), no_proxy: either("NO_PROXY", "no_proxy") }
    }
}

/// Hides the proxy's URL, which may hold a password.
impl fmt::Debug for ProxyVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyVariables")
            .field("https_proxy", &self.https_proxy.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}
