//! The sessions of one mount: the parts that make, share and remember them.
//!
//! The crate `sessions` does the sharing. It knows neither Vault nor AWS.

use std::collections::HashSet;
use std::sync::Arc;

use sessions::{Limits, Sessions};
use vault_backend::Fault;

use crate::credentials::counters::Counters;
use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;
use crate::credentials::ledger::{Entry, Ledger};
use crate::ground::clock;
use crate::ground::lifecycle::Lifecycle;
use crate::snapshot::Snapshots;
use crate::store::{Ends, Store};

/// The session service: it caches sessions, renews them at half-life, and keeps calls within AWS's quota.
pub(crate) type SessionService = Sessions<SessionKey, Arc<Issued>, Fault>;

/// A service with the limits of a mount that has no config. The first snapshot sets the limits of the config.
pub(crate) fn service() -> SessionService {
    Sessions::new(Limits::default(), fastrand::Rng::new(), clock::now)
}

/// The parts that lead from a role and a caller to a session.
pub(crate) struct Credentials {
    pub(crate) snapshots: Snapshots,
    /// Sessions for callers, and the engine's own: all of them count against one quota.
    pub(crate) sessions: SessionService,
    /// The sessions that were handed to callers. The engine's own sessions are not in it.
    pub(crate) ledger: Ledger,
    pub(crate) metrics: Arc<Counters>,
    pub(crate) lifecycle: Arc<Lifecycle>,
}

impl Credentials {
    pub(crate) fn new(snapshots: Snapshots, sessions: SessionService, lifecycle: Arc<Lifecycle>) -> Self {
        let metrics = Arc::<Counters>::default();
        let store = snapshots.store().clone();
        let ledger = Ledger::new(clock::now(), store, Arc::clone(&metrics), Arc::clone(&lifecycle));
        Self { snapshots, sessions, ledger, metrics, lifecycle }
    }

    /// The mount's storage.
    pub(crate) fn store(&self) -> &Store {
        self.snapshots.store()
    }

    /// Drops these sessions from the cache: the next caller gets a new one. Sessions that were never shared are not in it.
    ///
    /// Call it before AWS is told to deny them, because a reader must not receive a denied session.
    pub(crate) fn forget(&self, entries: &[Entry]) {
        let serials: HashSet<&str> = entries.iter().map(Entry::serial).collect();
        self.sessions.invalidate_sessions(|issued| serials.contains(issued.serial.as_str()));
    }
}

/// Drops the cached sessions that a write to storage ends. The store calls it after the write, also if the write failed, because
/// a write that fails may have landed. The sessions live on at AWS.
pub(crate) fn end(sessions: &SessionService, ends: Ends<'_>) {
    match ends {
        Ends::Nothing => {}
        Ends::All => sessions.invalidate(|_| true),
        Ends::Role(name) => {
            let name = name.to_owned();
            sessions.invalidate(move |session| session.role() == name);
        }
        Ends::Cluster(name) => {
            let name = name.to_owned();
            sessions.invalidate(move |session| session.is_of_cluster(&name));
        }
        Ends::Issuer(id) => {
            let id = id.to_owned();
            sessions.invalidate(move |session| session.issuer() == id);
        }
        Ends::Issuers(ids) => {
            let ids = ids.to_vec();
            sessions.invalidate(move |session| ids.iter().any(|id| id == session.issuer()));
        }
        Ends::Followers { issuer, roles } => {
            let (issuer, roles) = (issuer.to_owned(), roles.clone());
            sessions.invalidate(move |session| session.issuer() == issuer && roles.contains(session.role()));
        }
    }
}
