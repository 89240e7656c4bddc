//! The proxy between this process and an endpoint: the operator's own, or the environment's as Go reads it. No I/O.

mod exceptions;
mod target;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::proxy_variables::ProxyVariables;
use crate::settings::Settings;
use exceptions::Exceptions;
use target::bare;

pub(crate) use target::ProxyTarget;

/// A proxy for tunnels. `Display` is its URL without user and password, and the setting that named it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    url: Url,
    /// The setting that named it: `proxy_url`, or the variable.
    pub(crate) named_by: &'static str,
}

impl Proxy {
    /// The URL without user, password and path.
    pub(crate) fn address(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        format!("{}://{host}:{}", self.url.scheme(), self.port())
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The name or address to connect to, an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        bare(self.url.host_str().unwrap_or_default())
    }

    /// Its port; by default 80 for http and 443 for https.
    pub(crate) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(80)
    }

    /// The value of `Proxy-Authorization`, if there is a user or password.
    pub(crate) fn authorization(&self) -> Option<String> {
        let (user, password) = (self.url.username(), self.url.password());
        if user.is_empty() && password.is_none() {
            return None;
        }
        let mut both: Vec<u8> = percent_decode_str(user).collect();
        both.push(b':');
        both.extend(percent_decode_str(password.unwrap_or_default()));
        Some(format!("Basic {}", STANDARD.encode(both)))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address(), self.named_by)
    }
}

/// The proxies of a process, and the hosts that are reached without one.
pub(crate) struct Proxies {
    own: Option<Proxy>,
    environment: Option<Proxy>,
    exceptions: Exceptions,
}

impl Proxies {
    /// The proxies of checked settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        let ProxyVariables { https_proxy, no_proxy } = &settings.proxy_variables;
        Self {
            own: settings.proxy_url.clone().map(|url| Proxy { url, named_by: "proxy_url" }),
            environment: https_proxy
                .as_deref()
                .and_then(parsed)
                .map(|url| Proxy { url, named_by: "HTTPS_PROXY of the environment" }),
            exceptions: Exceptions::parse(no_proxy.as_deref().unwrap_or_default()),
        }
    }

    /// The value of `Proxy-Authorization` of the only proxy that is used: the operator's own comes before the
    /// environment's.
    pub(crate) fn authorization(&self) -> Option<String> {
        self.own.as_ref().or(self.environment.as_ref())?.authorization()
    }

    /// Returns the proxy on the way to `target`; none if it is reached directly. http is always reached directly,
    /// because it stays on this machine, and a proxy would see a signed request in clear.
    ///
    /// # Errors
    /// The environment names a proxy that speaks neither http nor https.
    pub(crate) fn on_the_way_to(&self, target: ProxyTarget<'_>) -> Result<Option<&Proxy>, String> {
        if !target.is_https {
            return Ok(None);
        }
        if let Some(own) = &self.own {
            return Ok(Some(own));
        }
        let wanted = !self.exceptions.hold(target.host, target.port);
        match self.environment.as_ref().filter(|_| wanted) {
            Some(proxy) if !matches!(proxy.url.scheme(), "http" | "https") => Err(format!(
                "{proxy} cannot be asked for a tunnel, because its scheme is not http or https; name another proxy in proxy_url, or bypass it with NO_PROXY"
            )),
            wanted => Ok(wanted),
        }
    }
}

/// Parses a proxy as Go does: a URL, or host and port alone. Any other text is ignored.
fn parsed(text: &str) -> Option<Url> {
    let with_host =
        |text: &str| Url::parse(text).ok().filter(|url| url.host_str().is_some_and(|host| !host.is_empty()));
    with_host(text).or_else(|| with_host(&format!("http://{text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: ProxyTarget<'_> =
        ProxyTarget { is_https: true, host: "rolesanywhere.eu-central-1.amazonaws.com", port: 443 };

    fn variables(all: &[(&str, &str)]) -> ProxyVariables {
        ProxyVariables::read(|name| {
            all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn way(all: &[(&str, &str)], target: ProxyTarget<'_>) -> Result<String, String> {
        let settings = Settings { proxy_variables: variables(all), ..Settings::default() };
        let way = Proxies::new(&settings).on_the_way_to(target).map(|proxy| proxy.map(ToString::to_string));
        way.map(|proxy| proxy.unwrap_or_else(|| "direct".to_owned()))
    }

    #[test]
    fn https_takes_the_environments_proxy_by_either_spelling_of_its_name() {
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "direct"),
            (&[("HTTPS_PROXY", "http://a:1")], "http://a:1"),
            (&[("https_proxy", "http://a:1")], "http://a:1"),
            (&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:2")], "http://a:1"),
            (&[("HTTPS_PROXY", ""), ("https_proxy", "http://b:2")], "http://b:2"),
            (&[("HTTP_PROXY", "http://a:1"), ("ALL_PROXY", "http://b:2")], "direct"),
            (&[("HTTPS_PROXY", "http://a:1"), ("REQUEST_METHOD", "GET")], "http://a:1"),
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", ""), ("no_proxy", "*")], "direct"),
        ];
        for (environment, expected) in cases {
            let way = way(environment, AWS).unwrap();

            assert_eq!(way.split(' ').next(), Some(expected), "{environment:?}");
        }
    }

    #[test]
    fn a_proxy_is_a_url_or_a_host_with_or_without_a_port() {
        for (written, expected) in [
            ("https://a.example", "https://a.example:443"),
            ("a.example:3128", "http://a.example:3128"),
            ("a.example", "http://a.example:80"),
            ("10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("http://[fd00::1]:8080", "http://[fd00::1]:8080"),
            ("http://me:hunter2@a.example:1/path", "http://a.example:1"),
        ] {
            let way = way(&[("HTTPS_PROXY", written)], AWS).unwrap();

            assert_eq!(way.split(' ').next(), Some(expected), "{written}");
        }
    }

    #[test]
    fn a_socks_proxy_of_the_environment_is_named_and_never_walked_past() {
        let environment = [("HTTPS_PROXY", "socks5://me:hunter2@a.example:1080")];
        let excepted = [environment[0], ("NO_PROXY", "amazonaws.com")];

        let message = way(&environment, AWS).unwrap_err();

        assert!(message.starts_with("socks5://a.example:1080 (HTTPS_PROXY of the environment)"), "{message}");
        assert_eq!(way(&excepted, AWS).unwrap(), "direct");
    }

    #[test]
    fn the_operators_own_proxy_stands_before_everything() {
        let settings = Settings {
            proxy_url: Some(Url::parse("http://own:1").unwrap()),
            proxy_variables: variables(&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "*")]),
            ..Settings::default()
        };

        let proxies = Proxies::new(&settings);

        assert_eq!(proxies.on_the_way_to(AWS).unwrap().unwrap().to_string(), "http://own:1 (proxy_url)");
    }

    #[test]
    fn http_which_stays_on_this_machine_takes_no_proxy() {
        let here = ProxyTarget { is_https: false, host: "127.0.0.1", port: 8080 };
        let own = Settings { proxy_url: Some(Url::parse("http://own:1").unwrap()), ..Settings::default() };

        assert_eq!(
            way(&[("HTTPS_PROXY", "http://a:1"), ("HTTP_PROXY", "http://a:1")], here).unwrap(),
            "direct"
        );
        assert_eq!(Proxies::new(&own).on_the_way_to(here).unwrap().map(ToString::to_string), None);
    }

    #[test]
    fn user_and_password_are_sent_as_they_were_meant_and_shown_nowhere() {
        let proxy = Proxy { url: Url::parse("http://m%65:p%40ss@a.example").unwrap(), named_by: "proxy_url" };

        let sent = proxy.authorization().unwrap();

        assert_eq!(STANDARD.decode(sent.strip_prefix("Basic ").unwrap()).unwrap(), b"me:p@ss");
        assert_eq!(proxy.to_string(), "http://a.example:80 (proxy_url)");
        let variables = variables(&[("HTTPS_PROXY", "http://me:hunter2@a.example")]);
        assert!(!format!("{variables:?}").contains("hunter2"));
    }
}
