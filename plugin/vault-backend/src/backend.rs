//! The trait an engine implements.

use std::future::{Future, ready};
use std::sync::Arc;

use crate::fault::Fault;
use crate::request::Mount;
use crate::response::LeaseEnd;
use crate::route::Route;

/// Paths and storage keys that Vault itself treats specially.
///
/// A final `*` matches any rest. `+` matches one whole segment among the unauthenticated paths; among those that need
/// `sudo`, Vault 1.21 takes it as an ordinary character. In the two storage lists a key matches exactly, or by
/// prefix if the entry ends in `/`.
#[derive(Clone, Debug, Default)]
pub struct SpecialPaths {
    /// Paths that need `sudo`.
    pub root: Vec<&'static str>,
    /// Paths that need no token.
    pub unauthenticated: Vec<&'static str>,
    /// Storage keys that Vault also wraps with its seal.
    pub seal_wrap_storage: Vec<&'static str>,
    /// Storage keys that stay on this cluster.
    pub local_storage: Vec<&'static str>,
}

/// The identity of the plugin.
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// The binary's name, such as `vault-plugin-secrets-hello`.
    pub name: &'static str,
    /// The version with its `v`, such as `v0.1.0`: `vault plugin register -version` must say the same.
    pub version: &'static str,
    /// One line about its purpose.
    pub about: &'static str,
    /// Log targets of the plugin's dependencies that may log warnings and errors only, by their prefixes, such as `reqwest` or `aws_`.
    pub quiet_logs: &'static [&'static str],
}

/// A secrets engine. One value of it serves one mount.
pub trait Backend: Send + Sync + Sized + 'static {
    /// The text of `vault path-help` for the mount.
    const HELP: &'static str;

    /// Creates the instance of one mount. `mount.storage` and `mount.system` do not work yet, because Vault also calls
    /// this to learn type and version alone.
    fn new(mount: Mount) -> Self;

    /// The routes, in the order in which they are tried. Built once per process.
    fn routes() -> Vec<Route<Self>>;

    /// Paths and storage keys that Vault itself treats specially.
    #[must_use]
    fn special_paths() -> SpecialPaths {
        SpecialPaths::default()
    }

    /// Called once storage is available, to migrate and to repair it. A fault keeps the mount from coming up.
    fn initialize(self: Arc<Self>, mount: Mount) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = mount;
        ready(Ok(()))
    }

    /// Another node wrote the storage key `key`: drop the values cached from it. Must return at once.
    fn invalidate(&self, key: &str) {
        let _ = key;
    }

    /// The mount goes away, maybe with its whole process: abort the work in progress. Must return at once, because Vault
    /// waits without limit.
    fn cleanup(&self) {}

    /// A lease ended. After a fault Vault tries again, six times in all; `secrets disable` fails meanwhile.
    fn revoke(
        self: Arc<Self>,
        mount: Mount,
        lease: LeaseEnd,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (mount, lease);
        ready(Ok(()))
    }

    /// Called every minute. Faults are only logged.
    fn periodic(self: Arc<Self>, mount: Mount) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = mount;
        ready(Ok(()))
    }
}
