//! The engine as a caller of AWS: it issues itself a certificate, and gets a session for one duty with it.
//!
//! | need | turn under the quota | session |
//! | --- | --- | --- |
//! | [`Routine`](Need::Routine) | after every caller | the last one, while more than five of its 15 minutes are left |
//! | [`Incident`](Need::Incident) | before every caller, also if the rate is spent or AWS throttles | a new one for this work |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ca::{KeySpec, LeafProfile, Subject};
use rolesanywhere::{
    CallError, CreateSession, RateLimiter, RoleArn, Session, SessionDuration, SignedClient, TrustAnchorArn,
};
use sessions::{FailureDomain, Freshness, Reply, Requester};
use tokio::time::Instant;
use vault_backend::{Blame, Fault};

use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;
use crate::credentials::outcome;
use crate::credentials::planned_session::{PlannedSession, SessionTerms, Sharers};
use crate::credentials::recipe::{AttemptError, Origin};
use crate::credentials::service::Credentials;
use crate::credentials::session_spec::SessionSpec;
use crate::ground::clock;
use crate::management::anchor_task::{AnchorTask, Need};
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::managed_anchor::{Duty, ManagedAnchor};
use identity::MANAGEMENT;

/// The lifetime of the engine's own certificates, each of which serves one CreateSession.
const CERTIFICATE_TTL: Duration = Duration::from_mins(5);
/// The wait for the engine's own session, its turn under the quota and its retries included.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the anchors of other regions are asked before one whose region gave no answer.
const ASK_LAST: Duration = Duration::from_mins(2);
/// The first part of the role name in the keys of these sessions. The name of no role contains a slash, so no caller has such a
/// key.
const OWN: &str = "trust-anchors/";

/// Makes the engine's own sessions, and calls AWS with them.
pub(crate) struct OwnSessions {
    credentials: Arc<Credentials>,
    /// Shared by all clients that [`Self::caller`] makes, because their calls count against the same rates at AWS.
    rate_limiter: RateLimiter,
    /// When AWS last gave no answer at an anchor, by the operator's name of it.
    unanswered: Mutex<BTreeMap<String, Instant>>,
}

/// Where the engine needs a session of its own.
#[derive(Clone, Copy)]
pub(crate) struct AssumeTarget<'a> {
    /// An IAM role of the account.
    pub(crate) role: &'a RoleArn,
    /// The anchor that is tried first, and then those of its region, because a regional service may be closed to the roles of
    /// another region.
    pub(crate) near: Option<&'a TrustAnchorArn>,
}

impl OwnSessions {
    pub(crate) fn new(credentials: Arc<Credentials>) -> Self {
        Self { credentials, rate_limiter: RateLimiter::default(), unanswered: Mutex::default() }
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
            let spec = SessionSpec { leaf: profile(duty), call: call(anchor, role), further: Vec::new() };
            let planned = PlannedSession::new(sharers(name), spec, issuer, &snapshot, epoch);
            match self.ask(&planned, at, duty).await {
                Ok(session) => {
                    self.unanswered().remove(name);
                    return Ok(session);
                }
                Err(fault) if fault.blame() == Blame::Later => {
                    self.unanswered().insert(name.to_owned(), Instant::now());
                    // another issuer would get no answer either, and the fault says nothing of the bundle
                    return Err(fault.within(at.place()));
                }
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

    /// Finds or makes the engine a session for `duty` in the account of `target`, by the first trust anchor of that account that
    /// admits it.
    ///
    /// IAM is the same from each region, and in an incident one anchor may be unreachable or hold the wrong issuer. An anchor that
    /// gave no answer is asked last for a while, because a revocation of many roles must not wait for it at each.
    ///
    /// # Errors
    /// The operator's fault if no entry of that account names an IAM role for the duty; the fault of the first anchor otherwise.
    pub(crate) async fn session_for(
        &self,
        target: AssumeTarget<'_>,
        duty: Duty,
        need: Need,
        mount_point: &str,
    ) -> Result<Arc<Issued>, Fault> {
        let AssumeTarget { role, near } = target;
        let mut refusal = None;
        let mut anchors = self.for_account(role, duty, mount_point).await?;
        anchors.sort_by_cached_key(|(name, anchor)| {
            (near.map(|near| distance(&anchor.trust_anchor_arn, near)), self.is_asked_last(name))
        });
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

    /// Whether AWS gave no answer at the anchor `name` within [`ASK_LAST`].
    fn is_asked_last(&self, name: &str) -> bool {
        self.unanswered().get(name).is_some_and(|at| at.elapsed() < ASK_LAST)
    }

    fn unanswered(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Asks the session service for a session that was planned for `duty`, and logs its name at AWS, by which `CloudTrail` knows
    /// the engine's calls. All own sessions of an anchor take turns together.
    async fn ask(
        &self,
        planned: &PlannedSession,
        at: AnchorTask<'_>,
        duty: Duty,
    ) -> Result<Arc<Issued>, Fault> {
        let terms = SessionTerms {
            origin: Origin::engine(at.mount_point),
            requester: Requester::new(own_name(at.name)),
            reuse: at.need.reuse(),
            freshness: Freshness::Prefer,
            rank: at.need.rank(),
            deadline: PATIENCE,
        };
        let (anchor, duty) = (at.name.to_owned(), duty.common_name());
        let log_made = move |made: &Result<Issued, AttemptError>, _| {
            if let Ok(Issued { session, .. }) = made {
                let session = &session.role_session_name;
                tracing::info!(anchor, duty, session, "created a session for the engine itself");
            }
        };
        let began = Instant::now();
        match self.credentials.session(planned, terms, log_made).await {
            Reply::Granted(grant) => Ok(grant.session),
            Reply::Denied { why, retry_in } => Err(outcome::fault(why, retry_in, began.elapsed())),
        }
    }
}

/// Selects the engine's own sessions by this trust anchor. Drop them, and the refusals, when its bundle changes: they say nothing
/// of the new bundle.
pub(crate) fn is_by(anchor: &TrustAnchorArn) -> impl Fn(&SessionKey) -> bool + Send + use<> {
    let anchor = anchor.clone();
    move |key| key.role().starts_with(OWN) && key.parts().anchors().any(|one| *one == anchor)
}

/// The role name in the keys of the engine's own sessions by the anchor `name`.
fn own_name(name: &str) -> String {
    format!("{OWN}{name}")
}

/// All own sessions by the anchor `name` are one failure domain, so a broken anchor slows down no other.
fn sharers(name: &str) -> Sharers {
    let role = own_name(name);
    Sharers { failure_domain: FailureDomain::new(&role), role, cluster: None }
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
