//! From a role and a caller to a session: who is asking is found out for every read, the session may be one that others have.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ca::LeafProfile;
use sessions::{CacheStatus, Epoch, FailureDomain, Freshness, Grant, Rank, Reply, SessionRequest, Why};
use tokio::time::{Instant, timeout};
use vault_backend::{Fault, Request};

use crate::credentials::issued::Issued;
use crate::credentials::key::{Cluster, KeyParts, SessionKey};
use crate::credentials::ledger::{CutOff, Reader};
use crate::credentials::outcome;
use crate::credentials::recipe::{Origin, Recipe};
use crate::credentials::service::Credentials;
use crate::credentials::session_spec::Prepared;
use crate::ground::clock::{self, rfc3339};
use crate::ground::faults;
use crate::records::role::Role;
use crate::records::role_options::SessionSharing;
use crate::snapshot::Snapshot;
use identity::Caller;

/// The wait for a session ends this much before the read itself, so that the answer can say what AWS did and not only that it is late.
const ANSWER_MARGIN: Duration = Duration::from_millis(50);

/// A write of the role or config meanwhile is no reason to fail whoever asked before it: what is there now is read and asked for,
/// this often, should writes of the same role follow each other so fast.
const MAX_REPLANS: u32 = 3;

/// What a read asks for.
#[derive(Clone, Copy)]
pub(crate) struct CredentialRequest<'a> {
    pub(crate) role: &'a str,
    /// The length the caller chose, if it chose one.
    pub(crate) ttl: Option<Duration>,
    /// Whether the caller rather waits than has a session past its half-life.
    pub(crate) freshness: Freshness,
    /// Bounds the whole read.
    pub(crate) patience: Duration,
}

/// A session that is fit to be handed out.
pub(crate) struct Granted {
    pub(crate) role: Arc<Role>,
    pub(crate) key: SessionKey,
    pub(crate) grant: Grant<Arc<Issued>, Fault>,
}

impl Credentials {
    /// Finds or makes a session for the sender of `request`, until the deadline or the mount's end.
    ///
    /// # Errors
    /// The caller's or operator's fault where the role gives this caller nothing, AWS's refusal, or for later with the time to wait.
    pub(crate) async fn grant(
        &self,
        request: &Request,
        wanted: CredentialRequest<'_>,
    ) -> Result<Granted, Fault> {
        self.lifecycle.active_only()?;
        let started = Instant::now();
        let reader = self.ledger.reader(holder(request));
        let mut replans = 0;
        let (role, key, reply) = loop {
            let attempt = self.attempt(request, wanted, (started, &reader)).await?;
            let is_outdated = matches!(attempt.2, Reply::Denied { why: Why::Changed, .. });
            if !is_outdated || replans == MAX_REPLANS {
                break attempt;
            }
            replans += 1;
        };
        self.metrics.answered(started.elapsed());
        match reply {
            Reply::Granted(grant) => {
                let is_shared = role.sharing() != SessionSharing::None;
                if self.ledger.note(clock::now(), &grant.session, (&key, is_shared), &reader).is_err() {
                    self.sessions.invalidate(move |kept| *kept == key);
                    return Err(faults::revoked());
                }
                log(request, wanted, &grant);
                Ok(Granted { role, key, grant })
            }
            Reply::Denied { why, retry_in } => Err(outcome::fault(why, retry_in, started.elapsed())),
        }
    }

    /// Resolves who is asking for what now, and asks for a session of that.
    async fn attempt(
        &self,
        request: &Request,
        wanted: CredentialRequest<'_>,
        (started, reader): (Instant, &Reader<'_>),
    ) -> Result<(Arc<Role>, SessionKey, Reply<Arc<Issued>, Fault>), Fault> {
        let left = wanted.patience.saturating_sub(started.elapsed());
        let planned = timeout(left, self.lifecycle.until_closed(Box::pin(self.plan(request, wanted))));
        let ReadPlan { role, key, group, snapshot, epoch } =
            planned.await.unwrap_or_else(|_| Err(faults::late(wanted.patience)))?;
        let left = wanted.patience.saturating_sub(started.elapsed() + ANSWER_MARGIN);
        let admitted = async { self.ledger.admit(reader, &key).await.map_err(|CutOff| faults::revoked()) };
        timeout(left, self.lifecycle.until_closed(admitted))
            .await
            .unwrap_or_else(|_| Err(faults::revoking()))?;
        let (origin, metrics) = (Origin::of(request), Arc::clone(&self.metrics));
        let recipe = Recipe { snapshot, key: key.clone(), origin, metrics };
        let ask = ask(request, wanted, (&role, group, epoch), recipe, started.elapsed());
        let reply = self.sessions.get(ask).await;
        Ok((role, key, reply))
    }

    async fn plan(&self, request: &Request, wanted: CredentialRequest<'_>) -> Result<ReadPlan, Fault> {
        let name = wanted.role;
        // before anything else is read: a change after it makes the service ask again
        let epoch = self.sessions.epoch();
        let role = self.store().cached_role(name).await?.ok_or_else(|| faults::no_role(name))?;
        let snapshot = self.snapshots.get().await?;
        let Prepared { authority, caller, order } =
            Prepared::of(&snapshot, request, (name, &role), wanted.ttl).await?;
        let group = group(name, &caller, &order.leaf);
        let cluster = caller.cluster().map(|(name, accessor)| Cluster::new(name, accessor));
        let key = SessionKey::new(KeyParts {
            role: name.to_owned(),
            cluster,
            config: snapshot.config_version,
            issuer: authority.record.id.clone(),
            call: order.call(&role),
            leaf: order.leaf,
        });
        Ok(ReadPlan { role, key, group, snapshot, epoch })
    }
}

/// What is wanted, resolved for one caller.
struct ReadPlan {
    role: Arc<Role>,
    key: SessionKey,
    group: FailureDomain,
    snapshot: Arc<Snapshot>,
    /// From before anything else was read.
    epoch: Epoch,
}

/// What AWS refuses together, for the most part: the role's callers of one namespace, or, where none is known, of one organizational
/// unit. Whoever has identities refused on purpose slows down those alone that are as near.
fn group(role: &str, caller: &Caller<'_>, leaf: &LeafProfile) -> FailureDomain {
    let units = &leaf.subject.organizational_unit;
    match caller.namespace() {
        Some((cluster, namespace)) => FailureDomain::new(format!("{role}/{cluster}/{namespace}")),
        None if units.is_empty() => FailureDomain::new(role),
        None => FailureDomain::new(format!("{role}//{}", units.join("/"))),
    }
}

fn ask(
    request: &Request,
    wanted: CredentialRequest<'_>,
    (role, group, epoch): (&Role, FailureDomain, Epoch),
    recipe: Recipe,
    spent: Duration,
) -> SessionRequest<SessionKey, sessions::Work<Arc<Issued>, Fault>> {
    let key = &recipe.key;
    SessionRequest {
        key: key.clone(),
        sharing: role.sharing().into(),
        spec: sessions::FlightSpec {
            scope: key.quota_scope(),
            failure_domain: group,
            requester: sessions::Requester::new(turn(request)),
            freshness: wanted.freshness,
            rank: Rank::InTurn,
            duration: Duration::from_secs(u64::from(key.parts().call.duration.as_secs())),
            work: recipe.work(),
            epoch,
        },
        deadline: wanted.patience.saturating_sub(spent + ANSWER_MARGIN),
    }
}

/// Whose turn a read takes: the entity's, and where there is none, the token's.
pub(crate) fn turn(request: &Request) -> Cow<'_, str> {
    match (holder(request), request.token_mark) {
        ("", Some(mark)) => Cow::Owned(format!("token {mark:016x}")),
        (holder, _) => Cow::Borrowed(holder),
    }
}

/// Who is handed a session, as far as that is known later: batch tokens have no accessor.
fn holder(request: &Request) -> &str {
    let entity = request.entity_id.as_deref().filter(|id| !id.is_empty());
    entity.unwrap_or(&request.client_token_accessor)
}

/// Joins a read that made no session to AWS's record of the session it got; `issued.rs` does so for the one that made it.
///
/// Vault's audit shows `serial_number` of a leased answer once the mount is tuned to, so that the line is for whoever debugs. A
/// container document has no serial, and audit has but one hash of it: there the line is the only join, at a level that is on by
/// default. SDKs fetch it a few times an hour.
fn log(request: &Request, wanted: CredentialRequest<'_>, grant: &Grant<Arc<Issued>, Fault>) {
    let Issued { session, serial, .. } = &*grant.session;
    let (path, role, source_identity) = (&request.path, wanted.role, &session.source_identity);
    let expiration = rfc3339(session.expiration);
    match (&grant.cache_status, wanted.freshness) {
        (CacheStatus::New, _) => {}
        (CacheStatus::Stale(why), _) => {
            tracing::warn!(path, role, serial, source_identity, expiration, %why, "served an old session: no new one could be had");
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

    fn group_of(known: Known, units: &[&str]) -> FailureDomain {
        let clusters = Clusters::from_iter([("auth_kubernetes_1".to_owned(), "prod".to_owned())]);
        let caller = Caller::of(known, Audience::everybody("app"), "iamra/", &clusters).unwrap();
        let organizational_unit = units.iter().map(|unit| (*unit).to_owned()).collect();
        let subject = Subject { organizational_unit, ..Subject::default() };
        let (key, ttl) = (KeySpec::EcP256, Duration::from_mins(10));
        let leaf = LeafProfile { subject, uri_sans: Vec::new(), dns_sans: Vec::new(), key, ttl };
        group("app", &caller, &leaf)
    }

    #[test]
    fn refusals_of_one_namespace_slow_down_no_other() {
        assert_ne!(group_of(pod("a"), &[]), group_of(pod("b"), &[]));
        assert_eq!(group_of(pod("a"), &["x"]), group_of(pod("a"), &["y"]));
    }

    #[test]
    fn without_a_namespace_the_organizational_unit_keeps_callers_apart() {
        assert_ne!(group_of(Known::NotAsked, &["a"]), group_of(Known::NotAsked, &["b"]));
        assert_eq!(group_of(Known::NotAsked, &[]), FailureDomain::new("app"));
    }
}
