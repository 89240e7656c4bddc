//! Being a go-plugin server: everything between a host's `exec` and a plugin's own gRPC services.
//!
//! ```text
//!  host                                   plugin
//!   │ exec, PLUGIN_* environment ────────▶ HostEnvironment::from_environment      environment
//!   │ ◀──── one line on stdout ─────────── socket, certificate           handshake, socket, certificate
//!   │ unix socket, mutual TLS ───────────▶ connections ─▶ gRPC           lobby, connections, tls, multiplex
//!   │ StartStream, offers ───────────────▶ Broker::dial ─▶ back to host  broker
//!   │ StreamStdio · Shutdown · Health ───▶ stdio · controller · health   serve
//!   │ ◀──── JSON lines on stderr ───────── tracing                       hclog
//! ```
//!
//! Start reading at [`serve`]; `examples/greeter.rs` is a whole plugin. The crate knows no Vault: what a plugin does is in
//! the services it hands to [`serve`].
//!
//! What it never does: write to stdout after the handshake line, serve without mutual TLS, or outlive its host.

mod broker;
mod certificate;
/// What holds whatever a host says and whatever is logged. `fuzz/` looks for an input that breaks a claim; tests beside each claim
/// hold the inputs it kept.
#[cfg(any(test, fuzzing))]
pub mod claims {
    pub use crate::broker::claims::broker;
    pub use crate::environment::claims::handshake;
    pub use crate::hclog::claims::hclog;
}
mod connections;
mod controller;
mod environment;
mod handshake;
pub mod hclog;
mod host_liveness;
mod lobby;
mod multiplex;
mod multiplexing;
mod serve;
mod signals;
mod socket;
mod stdio;
mod tls;

pub use broker::{Broker, BrokerError};
pub use environment::{HandshakeConfig, HostEnvironment, HostEnvironmentError, variable};
pub use serve::{ServeError, serve};
pub use socket::SocketError;

/// Bytes a gRPC message may have, either way: twice what a host such as Vault takes in one request, 32 MiB. go-plugin hosts set no
/// bound on their side, and tonic's own default, 4 MiB, would refuse what they send. For `max_decoding_message_size` and
/// `max_encoding_message_size` of every service handed to [`serve`] and every client made over a [`Broker`] connection.
pub const MESSAGE_LIMIT: usize = 64 << 20;
