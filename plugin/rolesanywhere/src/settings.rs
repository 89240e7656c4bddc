//! The operator's settings for reaching AWS, and the bounds of each value.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;

use crate::override_url;
use crate::proxy_variables::ProxyVariables;

/// How AWS is reached. [`Settings::check`] holds the bounds; [`crate::Client::new`] calls it.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// A URL in place of AWS's own, without path; `http` only to a loopback host.
    pub endpoint: Option<Url>,
    /// The same for STS, which says who holds a session.
    pub sts_endpoint: Option<Url>,
    /// The same for IAM, which holds roles and their policies.
    pub iam_endpoint: Option<Url>,
    /// PEM certificates that are trusted in addition to the system's roots.
    pub endpoint_ca_pem: Option<String>,
    /// Whether the FIPS endpoints are used, which six regions have.
    pub use_fips: bool,
    /// Whether the endpoints with IPv4 and IPv6 addresses are used.
    pub use_dualstack: bool,
    /// An HTTP proxy; if none, `proxy_variables` decide. Its user and password are never shown.
    pub proxy_url: Option<Url>,
    /// `HTTPS_PROXY` and `NO_PROXY` of the process; the default is an environment without them.
    pub proxy_variables: ProxyVariables,
    /// The bound of one TCP and TLS connection attempt: over 0 and at most 60 seconds.
    pub connect_timeout: Duration,
    /// The bound of one attempt, from the first byte to the last: over 0 and at most 60 seconds.
    pub request_timeout: Duration,
    /// How often a failed attempt is repeated, 0 to 10.
    pub max_retries: u32,
    /// `User-Agent` of every request, which no signature covers. The default names this crate.
    pub user_agent: HeaderValue,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: None,
            sts_endpoint: None,
            iam_endpoint: None,
            endpoint_ca_pem: None,
            use_fips: false,
            use_dualstack: false,
            proxy_url: None,
            proxy_variables: ProxyVariables::default(),
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(10),
            max_retries: 3,
            user_agent: HeaderValue::from_static(concat!("rolesanywhere/", env!("CARGO_PKG_VERSION"))),
        }
    }
}

/// A setting outside its bounds: field, value, bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SettingsError {
    /// The setting's name.
    pub field: &'static str,
    /// Its value and the bound that it breaks. Never a password.
    pub problem: String,
}

const MAX_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_RETRIES: u32 = 10;

impl Settings {
    /// Checks every value against its bounds, without any I/O.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.check_endpoint()?;
        self.check_proxy()?;
        if let Some(pem) = &self.endpoint_ca_pem {
            certificates(pem).map_err(|problem| refuse("endpoint_ca_pem", problem))?;
        }
        check_timeout("connect_timeout", self.connect_timeout)?;
        check_timeout("request_timeout", self.request_timeout)?;
        if self.max_retries > MAX_RETRIES {
            return Err(refuse(
                "max_retries",
                format!("{} is above the maximum of {MAX_RETRIES}", self.max_retries),
            ));
        }
        Ok(())
    }

    fn check_endpoint(&self) -> Result<(), SettingsError> {
        if self.use_fips && self.use_dualstack {
            let problem = "cannot be true together with use_dualstack: AWS publishes no such endpoint";
            return Err(refuse("use_fips", problem));
        }
        self.overrides().into_iter().try_for_each(|(field, url, path)| self.check_override(field, url, path))
    }

    fn check_override(&self, field: &'static str, url: &Url, path: &str) -> Result<(), SettingsError> {
        override_url::check(url, path).map_err(|problem| refuse(field, problem))?;
        let conflicts = [("use_fips", self.use_fips), ("use_dualstack", self.use_dualstack)];
        match conflicts.iter().find(|(_, set)| *set) {
            Some((conflict, _)) => {
                let problem = format!("cannot be true together with {field}, which replaces AWS's own");
                Err(refuse(conflict, problem))
            }
            None => Ok(()),
        }
    }

    /// The operator's own URLs: field, URL, and the path that is signed there.
    fn overrides(&self) -> Vec<(&'static str, &Url, &'static str)> {
        let all = [
            ("endpoint", &self.endpoint, "/sessions"),
            ("sts_endpoint", &self.sts_endpoint, "/"),
            ("iam_endpoint", &self.iam_endpoint, "/"),
        ];
        all.into_iter().filter_map(|(field, url, path)| Some((field, url.as_ref()?, path))).collect()
    }

    fn check_proxy(&self) -> Result<(), SettingsError> {
        let Some(url) = &self.proxy_url else { return Ok(()) };
        // without `//` the text before the colon may be a user, so it is not shown
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("proxy_url", "has no host: http://<host>:<port> is expected"));
        }
        if !matches!(url.scheme(), "http" | "https") {
            let problem = format!("has the scheme {:?}, http or https is expected", url.scheme());
            return Err(refuse("proxy_url", problem));
        }
        Ok(())
    }

    /// The certificates of `endpoint_ca_pem`, DER-coded; empty when it is not set or not readable.
    pub(crate) fn extra_roots(&self) -> Vec<CertificateDer<'static>> {
        self.endpoint_ca_pem.as_deref().and_then(|pem| certificates(pem).ok()).unwrap_or_default()
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let all = all.map_err(|_| "is not readable as PEM")?;
    if all.is_empty() {
        return Err("holds no certificate; one BEGIN CERTIFICATE block or more is expected");
    }
    let readable =
        |der: &CertificateDer<'_>| rustls::RootCertStore::empty().add(der.clone().into_owned()).is_ok();
    if all.iter().all(readable) { Ok(all) } else { Err("holds a block that is not a usable CA certificate") }
}

fn check_timeout(field: &'static str, span: Duration) -> Result<(), SettingsError> {
    if span.is_zero() {
        return Err(refuse(field, "0 s is not above the minimum of 0 seconds"));
    }
    if span > MAX_TIMEOUT {
        return Err(refuse(field, format!("{} s is above the maximum of 60 seconds", span.as_secs_f64())));
    }
    Ok(())
}

fn refuse(field: &'static str, problem: impl Into<String>) -> SettingsError {
    SettingsError { field, problem: problem.into() }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |url: &Option<Url>| url.as_ref().map(|url| without_userinfo(url).to_string());
        f.debug_struct("Settings")
            .field("endpoint", &shown(&self.endpoint))
            .field("sts_endpoint", &shown(&self.sts_endpoint))
            .field("iam_endpoint", &shown(&self.iam_endpoint))
            .field("endpoint_ca_pem", &self.endpoint_ca_pem.as_ref().map(String::len))
            .field("use_fips", &self.use_fips)
            .field("use_dualstack", &self.use_dualstack)
            .field("proxy_url", &shown(&self.proxy_url))
            .field("proxy_variables", &self.proxy_variables)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("max_retries", &self.max_retries)
            .field("user_agent", &self.user_agent)
            .finish()
    }
}

/// The URL without user, password and query.
fn without_userinfo(url: &Url) -> Url {
    let mut shown = url.clone();
    let cleared = shown.set_username("").and_then(|()| shown.set_password(None));
    shown.set_query(None);
    if cleared.is_err() { Url::parse("redacted:").unwrap_or(shown) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_defaults_are_within_their_bounds() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_value_outside_its_bounds_is_refused_by_field_value_and_bound() {
        assert_eq!(refused(|s| s.max_retries = 11), "max_retries: 11 is above the maximum of 10");
        assert_eq!(
            refused(|s| s.connect_timeout = Duration::ZERO),
            "connect_timeout: 0 s is not above the minimum of 0 seconds"
        );
        assert_eq!(
            refused(|s| s.request_timeout = Duration::from_secs(61)),
            "request_timeout: 61 s is above the maximum of 60 seconds"
        );
    }

    #[test]
    fn an_unusable_ca_bundle_is_refused() {
        assert!(refused(|s| s.endpoint_ca_pem = Some(String::new())).contains("holds no certificate"));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(
            refused(|s| s.endpoint_ca_pem = Some(garbage.into())).contains("not a usable CA certificate")
        );
    }

    #[test]
    fn fips_and_dual_stack_exclude_an_own_endpoint_and_each_other() {
        let own = |s: &mut Settings| s.endpoint = Some(url("https://vpce.example"));

        assert!(refused(|s| (own(s), s.use_fips = true).1).starts_with("use_fips: "));
        assert!(refused(|s| (own(s), s.use_dualstack = true).1).starts_with("use_dualstack: "));
        assert!(refused(|s| (s.use_dualstack = true, s.use_fips = true).1).starts_with("use_fips: "));
    }

    #[test]
    fn every_own_endpoint_is_held_to_the_same_rules() {
        let far = || Some(url("http://sts.example"));
        let own = || Some(url("https://iam.example"));

        assert!(refused(|s| s.sts_endpoint = far()).starts_with("sts_endpoint: http is only allowed to a"));
        assert!(refused(|s| s.iam_endpoint = far()).starts_with("iam_endpoint: http is only allowed to a"));
        let text = refused(|s| (s.iam_endpoint = own(), s.use_fips = true).1);
        assert_eq!(text, "use_fips: cannot be true together with iam_endpoint, which replaces AWS's own");
    }

    #[test]
    fn a_proxy_that_is_not_http_is_refused_without_its_password() {
        let text = refused(|s| s.proxy_url = Some(url("socks5://user:hunter2@proxy.example")));

        assert_eq!(text, "proxy_url: has the scheme \"socks5\", http or https is expected");
    }

    #[test]
    fn no_password_is_shown_by_debug() {
        let settings = Settings {
            proxy_url: Some(url("http://alice:hunter2@proxy.example:3128")),
            endpoint: Some(url("https://alice:hunter2@ra.example")),
            sts_endpoint: Some(url("https://alice:hunter2@sts.example")),
            iam_endpoint: Some(url("https://alice:hunter2@iam.example")),
            ..Settings::default()
        };

        let shown = format!("{settings:?}");

        assert!(!shown.contains("hunter2") && !shown.contains("alice"), "{shown}");
        assert!(shown.contains("proxy.example:3128"), "{shown}");
    }
}
