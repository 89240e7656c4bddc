//! A go-plugin server: everything between a host's `exec` and a plugin's own gRPC services.
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
//! Start reading at [`serve()`]; `examples/greeter.rs` is a whole plugin. The crate knows no Vault: the services that a
//! plugin hands to [`serve()`] decide what it does.
//!
//! It never writes to stdout after the handshake line, serves without mutual TLS, or outlives its host.

mod broker;
mod certificate;
/// Claims that hold for every host and every logged event. `fuzz/` searches for an input that breaks a claim; the tests
/// beside each claim replay the inputs it kept.
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

/// The largest gRPC message in either direction, in bytes: twice the 32 MiB that a host such as Vault accepts in one
/// request. go-plugin hosts set no bound, and tonic's default of 4 MiB would refuse their messages. Use it as
/// `max_decoding_message_size` and `max_encoding_message_size` of every service handed to [`serve()`], and of every
/// client over a [`Broker`] connection.
pub const MESSAGE_LIMIT: usize = 64 << 20;
