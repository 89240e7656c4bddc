//! One session as it was planned, and the request for it. Reads, checks and the engine's own work all ask through it.

use std::sync::Arc;
use std::time::Duration;

use sessions::{
    Cause, Epoch, FailureDomain, FlightSpec, Freshness, Rank, Reply, Requester, SessionRequest, Sharing,
};
use vault_backend::Fault;

use crate::credentials::counters::Counters;
use crate::credentials::issued::Issued;
use crate::credentials::key::{CallerCluster, KeyParts, SessionKey};
use crate::credentials::recipe::{AttemptError, Origin, Recipe};
use crate::credentials::service::{Credentials, SessionService};
use crate::credentials::session_spec::SessionSpec;
use crate::issuers::Loaded;
use crate::snapshot::Snapshot;

/// A session that can be asked for.
pub(crate) struct PlannedSession {
    pub(crate) key: SessionKey,
    /// The config and the issuers that `key` was made from.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The service denies a request whose data changed after this epoch.
    pub(crate) epoch: Epoch,
}

/// The callers that may share a session, and whose refusals count together.
pub(crate) struct Sharers {
    /// The engine's role, by name; a name with a slash for the engine itself.
    pub(crate) role: String,
    /// The cluster in which the caller logged in, if the role's templates need one.
    pub(crate) cluster: Option<CallerCluster>,
    pub(crate) failure_domain: FailureDomain,
}

/// Who asks for a session, and on which terms.
pub(crate) struct SessionTerms {
    /// The party that the log and the faults name.
    pub(crate) origin: Origin,
    /// The party in whose turn the request is served.
    pub(crate) requester: Requester,
    pub(crate) reuse: Reuse,
    pub(crate) freshness: Freshness,
    pub(crate) rank: Rank,
    /// The longest wait for the session.
    pub(crate) deadline: Duration,
}

/// The service of the sessions that Roles Anywhere makes, and what counts its calls. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SessionMaker {
    pub(crate) sessions: SessionService,
    pub(crate) metrics: Arc<Counters>,
}

/// What of earlier requests may answer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// A cached refusal of the same key, and its cached session if callers share it.
    OfKey(Sharing),
    /// Nothing: the cause of a refusal may be cured, and the session is for this request alone.
    Nothing,
}

impl PlannedSession {
    /// A session of `spec` whose leaf `issuer` signs. `snapshot` has that issuer, and `epoch` was read before it and before all
    /// else that `spec` is made of.
    pub(crate) fn new(
        sharers: Sharers,
        spec: SessionSpec,
        issuer: &Loaded,
        snapshot: &Arc<Snapshot>,
        epoch: Epoch,
    ) -> Self {
        let Sharers { role, cluster, failure_domain } = sharers;
        let SessionSpec { leaf, call, further } = spec;
        let (config, issuer) = (snapshot.config_version, issuer.record.id.clone());
        let key =
            SessionKey::new(KeyParts { role, cluster, config, issuer, leaf, call, further }, failure_domain);
        Self { key, snapshot: Arc::clone(snapshot), epoch }
    }
}

impl Credentials {
    /// Finds or makes a planned session within the deadline of `terms`. `observe` sees the result of each attempt, in the span of
    /// its origin, before any caller does.
    ///
    /// The reply is [`Why::Changed`](sessions::Why::Changed) if a write made the plan outdated before a session was found.
    pub(crate) async fn session(
        &self,
        planned: &PlannedSession,
        terms: SessionTerms,
        observe: impl Fn(&Result<Issued, AttemptError>, Cause) + Send + Sync + 'static,
    ) -> Reply<Arc<Issued>, Fault> {
        self.maker().session(planned, planned.epoch, terms, observe).await
    }

    /// What makes the sessions of Roles Anywhere, for work that outlives a request.
    pub(crate) fn maker(&self) -> SessionMaker {
        SessionMaker { sessions: self.sessions.clone(), metrics: Arc::clone(&self.metrics) }
    }
}

impl SessionMaker {
    /// As [`Credentials::session`], for a plan that is known to be current since `epoch`.
    pub(crate) async fn session(
        &self,
        planned: &PlannedSession,
        epoch: Epoch,
        terms: SessionTerms,
        observe: impl Fn(&Result<Issued, AttemptError>, Cause) + Send + Sync + 'static,
    ) -> Reply<Arc<Issued>, Fault> {
        let SessionTerms { origin, requester, reuse, freshness, rank, deadline } = terms;
        let recipe = Recipe {
            snapshot: Arc::clone(&planned.snapshot),
            // the planned key even if the request's is apart, because faults name its role
            key: planned.key.clone(),
            origin,
            metrics: Arc::clone(&self.metrics),
        };
        let (key, sharing) = match reuse {
            Reuse::OfKey(sharing) => (planned.key.clone(), sharing),
            Reuse::Nothing => (planned.key.apart(), Sharing::Nobody),
        };
        let spec = FlightSpec {
            requester,
            freshness,
            rank,
            duration: key.parts().call.duration.as_duration(),
            work: recipe.work(observe),
            epoch,
        };
        self.sessions.get(SessionRequest { key, sharing, spec, deadline }).await
    }
}
