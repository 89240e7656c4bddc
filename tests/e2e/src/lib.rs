//! What the stories under `tests/` share beside the harness: certificates that an operator may bring, a way to say that a
//! write is refused, the scripts and templates of `vault-config/`, the Agents that run its configuration files, the commands of the
//! README, clusters for pods to log in from, signed tokens of theirs, users for whom a name is enough, readers that do not stop, and clients with patience and
//! several addresses; and whose an answer is: the reader's, or the failure Vault's own.
//!
//! Each module under `tests/e2e/` is one story on a real Vault; its tests are named as claims.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness reports by panicking, everywhere")]

pub mod answers;
pub mod clients;
pub mod host;
pub mod kubernetes;
pub mod load;
pub mod pages;
pub mod paper;
pub mod pki;
mod refusal;
mod script;
pub mod templates;
pub mod tokens;
pub mod users;

pub use clients::say;
pub use refusal::{refused_write, unchanged_by};
pub use script::{config_file, script, short_sessions, short_sessions_at};
