//! The process environment, in which a host passes the parameters of a start. No other file reads it.

#[cfg(any(test, fuzzing))]
pub(crate) mod claims;

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ParsedCertificate;
use thiserror::Error;

use crate::multiplexing::Multiplexing;

/// The values that host and plugin agree on at build time.
#[derive(Debug, Clone, Copy)]
pub struct HandshakeConfig {
    /// The environment variable that proves that a host started the process, and not a person. Not a secret.
    pub magic_cookie_key: &'static str,
    /// The value that this variable must hold.
    pub magic_cookie_value: &'static str,
    /// The version of the plugin's own services: the second field of the handshake line.
    pub protocol_version: u32,
}

/// The parameters of a start by a host.
#[derive(Debug, Clone)]
pub struct HostEnvironment {
    pub(crate) protocol_version: u32,
    pub(crate) client_certificate: CertificateDer<'static>,
    pub(crate) socket_dir: PathBuf,
    pub(crate) socket_group: Option<String>,
    pub(crate) multiplexing: Multiplexing,
}

/// Why the process was not started by a usable host.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HostEnvironmentError {
    /// The magic cookie is absent or wrong: a person ran the binary.
    #[error("this binary is a plugin: its host starts it")]
    ByHand,
    /// The host speaks other versions of the plugin's services.
    #[error("the host offers protocol versions {offered}; this plugin speaks version {ours} only")]
    ProtocolVersion {
        /// `PLUGIN_PROTOCOL_VERSIONS` as given.
        offered: String,
        /// The plugin's version.
        ours: u32,
    },
    /// The host offers no mutual TLS.
    #[error("the host sets no PLUGIN_CLIENT_CERT; this plugin serves over mutual TLS only")]
    NoClientCertificate,
    /// `PLUGIN_CLIENT_CERT` cannot be read.
    #[error("PLUGIN_CLIENT_CERT holds no PEM certificate")]
    BadClientCertificate,
    /// The handshake line cannot name a socket in this directory.
    #[error("PLUGIN_UNIX_SOCKET_DIR {0:?}: a path with \"|\" or a line break cannot be announced")]
    SocketDirectory(String),
}

impl HostEnvironment {
    /// Reads the process environment.
    ///
    /// A host that offers no certificate is refused, although go-plugin would then serve in clear: Vault has required
    /// mutual TLS since 1.12, and a socket that any process on the machine can use is worse than none. A host that
    /// lists no protocol versions is a legacy one and is accepted, as in go-plugin.
    pub fn from_environment(config: &HandshakeConfig) -> Result<Self, HostEnvironmentError> {
        Self::read(config, variable, std::env::temp_dir())
    }

    fn read(
        config: &HandshakeConfig,
        variable: impl Fn(&str) -> Option<String>,
        temporary: PathBuf,
    ) -> Result<Self, HostEnvironmentError> {
        if variable(config.magic_cookie_key).as_deref() != Some(config.magic_cookie_value) {
            return Err(HostEnvironmentError::ByHand);
        }
        let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
        agree(config.protocol_version, filled("PLUGIN_PROTOCOL_VERSIONS"))?;
        let pem = filled("PLUGIN_CLIENT_CERT").ok_or(HostEnvironmentError::NoClientCertificate)?;
        let client_certificate = certificate(&pem).ok_or(HostEnvironmentError::BadClientCertificate)?;
        Ok(Self {
            protocol_version: config.protocol_version,
            client_certificate,
            socket_dir: announceable(filled("PLUGIN_UNIX_SOCKET_DIR").map_or(temporary, PathBuf::from))?,
            socket_group: filled("PLUGIN_UNIX_SOCKET_GROUP"),
            multiplexing: Multiplexing::from_variable(filled("PLUGIN_MULTIPLEX_GRPC").as_deref()),
        })
    }
}

fn agree(ours: u32, offered: Option<String>) -> Result<(), HostEnvironmentError> {
    match offered {
        Some(offered) if !offered.split(',').any(|version| version.trim().parse() == Ok(ours)) => {
            Err(HostEnvironmentError::ProtocolVersion { offered, ours })
        }
        _ => Ok(()),
    }
}

/// Reads the certificate that every peer must present. A certificate that no peer could present is refused here, before
/// a host fails to connect.
fn certificate(pem: &str) -> Option<CertificateDer<'static>> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    ParsedCertificate::try_from(&der).is_ok().then_some(der)
}

fn announceable(dir: PathBuf) -> Result<PathBuf, HostEnvironmentError> {
    match dir.to_str() {
        Some(text) if !text.contains(['|', '\n', '\r']) => Ok(dir),
        _ => Err(HostEnvironmentError::SocketDirectory(dir.to_string_lossy().into_owned())),
    }
}

/// Reads one variable of the process environment; none if it is unset or not Unicode.
#[expect(clippy::disallowed_methods, reason = "this file owns the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::CertifiedKey;

    const CONFIG: HandshakeConfig = HandshakeConfig {
        magic_cookie_key: "GREETER_PLUGIN",
        magic_cookie_value: "6f1c",
        protocol_version: 5,
    };

    fn pem() -> String {
        CertifiedKey::generate().unwrap().pem()
    }

    fn environment(variables: &[(&str, &str)]) -> Result<HostEnvironment, HostEnvironmentError> {
        let lookup = |name: &str| {
            let mut all = variables.iter().rev();
            all.find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        HostEnvironment::read(&CONFIG, lookup, PathBuf::from("/temporary"))
    }

    fn by_host(more: &[(&str, &str)]) -> Result<HostEnvironment, HostEnvironmentError> {
        let pem = pem();
        let mut variables = vec![("GREETER_PLUGIN", "6f1c"), ("PLUGIN_CLIENT_CERT", pem.as_str())];
        variables.extend_from_slice(more);
        environment(&variables)
    }

    #[test]
    fn a_start_without_the_cookie_is_a_start_by_hand() {
        assert_eq!(environment(&[]).unwrap_err(), HostEnvironmentError::ByHand);
    }

    #[test]
    fn a_start_with_another_cookie_is_a_start_by_hand() {
        assert_eq!(environment(&[("GREETER_PLUGIN", "other")]).unwrap_err(), HostEnvironmentError::ByHand);
    }

    #[test]
    fn our_version_among_others_is_accepted() {
        let environment = by_host(&[("PLUGIN_PROTOCOL_VERSIONS", "3,4,5")]).unwrap();

        assert_eq!(environment.protocol_version, 5);
    }

    #[test]
    fn a_host_that_lacks_our_version_is_told_both() {
        let error = by_host(&[("PLUGIN_PROTOCOL_VERSIONS", "3,4,55")]).unwrap_err();

        assert_eq!(
            error.to_string(),
            "the host offers protocol versions 3,4,55; this plugin speaks version 5 only"
        );
    }

    #[test]
    fn a_host_without_mutual_tls_is_refused() {
        let error = environment(&[("GREETER_PLUGIN", "6f1c")]).unwrap_err();

        assert_eq!(error, HostEnvironmentError::NoClientCertificate);
    }

    #[test]
    fn a_client_certificate_that_is_none_is_refused() {
        let no_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

        for text in ["MIIB", no_certificate] {
            let error = by_host(&[("PLUGIN_CLIENT_CERT", text)]).unwrap_err();

            assert_eq!(error, HostEnvironmentError::BadClientCertificate);
        }
    }

    #[test]
    fn the_socket_goes_to_the_temporary_directory_unless_told_otherwise() {
        let unsaid = by_host(&[]).unwrap();
        let said =
            by_host(&[("PLUGIN_UNIX_SOCKET_DIR", "/run/p"), ("PLUGIN_UNIX_SOCKET_GROUP", "1000")]).unwrap();

        assert_eq!((unsaid.socket_dir, unsaid.socket_group), (PathBuf::from("/temporary"), None));
        assert_eq!((said.socket_dir, said.socket_group), (PathBuf::from("/run/p"), Some("1000".to_owned())));
    }

    #[test]
    fn a_socket_directory_that_would_break_the_handshake_line_is_refused() {
        let error = by_host(&[("PLUGIN_UNIX_SOCKET_DIR", "/run/a|b")]).unwrap_err();

        assert_eq!(error, HostEnvironmentError::SocketDirectory("/run/a|b".to_owned()));
    }

    #[test]
    fn multiplexing_follows_the_three_states_of_its_variable() {
        let of = |value| by_host(&[("PLUGIN_MULTIPLEX_GRPC", value)]).unwrap().multiplexing;

        assert_eq!(of(""), Multiplexing::Unknown);
        assert_eq!(of("false"), Multiplexing::Declined);
        assert_eq!(of("true"), Multiplexing::Wanted);
    }
}
