//! The engine as a caller of AWS: it issues itself a certificate, and gets a session for one duty with it.
//!
//! | need | turn under the quota | session |
//! | --- | --- | --- |
//! | [`Routine`](Need::Routine) | after every caller | the last one, while more than five of its 15 minutes are left |
//! | [`Incident`](Need::Incident) | before every caller, also if the rate is spent or AWS throttles | a new one for this work |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ca::{KeySpec, LeafProfile, Subject};
use rolesanywhere::{
    CallError, CreateSession, RateLimiter, RoleArn, Session, SessionDuration, SignedClient, TrustAnchorArn,
};
use sessions::{Epoch, FailureDomain, Freshness, Reply, SessionRequest};
use tokio::time::Instant;
use vault_backend::Fault;

use crate::credentials::issued::Issued;
use crate::credentials::key::{KeyParts, SessionKey};
use crate::credentials::outcome;
use crate::credentials::recipe::{Origin, Recipe};
use crate::credentials::service::Credentials;
use crate::ground::clock;
use crate::issuers::Loaded;
use crate::management::anchor_task::{AnchorTask, Need};
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::managed_anchor::{Duty, ManagedAnchor};
use crate::snapshot::Snapshot;
use identity::MANAGEMENT;

/// The lifetime of the engine's own certificates, each of which serves one CreateSession.
const CERTIFICATE_TTL: Duration = Duration::from_mins(5);
/// The wait for the engine's own session, its turn under the quota and its retries included.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first part of the role name in the keys of these sessions. The name of no role contains a slash, so no caller has such a
/// key.
const OWN: &str = "trust-anchors/";

/// Makes the engine's own sessions, and calls AWS with them.
pub(crate) struct OwnSessions {
    credentials: Arc<Credentials>,
    /// Shared by all clients that [`Self::caller`] makes, because their calls count against the same rates at AWS.
    rate_limiter: RateLimiter,
}

impl OwnSessions {
    pub(crate) fn new(credentials: Arc<Credentials>) -> Self {
        Self { credentials, rate_limiter: RateLimiter::default() }
    }

    /// A client of AWS in the session `own`. Each call and its retries may take `patience`.
    ///
    /// # Errors
    /// If the snapshot cannot be loaded.
    pub(crate) async fn caller(&self, own: &Session, patience: Duration) -> Result<SignedClient, Fault> {
        let client =
            self.credentials.snapshots.get().await?.client.clone().rate_limited_by(self.rate_limiter.clone());
        Ok(client.signed_client(rolesanywhere::Credentials::from(own), clock::now, patience))
    }

    /// Finds or makes the engine a session for `duty` at one trust anchor.
    ///
    /// During a rotation the anchor may hold only the former issuer, or only the next one. The issuers that sign are therefore
    /// tried in turn, the current one first, also if the default is disabled or missing.
    ///
    /// # Errors
    /// The operator's fault if the entry has no IAM role for the duty, or if no issuer signs; the fault of the first issuer that
    /// was tried otherwise. For [`Need::Routine`] that may be a refusal of AWS that is cached.
    pub(crate) async fn session(&self, at: AnchorTask<'_>, duty: Duty) -> Result<Arc<Issued>, Fault> {
        let AnchorTask { name, anchor, mount_point, .. } = at;
        let role = anchor.role(duty).ok_or_else(|| no_role(name, duty, mount_point))?;
        // before the snapshot: a change after it makes the service deny the request as outdated
        let epoch = self.credentials.sessions.epoch();
        let snapshot = self.credentials.snapshots.get().await?;
        let signing = snapshot.issuers.bundle(clock::now());
        if signing.is_empty() {
            snapshot.issuers.require(DEFAULT_ISSUER, mount_point)?;
        }
        let mut refusal = None;
        for issuer in signing {
            match self.ask((&snapshot, epoch), issuer, at, (role, duty)).await {
                Ok(session) => return Ok(session),
                Err(fault) => {
                    refusal.get_or_insert(fault);
                }
            }
        }
        let fault = refusal.unwrap_or_else(|| {
            Fault::operator("no issuer signs").cure(format!("vault read {mount_point}rotation"))
        });
        Err(fault.within(format!(
        "{} of trust-anchors/{name}, whose anchor must hold the certificates of {mount_point}trust-bundle (the first time, add them by hand)",
        duty.field()
    )))
    }

    /// Finds or makes the engine a session for `duty` in the account of `role`, by the first trust anchor of that account that
    /// admits it.
    ///
    /// IAM is the same from each region, and in an incident one anchor may be unreachable or hold the wrong issuer. The anchor
    /// `near` comes first and then those of its region, because a regional service may be closed to the roles of another region.
    ///
    /// # Errors
    /// The operator's fault if no entry of that account names an IAM role for the duty; the fault of the first anchor otherwise.
    pub(crate) async fn session_for(
        &self,
        (role, near): (&RoleArn, Option<&TrustAnchorArn>),
        (duty, need): (Duty, Need),
        mount_point: &str,
    ) -> Result<Arc<Issued>, Fault> {
        let mut refusal = None;
        let mut anchors = self.for_account(role, duty, mount_point).await?;
        anchors.sort_by_key(|(_, anchor)| near.map(|near| distance(&anchor.trust_anchor_arn, near)));
        for (name, anchor) in &anchors {
            match self.session(AnchorTask { name, anchor, mount_point, need }, duty).await {
                Ok(session) => return Ok(session),
                Err(fault) => {
                    refusal.get_or_insert(fault);
                }
            }
        }
        Err(refusal.unwrap_or_else(|| Fault::bug("no trust anchor was tried")))
    }

    /// Drops the engine's cached sessions for `duty` if AWS refused a call with `error`, because its session may be among those
    /// that were denied. The next piece of work makes another. An object that is missing, and an unreachable AWS, say nothing
    /// about the session.
    pub(crate) fn refused(&self, duty: Duty, error: &CallError) {
        if error.kind().is_some() && !error.is_not_found() {
            let of_duty = Some(duty.common_name());
            self.credentials.sessions.invalidate(move |key| {
                key.role().starts_with(OWN) && key.parts().leaf.subject.common_name.as_deref() == of_duty
            });
        }
    }

    /// The trust anchors, at least one, that have an IAM role for `duty` in the account and partition of `role`.
    ///
    /// # Errors
    /// The operator's fault if there is none; it names the command that adds one.
    async fn for_account(
        &self,
        role: &RoleArn,
        duty: Duty,
        mount_point: &str,
    ) -> Result<Vec<(String, ManagedAnchor)>, Fault> {
        let is_there = |anchor: &ManagedAnchor| {
            let arn = &anchor.trust_anchor_arn;
            arn.account() == role.account() && arn.partition() == role.partition()
        };
        let mut anchors = self.credentials.store().managed_anchors().await?;
        anchors.retain(|(_, anchor)| is_there(anchor));
        let (able, unable): (Vec<_>, Vec<_>) =
            anchors.into_iter().partition(|(_, anchor)| anchor.role(duty).is_some());
        if !able.is_empty() {
            return Ok(able);
        }
        let field = duty.field();
        match unable.first() {
            Some((name, _)) => Err(no_role(name, duty, mount_point)),
            None => Err(Fault::operator(format!(
"{field}: this mount knows no trust anchor of the account {account}",
account = role.account()
)).cure(format!("vault write {mount_point}trust-anchors/<name> trust_anchor_arn=<arn> profile_arn=<arn> {field}=<arn>"))),
        }
    }

    /// Asks the session service for a session by one issuer. All own sessions of an anchor take turns together and count as one
    /// failure domain, so a broken anchor slows down no other.
    async fn ask(
        &self,
        (snapshot, epoch): (&Arc<Snapshot>, Epoch),
        issuer: &Loaded,
        at: AnchorTask<'_>,
        (role, duty): (&RoleArn, Duty),
    ) -> Result<Arc<Issued>, Fault> {
        let own = format!("{OWN}{}", at.name);
        let key = SessionKey::new(KeyParts {
            role: match at.need {
                Need::Routine => own.clone(),
                // a key of its own, because neither a cached session nor a cached refusal may answer it
                Need::Incident => format!("{own}/{}", WORKS.fetch_add(1, Ordering::Relaxed)),
            },
            cluster: None,
            config: snapshot.config_version,
            issuer: issuer.record.id.clone(),
            call: call(at.anchor, role),
            leaf: profile(duty),
        });
        let spec = sessions::FlightSpec {
            scope: key.quota_scope(),
            failure_domain: FailureDomain::new(&own),
            requester: sessions::Requester::new(own),
            freshness: Freshness::Prefer,
            rank: at.need.rank(),
            duration: SessionDuration::MIN.as_duration(),
            work: self.work(snapshot, &key, at, duty),
            epoch,
        };
        let began = Instant::now();
        // nobody shares the session of an incident, so it is not cached
        let sharing = at.need.sharing();
        match self.credentials.sessions.get(SessionRequest { key, sharing, spec, deadline: PATIENCE }).await {
            Reply::Granted(grant) => Ok(grant.session),
            Reply::Denied { why, retry_in } => Err(outcome::fault(why, retry_in, began.elapsed())),
        }
    }

    /// The work of a flight: each attempt makes one session and logs its name at AWS, by which `CloudTrail` knows the engine's
    /// calls.
    fn work(
        &self,
        snapshot: &Arc<Snapshot>,
        key: &SessionKey,
        at: AnchorTask<'_>,
        duty: Duty,
    ) -> sessions::Work<Arc<Issued>, Fault> {
        let recipe = Recipe {
            snapshot: Arc::clone(snapshot),
            key: key.clone(),
            origin: Origin::engine(at.mount_point),
            metrics: Arc::clone(&self.credentials.metrics),
        };
        let (anchor, duty) = (at.name.to_owned(), duty.common_name());
        recipe.work_told(move |ended, _| {
            if let Ok(Issued { session, .. }) = ended {
                let session = &session.role_session_name;
                tracing::info!(anchor, duty, session, "created a session for the engine itself");
            }
        })
    }
}

/// Numbers the pieces of work that each need a session of their own.
static WORKS: AtomicU64 = AtomicU64::new(0);

/// Selects the engine's own sessions by this trust anchor. Drop them, and the refusals, when its bundle changes: they say nothing
/// of the new bundle.
pub(crate) fn is_by(anchor: &TrustAnchorArn) -> impl Fn(&SessionKey) -> bool + Send + use<> {
    let anchor = anchor.clone();
    move |key| key.role().starts_with(OWN) && key.parts().call.trust_anchor == anchor
}

/// The sort key of an anchor: `near` itself, then its region, then all others.
fn distance(anchor: &TrustAnchorArn, near: &TrustAnchorArn) -> (bool, bool) {
    (anchor.region() != near.region(), anchor != near)
}

/// The shortest session that AWS makes, 15 minutes, for an IAM role of the entry `anchor`.
fn call(anchor: &ManagedAnchor, role: &RoleArn) -> CreateSession {
    CreateSession {
        trust_anchor: anchor.trust_anchor_arn.clone(),
        profile: anchor.profile_arn.clone(),
        role: role.clone(),
        duration: SessionDuration::MIN,
        role_session_name: None,
        instance_properties: BTreeMap::new(),
    }
}

/// The engine's own certificate: the reserved O [`MANAGEMENT`] and the duty as CN. The trust policy of the duty's IAM role
/// compares both.
fn profile(duty: Duty) -> LeafProfile {
    let subject = Subject { organization: vec![MANAGEMENT.to_owned()], ..Subject::named(duty.common_name()) };
    LeafProfile {
        subject,
        uri_sans: Vec::new(),
        dns_sans: Vec::new(),
        key: KeySpec::EcP256,
        ttl: CERTIFICATE_TTL,
    }
}

/// The fault of an entry that has no IAM role for `duty`.
fn no_role(name: &str, duty: Duty, mount_point: &str) -> Fault {
    Fault::operator(format!("{}: missing in trust-anchors/{name}", duty.field()))
        .cure(format!("vault patch {mount_point}trust-anchors/{name} {}=<arn>", duty.field()))
}
