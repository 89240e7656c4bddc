//! How long a plugin takes from exec to the line by which go-plugin's host knows where it listens.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::usage::median;

/// Milliseconds, the median of some starts.
pub(crate) fn median_of(binary: &Path, starts: usize) -> f64 {
    let host = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let certificate = host.cert.pem();
    median((0..starts).map(|_| once(binary, &certificate)).collect())
}

/// As Vault starts a plugin that speaks protocol 5 over mutual TLS, in a folder for its socket.
fn once(binary: &Path, certificate: &str) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = Instant::now();
    let mut plugin = Command::new(binary)
        .env_clear()
        .env("TMPDIR", folder.path())
        .env("VAULT_BACKEND_PLUGIN", "6669da05-b1c8-4f49-97d9-c8e5bed98e20")
        .env("VAULT_PLUGIN_AUTOMTLS_ENABLED", "true")
        .env("VAULT_VERSION", "1.21.1")
        .env("PLUGIN_PROTOCOL_VERSIONS", "5")
        .env("PLUGIN_CLIENT_CERT", certificate)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let mut line = String::new();
    let stdout = plugin.stdout.take().expect("a piped output");
    BufReader::new(stdout).read_line(&mut line).expect("the plugin's output can be read");
    let took = start.elapsed();
    let _ = plugin.kill();
    let _ = plugin.wait();
    assert!(line.starts_with("1|5|unix|"), "{} announced itself as {line:?}", binary.display());
    took.as_secs_f64() * 1000.0
}
