//! The wire contract between Vault and a plugin: messages, clients and servers, and nothing else.
//!
//! ```text
//!             plugin.*   broker, controller, stdio              served by the plugin (go-plugin)
//!   host  ◀── pb.Backend, logical.PluginVersion,                served by the plugin (Vault)
//!             pluginutil.multiplexing.PluginMultiplexing
//!         ──▶ pb.Storage, SystemView, Events, Observations      served by Vault, on a broker connection
//! ```
//!
//! Modules are named after protobuf packages; the `.proto` files beside `src/` carry the explanations. Names, numbers and
//! types are those of go-plugin 1.6 and of Vault's SDK 0.20 (Vault 1.21). Health checking is `tonic-health`'s.
//! `Debug` of a message that can hold a secret shows which message it is and nothing of what it holds.

mod redacted;

/// What `build.rs` generates. Lints stop here: the code is not ours to word.
#[allow(
    missing_docs,
    unreachable_pub,
    rustdoc::all,
    clippy::all,
    clippy::pedantic,
    clippy::disallowed_methods
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

pub use generated::{logical, pb, plugin, pluginutil};
