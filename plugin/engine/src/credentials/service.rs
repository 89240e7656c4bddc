//! The sessions of one mount: the parts that make, share and remember them.
//!
//! The crate `sessions` does the sharing. It knows neither Vault nor AWS.

use std::collections::HashSet;
use std::sync::Arc;

use sessions::Sessions;
use vault_backend::Fault;

use crate::credentials::counters::Counters;
use crate::credentials::hop_key::HopKey;
use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;
use crate::credentials::ledger::{Entry, Ledger};
use crate::ground::clock;
use crate::ground::lifecycle::Lifecycle;
use crate::records::config::Config;
use crate::snapshot::Snapshots;
use crate::store::{Ends, Store};

/// The session service: it caches sessions, renews them at half-life, and keeps calls within AWS's quota.
pub(crate) type SessionService = Sessions<SessionKey, Arc<Issued>, Fault>;

/// The service of hops. Its flights ask the other one for the session that makes the hop.
pub(crate) type HopService = Sessions<HopKey, Arc<Issued>, Fault>;

/// Both services of a mount. Clones are handles to the same ones.
#[derive(Clone)]
pub(crate) struct SessionServices {
    pub(crate) sessions: SessionService,
    pub(crate) hops: HopService,
}

impl SessionServices {
    /// Services with the limits of a mount that has no config. The first snapshot sets the limits of the config.
    pub(crate) fn new() -> Self {
        let of = Config::default();
        Self {
            sessions: Sessions::new(of.limits(), fastrand::Rng::new(), clock::now),
            hops: Sessions::new(of.hop_limits(), fastrand::Rng::new(), clock::now),
        }
    }

    /// Replaces the bounds with those of the config.
    pub(crate) fn set_limits(&self, config: &Config) {
        self.sessions.set_limits(config.limits());
        self.hops.set_limits(config.hop_limits());
    }

    /// Drops the sessions of these keys, and the hops that they make.
    pub(crate) fn invalidate(&self, is_meant: impl Fn(&SessionKey) -> bool + Clone + Send + 'static) {
        let of_hub = is_meant.clone();
        // the hubs first: a hop that is made in between from a cached hub is dropped with the others
        self.sessions.invalidate(is_meant);
        self.hops.invalidate(move |hop| of_hub(hop.hub()));
    }

    /// Drops the cached sessions that a write to storage ends. The store calls it after the write, also if the write failed,
    /// because a write that fails may have landed. The sessions live on at AWS.
    pub(crate) fn end(&self, ends: Ends<'_>) {
        match ends {
            Ends::Nothing => {}
            Ends::All => self.invalidate(|_| true),
            Ends::Role(name) => {
                let name = name.to_owned();
                self.invalidate(move |session| session.role() == name);
            }
            Ends::Cluster(name) => {
                let name = name.to_owned();
                self.invalidate(move |session| session.is_of_cluster(&name));
            }
            Ends::Issuer(id) => {
                let id = id.to_owned();
                self.invalidate(move |session| session.issuer() == id);
            }
            Ends::Issuers(ids) => {
                let ids = ids.to_vec();
                self.invalidate(move |session| ids.iter().any(|id| id == session.issuer()));
            }
            Ends::Followers { issuer, roles } => {
                let (issuer, roles) = (issuer.to_owned(), roles.clone());
                self.invalidate(move |session| session.issuer() == issuer && roles.contains(session.role()));
            }
        }
    }

    /// Answers every waiter, drops every session and ends every flight, for good.
    pub(crate) fn close(&self) {
        self.hops.close();
        self.sessions.close();
    }
}

/// The parts that lead from a role and a caller to a session.
pub(crate) struct Credentials {
    pub(crate) snapshots: Snapshots,
    /// Sessions for callers, and the engine's own: all of them count against one quota.
    pub(crate) sessions: SessionService,
    /// The sessions of further roles that those make for callers.
    pub(crate) hops: HopService,
    /// The sessions that were handed to callers. The engine's own sessions are not in it.
    pub(crate) ledger: Ledger,
    pub(crate) metrics: Arc<Counters>,
    pub(crate) lifecycle: Arc<Lifecycle>,
}

impl Credentials {
    pub(crate) fn new(snapshots: Snapshots, services: SessionServices, lifecycle: Arc<Lifecycle>) -> Self {
        let SessionServices { sessions, hops } = services;
        let metrics = Arc::<Counters>::default();
        let store = snapshots.store().clone();
        let ledger = Ledger::new(clock::now(), store, Arc::clone(&metrics), Arc::clone(&lifecycle));
        Self { snapshots, sessions, hops, ledger, metrics, lifecycle }
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
        // a hop has the serial number of the session that made it
        self.hops.invalidate_sessions(|issued| serials.contains(issued.serial.as_str()));
    }

    /// Both services.
    pub(crate) fn services(&self) -> SessionServices {
        SessionServices { sessions: self.sessions.clone(), hops: self.hops.clone() }
    }
}
