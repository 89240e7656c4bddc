//! The parts that the stories under `tests/` share beside the harness: certificates that an operator may bring, assertions on refused
//! writes, the scripts and templates of `vault-config/`, the Agents that run its configuration files, the commands of the README,
//! clusters from which pods log in, the engine on three Vaults, their signed tokens, the agent of their node, users that log in by name alone, readers that do not stop, clients that retry
//! at several addresses, and the origin of an answer: the reader's own credentials, a failure of Vault, or a failure of ours.
//!
//! Each module under `tests/e2e/` is one story on a real Vault; its tests are named as claims.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness reports by panicking, everywhere")]

pub mod answers;
pub mod clients;
pub mod host;
pub mod kubernetes;
pub mod load;
pub mod node_agent;
pub mod pages;
pub mod paper;
pub mod pki;
mod raft;
mod refusal;
mod script;
pub mod templates;
pub mod tokens;
pub mod users;

pub use clients::say;
pub use raft::engine_on;
pub use refusal::{refused_write, unchanged_by};
pub use script::{config_file, script, short_sessions, short_sessions_at};
