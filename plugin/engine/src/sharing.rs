//! What two callers may share, and the session service's words in Vault's.
//!
//! The service itself is the crate `sessions`, which knows neither Vault nor AWS.

mod key;
mod outcome;

pub(crate) use key::{Cluster, KeyParts, SessionKey};
pub(crate) use outcome::{failed, fault};
