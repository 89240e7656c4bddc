//! The sessions of one mount: what makes, shares and remembers them.
//!
//! Sharing itself is the crate `sessions`, which knows neither Vault nor AWS.

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

/// Sessions shared under AWS's quota.
pub(crate) type Service = Sessions<SessionKey, Arc<Issued>, Fault>;

/// A service with the bounds of a mount that has no config.
pub(crate) fn service() -> Service {
    Sessions::new(Limits::default(), fastrand::Rng::new(), clock::now)
}

/// The parts that lead from a role and a caller to a session.
pub(crate) struct Credentials {
    pub(crate) snapshots: Snapshots,
    pub(crate) sessions: Service,
    pub(crate) ledger: Ledger,
    pub(crate) metrics: Arc<Counters>,
    pub(crate) lifecycle: Arc<Lifecycle>,
}

impl Credentials {
    pub(crate) fn new(snapshots: Snapshots, sessions: Service, lifecycle: Arc<Lifecycle>) -> Self {
        Self { snapshots, sessions, ledger: Ledger::new(clock::now()), metrics: Arc::default(), lifecycle }
    }

    /// The mount's storage.
    pub(crate) fn store(&self) -> &Store {
        self.snapshots.store()
    }

    /// Drops what is cached of these sessions for the next caller.
    pub(crate) fn forget(&self, entries: &[Entry]) {
        let keys: HashSet<_> = entries.iter().filter_map(|entry| entry.cached_as.clone()).collect();
        if !keys.is_empty() {
            self.sessions.invalidate(move |key| keys.contains(key));
        }
    }
}

/// Drops the cached sessions that a change of storage ends.
pub(crate) fn end(sessions: &Service, ends: Ends<'_>) {
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
