//! What two callers may share, and the session service's words in Vault's.
//!
//! The service itself is the crate `sessions`, which knows neither Vault nor AWS.

mod key;
mod outcome;

use std::sync::Arc;

use sessions::{Limits, Sessions};
use vault_backend::Fault;

use crate::clock;
use crate::mint::Issued;

#[cfg(test)]
pub(crate) use key::tests::parts as some_parts;
pub(crate) use key::{Cluster, KeyParts, SessionKey};
pub(crate) use outcome::{failed, fault};

/// The sessions of one mount.
pub(crate) type Service = Sessions<SessionKey, Arc<Issued>, Fault>;

/// A service with the bounds of a mount that has no config.
pub(crate) fn service() -> Service {
    Sessions::new(Limits::default(), fastrand::Rng::new(), clock::now)
}
