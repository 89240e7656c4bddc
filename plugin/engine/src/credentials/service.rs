//! What two callers may share, and the session service's words in Vault's.
//!
//! The service itself is the crate `sessions`, which knows neither Vault nor AWS.

use std::sync::Arc;

use sessions::{Limits, Sessions};
use vault_backend::Fault;

use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;
use crate::ground::clock;

/// The sessions of one mount.
pub(crate) type Service = Sessions<SessionKey, Arc<Issued>, Fault>;

/// A service with the bounds of a mount that has no config.
pub(crate) fn service() -> Service {
    Sessions::new(Limits::default(), fastrand::Rng::new(), clock::now)
}
