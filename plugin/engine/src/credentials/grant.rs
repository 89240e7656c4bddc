//! From a role and a caller to a session. Every read identifies its caller anew; the session may be one that other callers share.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ca::LeafProfile;
use rolesanywhere::RoleArn;
use sessions::{CacheStatus, FailureDomain, Freshness, Grant, Rank, Reply, Requester, Why};
use tokio::time::{Instant, timeout};
use vault_backend::{Fault, Request};

use crate::credentials::hop::PlannedHop;
use crate::credentials::issued::Issued;
use crate::credentials::key::CallerCluster;
use crate::credentials::ledger::{CutOff, HandOut, PodLookup, Reader, pod_name};
use crate::credentials::outcome;
use crate::credentials::planned_session::{PlannedSession, Reuse, SessionTerms, Sharers};
use crate::credentials::recipe::{AttemptError, Origin};
use crate::credentials::service::Credentials;
use crate::credentials::session_spec::{NamedRole, Prepared};
use crate::ground::clock::{self, rfc3339};
use crate::ground::faults;
use crate::records::role::Role;
use identity::Caller;

/// The wait for a session ends this long before the deadline of the read, because the answer must say what AWS did, and not only
/// that the read is late.
const ANSWER_MARGIN: Duration = Duration::from_millis(50);

/// How often a read is planned again within its deadline because a write made its plan outdated.
///
/// A write of the role or the config is no reason to fail a read that began before it: the read goes on with the new values. More
/// than one new plan is necessary only if writes of the same role follow each other this fast.
const MAX_REPLANS: u32 = 3;

/// One read of credentials, as its path received it.
#[derive(Clone, Copy)]
pub(crate) struct CredentialRequest<'a> {
    /// The engine's role, by name. It need not exist.
    pub(crate) role: &'a str,
    /// The session duration that the caller asks for; none for the role's own.
    pub(crate) ttl: Option<Duration>,
    /// Whether the caller would rather wait than receive a session past its half-life.
    pub(crate) freshness: Freshness,
    /// Bounds the whole read: planning it, waiting for a revocation to end, and waiting for AWS.
    pub(crate) patience: Duration,
}

/// A session that may be handed to the caller. The ledger has noted it.
pub(crate) struct Granted {
    /// The role as the last plan of the read found it.
    pub(crate) role: Arc<Role>,
    /// The session, its age, and whether it was made for this read.
    pub(crate) grant: Grant<Arc<Issued>, Fault>,
}

impl Granted {
    /// The IAM role of the session.
    pub(crate) fn role_arn(&self) -> &RoleArn {
        self.grant.session.hop.as_ref().map_or(&self.role.role_arn, |hop| &hop.target)
    }
}

impl Credentials {
    /// Finds or makes a session for the sender of `request`. It returns at the deadline at the latest, and at once when the mount
    /// closes.
    ///
    /// The ledger notes the caller as a holder before the session is returned, so every later revocation finds it.
    ///
    /// # Errors
    /// - The caller's or the operator's fault if the role gives this caller no session.
    /// - AWS's refusal.
    /// - A fault for later, as a rule with the time to wait, if AWS or the quota gave no session in time, if a revocation ended
    ///   the read, or if the mount closes.
    /// - Read-only on a performance standby: Vault then forwards the request to the active node.
    pub(crate) async fn grant(
        &self,
        request: &Request,
        wanted: CredentialRequest<'_>,
    ) -> Result<Granted, Fault> {
        self.lifecycle.active_only()?;
        // once, before the first plan: a revocation from here on must reach this read, also after a new plan
        let reader = self.ledger.reader(holder(request));
        let read = PendingRead { request, wanted, started: Instant::now(), reader };
        let mut replans = 0;
        let (planned, reply) = loop {
            let attempt = self.attempt(&read).await?;
            let is_outdated = matches!(attempt.1, Reply::Denied { why: Why::Changed, .. });
            if !is_outdated || replans == MAX_REPLANS {
                break attempt;
            }
            replans += 1;
        };
        self.metrics.answered(read.started.elapsed());
        match reply {
            Reply::Granted(grant) => {
                self.note(&read, &planned, &grant.session).await?;
                log(request, wanted, &grant);
                Ok(Granted { role: planned.role, grant })
            }
            Reply::Denied { why, retry_in } => Err(outcome::fault(why, retry_in, read.started.elapsed())),
        }
    }

    /// Notes that the read receives a session, before it does: a session that the ledger does not know cannot be revoked.
    ///
    /// # Errors
    /// For later, if a revocation includes the read or the session.
    async fn note(
        &self,
        read: &PendingRead<'_>,
        planned: &PlannedRead,
        issued: &Arc<Issued>,
    ) -> Result<(), Fault> {
        let key = &planned.session.key;
        let handout = HandOut {
            issued,
            key,
            sharing: planned.role.sharing(),
            is_entity: is_entity(read.request),
            request_id: &read.request.id,
            pod: planned.pod.clone(),
        };
        let Ok(noted) = self.ledger.note(clock::now(), handout, &read.reader) else {
            // the revocation may not have found this session in the cache, and the next caller must not receive it
            let key = key.clone();
            self.services().invalidate(move |kept| *kept == key);
            return Err(faults::revoked());
        };
        self.ledger.recorded(noted).await;
        Ok(())
    }

    /// Plans the read from the data as it is now, waits until no revocation holds it up, and asks the session service.
    ///
    /// The reply is [`Why::Changed`] if a write made the plan outdated before a session was found.
    ///
    /// # Errors
    /// Those of [`Self::grant`] except AWS's, which the reply contains.
    async fn attempt(
        &self,
        read: &PendingRead<'_>,
    ) -> Result<(PlannedRead, Reply<Arc<Issued>, Fault>), Fault> {
        let planned = timeout(read.left(), self.lifecycle.until_closed(Box::pin(self.plan(read))));
        let planned = planned.await.unwrap_or_else(|_| Err(faults::late(read.wanted.patience)))?;
        let left = read.left().saturating_sub(ANSWER_MARGIN);
        // before the service is asked: a session that is made while a revocation is open would be denied as well
        let admitted = async {
            self.ledger.admit(&read.reader, &planned.session.key).await.map_err(|CutOff| faults::revoked())
        };
        timeout(left, self.lifecycle.until_closed(admitted))
            .await
            .unwrap_or_else(|_| Err(faults::revoking()))?;
        let name = read.wanted.role.to_owned();
        let log_made = move |made: &Result<Issued, AttemptError>, cause| {
            if let Ok(issued) = made {
                issued.log(&name, cause);
            }
        };
        let terms = read.terms(&planned.role);
        let reply = match &planned.hop {
            Some(hop) => Box::pin(self.hop(hop, terms)).await,
            None => self.session(&planned.session, terms, log_made).await,
        };
        Ok((planned, reply))
    }

    /// Reads the role and the snapshot, identifies the caller, and makes the session key from them. Calls Vault and never AWS.
    async fn plan(&self, read: &PendingRead<'_>) -> Result<PlannedRead, Fault> {
        let PendingRead { request, wanted: CredentialRequest { role: name, ttl, .. }, .. } = *read;
        // before anything else is read: the service denies a request whose data changed after its epoch, and the read is planned
        // anew
        let (epoch, hop_epoch) = (self.sessions.epoch(), self.hops.epoch());
        let role = self.store().cached_role(name).await?.ok_or_else(|| faults::no_role(name))?;
        let snapshot = self.snapshots.get().await?;
        let named = NamedRole { name, role: &role };
        let Prepared { authority, caller, spec, hop } = Prepared::of(&snapshot, request, named, ttl).await?;
        let sharers = Sharers {
            role: name.to_owned(),
            cluster: caller.cluster().map(|(name, accessor)| CallerCluster::new(name, accessor)),
            failure_domain: failure_domain(name, &caller, &spec.leaf),
        };
        let pod = if caller.is_asked() || !is_entity(request) {
            PodLookup::Known(pod_name(&caller))
        } else {
            PodLookup::Ask { system: request.mount.system.clone(), snapshot: Arc::clone(&snapshot) }
        };
        let session = Arc::new(PlannedSession::new(sharers, spec, authority, &snapshot, epoch));
        let hop = hop.map(|call| PlannedHop::new(Arc::clone(&session), call, hop_epoch));
        Ok(PlannedRead { role, session, hop, pod })
    }
}

/// A read as it was planned from the data of one moment.
struct PlannedRead {
    role: Arc<Role>,
    session: Arc<PlannedSession>,
    /// The hop that `session` makes for the caller; none if the caller receives `session` itself.
    hop: Option<PlannedHop>,
    /// How the ledger learns which pod is asking.
    pod: PodLookup,
}

/// A read under way.
struct PendingRead<'a> {
    request: &'a Request,
    wanted: CredentialRequest<'a>,
    started: Instant,
    /// What the ledger knows of it.
    reader: Reader<'a>,
}

impl PendingRead<'_> {
    /// The time until its deadline.
    fn left(&self) -> Duration {
        self.wanted.patience.saturating_sub(self.started.elapsed())
    }

    /// The terms on which it asks for a session of `role`. The wait gets the time that is left, less [`ANSWER_MARGIN`].
    fn terms(&self, role: &Role) -> SessionTerms {
        SessionTerms {
            origin: Origin::of(self.request),
            requester: Requester::new(turn(self.request)),
            reuse: Reuse::OfKey(role.sharing().into()),
            freshness: self.wanted.freshness,
            rank: Rank::InTurn,
            deadline: self.left().saturating_sub(ANSWER_MARGIN),
        }
    }
}

/// The callers whom AWS refuses together, for the most part: the role's callers of one namespace, or, if no namespace is known,
/// of one organizational unit. A caller that has identities refused on purpose then slows down its own failure domain only.
fn failure_domain(role: &str, caller: &Caller<'_>, leaf: &LeafProfile) -> FailureDomain {
    let units = &leaf.subject.organizational_unit;
    match caller.namespace() {
        Some((cluster, namespace)) => FailureDomain::new(format!("{role}/{cluster}/{namespace}")),
        None if units.is_empty() => FailureDomain::new(role),
        None => FailureDomain::new(format!("{role}//{}", units.join("/"))),
    }
}

/// The name in whose turn a read is served under the quota: the entity's id or, without one, the token's accessor. A batch token
/// without an entity has neither, so the mark of the token stands in, and such tokens do not share one turn.
pub(crate) fn turn(request: &Request) -> Cow<'_, str> {
    match (holder(request), request.token_mark) {
        ("", Some(mark)) => Cow::Owned(format!("token {mark:016x}")),
        (holder, _) => Cow::Borrowed(holder),
    }
}

/// The holder that a revocation can name later: the entity's id or, without one, the token's accessor. Empty for a batch token
/// without an entity, because batch tokens have no accessor.
fn holder(request: &Request) -> &str {
    let entity = request.entity_id.as_deref().filter(|id| !id.is_empty());
    entity.unwrap_or(&request.client_token_accessor)
}

/// Whether the sender has an entity.
fn is_entity(request: &Request) -> bool {
    request.entity_id.as_deref().is_some_and(|id| !id.is_empty())
}

/// Joins a read that received a cached session to AWS's record of that session. `issued.rs` logs the read that made it.
///
/// Vault's audit shows the `serial_number` of a leased answer once the mount is tuned to show it, so the line of such a read is
/// at debug level. A container document has no serial number, and the audit holds only one hash of it: the line is the only join,
/// so it is at info level, which is on by default. SDKs fetch the document a few times an hour.
fn log(request: &Request, wanted: CredentialRequest<'_>, grant: &Grant<Arc<Issued>, Fault>) {
    let Issued { session, serial, .. } = &*grant.session;
    let (path, role, source_identity) = (&request.path, wanted.role, &session.source_identity);
    let expiration = rfc3339(session.expiration);
    match (&grant.cache_status, wanted.freshness) {
        (CacheStatus::New, _) => {}
        (CacheStatus::Stale(why), _) => {
            tracing::warn!(path, role, serial, source_identity, expiration, %why, "served an old session because no new one was available");
        }
        (_, Freshness::StaleOk) => {
            tracing::info!(path, role, serial, source_identity, expiration, "served a shared session");
        }
        (_, Freshness::Prefer) => {
            tracing::debug!(path, role, serial, source_identity, expiration, "served a shared session");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ca::{KeySpec, Subject};
    use vault_backend::{Alias, Entity, Mount, Operation, Storage, SystemView};

    use super::*;
    use identity::Clusters;
    use identity::{Audience, Known};

    fn asked_by(entity: Option<&str>, accessor: &str, token_mark: u64) -> Request {
        let mount = Mount::in_memory(
            Storage::in_memory(),
            SystemView::fake(vault_backend::FakeSystemView::default()),
        );
        let mut request = Request::new(mount, Operation::Read, "creds/app");
        request.entity_id = entity.map(str::to_owned);
        accessor.clone_into(&mut request.client_token_accessor);
        request.token_mark = Some(token_mark);
        request
    }

    #[test]
    fn batch_tokens_without_an_entity_take_a_turn_each() {
        let [one, two, service, entity] = [
            asked_by(None, "", 1),
            asked_by(None, "", 2),
            asked_by(None, "accessor", 3),
            asked_by(Some("entity"), "accessor", 4),
        ];

        assert_ne!(turn(&one), turn(&two));
        assert_eq!((&*turn(&service), &*turn(&entity)), ("accessor", "entity"));
        assert_eq!(holder(&one), "", "whoever revokes knows accessors and entities alone");
    }

    fn pod(namespace: &str) -> Known {
        let metadata = [("service_account_namespace".to_owned(), namespace.to_owned())].into();
        let mount_accessor = "auth_kubernetes_1".to_owned();
        let alias = Alias { mount_accessor, metadata, ..Alias::default() };
        Known::Entity(Entity { aliases: vec![alias], ..Entity::default() })
    }

    fn domain_of(known: Known, units: &[&str]) -> FailureDomain {
        let clusters = Clusters::from_iter([("auth_kubernetes_1".to_owned(), "prod".to_owned())]);
        let caller = Caller::of(known, Audience::everybody("app"), "iamra/", &clusters).unwrap();
        let organizational_unit = units.iter().map(|unit| (*unit).to_owned()).collect();
        let subject = Subject { organizational_unit, ..Subject::default() };
        let (key, ttl) = (KeySpec::EcP256, Duration::from_mins(10));
        let leaf = LeafProfile { subject, uri_sans: Vec::new(), dns_sans: Vec::new(), key, ttl };
        failure_domain("app", &caller, &leaf)
    }

    #[test]
    fn refusals_of_one_namespace_slow_down_no_other() {
        assert_ne!(domain_of(pod("a"), &[]), domain_of(pod("b"), &[]));
        assert_eq!(domain_of(pod("a"), &["x"]), domain_of(pod("a"), &["y"]));
    }

    #[test]
    fn without_a_namespace_the_organizational_unit_keeps_callers_apart() {
        assert_ne!(domain_of(Known::NotAsked, &["a"]), domain_of(Known::NotAsked, &["b"]));
        assert_eq!(domain_of(Known::NotAsked, &[]), FailureDomain::new("app"));
    }
}
