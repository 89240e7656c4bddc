//! Claims that hold for every environment, and for the handshake line that answers it.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a claim that does not hold panics: that is what it is for"
)]

use std::path::PathBuf;
use std::sync::LazyLock;

use super::{HandshakeConfig, HostEnvironment, HostEnvironmentError};
use crate::certificate::CertifiedKey;
use crate::handshake::Handshake;
use crate::multiplexing::Multiplexing;
use crate::tls::Tls;

const CONFIG: HandshakeConfig =
    HandshakeConfig { magic_cookie_key: "COOKIE", magic_cookie_value: "6f1c", protocol_version: 5 };
/// Characters of a line of a certificate in PEM.
const LINE_OF_PEM: usize = 64;

static IDENTITY: LazyLock<CertifiedKey> =
    LazyLock::new(|| CertifiedKey::generate().expect("a certificate is made"));

/// The input: an environment as in `/proc/<pid>/environ`, `<name>=<value>` separated by zero bytes. Without the cookie it is a
/// start by hand, and with the cookie it never is. A refusal repeats no line of the certificate. An accepted environment gives
/// a line of six or seven fields, and TLS or a refusal of it.
pub fn handshake(input: &[u8]) {
    let variables: Vec<(&str, &str)> = input
        .split(|byte| *byte == 0)
        .filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='))
        .collect();
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let outcome = HostEnvironment::read(&CONFIG, variable, PathBuf::from("/tmp"));
    let by_hand = variable(CONFIG.magic_cookie_key).as_deref() != Some(CONFIG.magic_cookie_value);
    assert_eq!(by_hand, matches!(outcome, Err(HostEnvironmentError::ByHand)));
    match outcome {
        Ok(environment) => announced(environment),
        Err(error) => {
            let said = error.to_string();
            let pem = variable("PLUGIN_CLIENT_CERT").unwrap_or_default();
            let elsewhere = |line: &&str| {
                variables.iter().any(|(name, value)| *name != "PLUGIN_CLIENT_CERT" && value.contains(line))
            };
            let mut lines = pem.lines().filter(|line| line.len() >= LINE_OF_PEM && !elsewhere(line));
            assert!(!lines.any(|line| said.contains(line)), "{said}");
        }
    }
}

fn announced(environment: HostEnvironment) {
    let socket = environment.socket_dir.join("plugin1");
    let certificate = IDENTITY.certificate();
    let (protocol_version, multiplexing) = (environment.protocol_version, environment.multiplexing);
    let handshake = Handshake { protocol_version, socket: &socket, certificate, multiplexing };
    let line = handshake.to_string();
    let fields: Vec<&str> = line.split('|').collect();
    assert!(!line.contains(['\n', '\r']), "{line:?}");
    assert_eq!(fields.len(), if multiplexing == Multiplexing::Unknown { 6 } else { 7 });
    assert_eq!((fields[0], fields[1], fields[2], fields[4]), ("1", "5", "unix", "grpc"));
    assert_eq!(Some(fields[3]), socket.to_str());
    let _either_way = Tls::pinned(&IDENTITY, environment.client_certificate).is_ok();
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kept_environments_hold_the_claim() {
        seeds::replay("handshake", super::handshake);
    }
}
