//! A request in the domain's own types.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::response::LeaseEnd;
use crate::storage::Storage;
use crate::system::SystemView;

/// The operations of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// POST or PUT to something that [`crate::Route::exists`] says is not there.
    Create,
    /// GET.
    Read,
    /// POST or PUT.
    Update,
    /// PATCH with a JSON merge patch.
    Patch,
    /// DELETE.
    Delete,
    /// LIST, or GET with `?list=true`.
    List,
}

/// One mount of the engine, as `vault secrets enable` makes it.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Vault's id of the backend; stable over restarts and moves. Empty when Vault only probes type and version.
    pub uuid: String,
    /// The mount's options, and `plugin_name`, `plugin_type` and `plugin_version` as Vault sends them.
    pub config: Arc<BTreeMap<String, String>>,
    /// The mount's own storage. It does not work before `initialize`.
    pub storage: Storage,
    /// Vault's answers about itself and about callers. It does not work before `initialize`.
    pub system: SystemView,
    /// The version of this plugin, such as `v0.1.0`.
    pub version: &'static str,
}

impl Mount {
    /// A mount in memory, for tests.
    #[must_use]
    pub fn in_memory(storage: Storage, system: SystemView) -> Mount {
        let uuid = "00000000-0000-0000-0000-000000000000".to_owned();
        Mount { uuid, config: Arc::default(), storage, system, version: "v0.0.0" }
    }
}

/// A request without its body, which the handler gets as its [`crate::Params`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// The requested mount.
    pub mount: Mount,
    /// Vault's id of the request: the client's `request_id` and the audit log's.
    pub id: String,
    /// The operation.
    pub operation: Operation,
    /// The path below the mount, as Vault sends it.
    pub path: String,
    /// The parameters in the path, by name.
    pub parameters: BTreeMap<&'static str, String>,
    /// The mount's path with a slash at the end, such as `hello/`.
    pub mount_point: String,
    /// The mount's accessor; Vault often leaves it empty.
    pub mount_accessor: String,
    /// The name under which the engine was mounted.
    pub mount_type: String,
    /// The caller's entity. Root and orphan batch tokens have none.
    pub entity_id: Option<String>,
    /// The caller's token's display name.
    pub display_name: String,
    /// The caller's token's accessor. Batch tokens have none.
    pub client_token_accessor: String,
    /// Distinguishes the caller's token from others while this process lives, batch tokens too. The token cannot be
    /// derived from it.
    pub token_mark: Option<u64>,
    /// Whether the path needs no token.
    pub unauthenticated: bool,
    /// The headers that the mount is tuned to pass on. They may hold the caller's token, so they must never be logged.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The caller's address as Vault sees it.
    pub remote_addr: Option<String>,
    /// How long a wrapped response is kept, if the caller requested wrapping.
    pub wrap_ttl: Option<Duration>,
}

impl Request {
    /// A request without a caller to `mount`.
    pub fn new(mount: Mount, operation: Operation, path: impl Into<String>) -> Request {
        Request {
            mount,
            id: String::new(),
            operation,
            path: path.into(),
            parameters: BTreeMap::new(),
            mount_point: String::new(),
            mount_accessor: String::new(),
            mount_type: String::new(),
            entity_id: None,
            display_name: String::new(),
            client_token_accessor: String::new(),
            token_mark: None,
            unauthenticated: false,
            headers: BTreeMap::new(),
            remote_addr: None,
            wrap_ttl: None,
        }
    }

    /// The path parameter `name`; empty if the route has none of that name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The name of the mount in log lines: its path, else its accessor, else its id.
    pub(crate) fn mount_label(&self) -> &str {
        let names = [&self.mount_point, &self.mount_accessor, &self.mount.uuid];
        names.into_iter().find(|name| !name.is_empty()).map_or("unknown", String::as_str)
    }
}

/// Shows no headers, because they may hold tokens.
impl Debug for Request {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("operation", &self.operation)
            .field("path", &self.path)
            .field("mount", &self.mount_label())
            .field("entity_id", &self.entity_id)
            .finish_non_exhaustive()
    }
}

/// The calls that Vault makes to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A route's operation.
    Route(Operation),
    Help,
    Revoke,
    Renew,
    Rollback,
    /// A call that only auth methods or Vault Enterprise have.
    Unsupported,
}

impl Call {
    /// Whether a response without content would read as a success.
    pub(crate) fn writes(self) -> bool {
        matches!(
            self,
            Call::Route(Operation::Create | Operation::Update | Operation::Patch | Operation::Delete)
        )
    }
}

/// A request as it arrives.
pub(crate) struct Incoming {
    pub(crate) call: Call,
    pub(crate) request: Request,
    pub(crate) data: Map<String, Value>,
    pub(crate) lease: Option<LeaseEnd>,
}

/// Shows no data, because it may hold a secret under any name.
impl Debug for Incoming {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("call", &self.call)
            .field("request", &self.request)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake_system_view::FakeSystemView;
    use crate::response::Lease;

    #[test]
    fn nothing_that_a_caller_sent_or_a_lease_remembers_is_shown_by_debug() {
        let secrets = || Map::from_iter([("hunter2".to_owned(), json!("hunter2"))]);
        let mount = Mount::in_memory(Storage::in_memory(), SystemView::fake(FakeSystemView::default()));
        let mut request = Request::new(mount, Operation::Update, "greetings/a");
        request.headers.insert("X-Vault-Token".to_owned(), vec!["hunter2".to_owned()]);
        let lease = LeaseEnd { internal: secrets(), issued: None, ttl: Duration::from_secs(1) };
        let call = Call::Route(Operation::Update);
        let incoming = Incoming { call, request, data: secrets(), lease: Some(lease) };
        let lease = Lease { internal: secrets(), ..Lease::of(Duration::from_secs(1)) };

        let shown = format!("{incoming:?} {lease:?}");

        assert!(shown.contains("greetings/a") && !shown.contains("hunter2"), "{shown}");
    }
}
