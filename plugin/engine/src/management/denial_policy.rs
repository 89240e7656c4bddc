//! Ending sessions at AWS: our inline policy of an IAM role, read, changed, written and read back.
//!
//! A session cannot be taken back. What can be done is to have its IAM role deny it everything, by an inline policy that this mount
//! owns. Only explicit calls come here, never a lease's end: Vault cannot tell a revoke from an expiry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::revocation::{Policy, ROLE_LIMIT, size_in_iam};
use rolesanywhere::{RoleArn, Session, SessionDuration, SignedClient};
use time::OffsetDateTime;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};
use vault_backend::{Blame, Fault};

use crate::credentials::issued::Issued;
use crate::ground::clock::rfc3339;
use crate::ground::faults;
use crate::management::anchor_task::Need;
use crate::management::own_session::OwnSessions;
use crate::records::denials::Denials;
use crate::records::managed_anchor::Duty;
use crate::store::Store;

/// Begins the `Sid` of each statement that this engine writes, by which it knows its own documents.
pub(crate) const SID_PREFIX: &str = "Iamra";
/// No further IAM role is begun after this: the CLI waits for a minute, and what was done is to be told.
pub(crate) const MAX_CALL: Duration = Duration::from_secs(40);
/// For one call of IAM with its retries.
const PATIENCE: Duration = Duration::from_secs(10);
/// IAM shows a change within seconds as a rule; the denial itself takes as long.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);
/// For so long a read of IAM may show less than was written before it.
const UNTIL_SHOWN: Duration = Duration::from_secs(300);
/// Makes a moment differ from the second that it began in.
const MIN_STEP: Duration = Duration::from_millis(1);
/// AWS dates sessions to the second, and does not say whether up or down.
const ROUNDING: Duration = Duration::from_secs(1);
/// A moment lies this far ahead at most, beside the time that AWS took to tell its clock: it was rounded up to a second three times.
const MAX_WAIT: Duration = Duration::from_secs(4);

/// One IAM role as the engine may change it, while no other change of this mount is under way.
pub(crate) struct RolePolicy<'a> {
    policies: &'a DenialPolicies,
    turn: MutexGuard<'a, RecentWrites>,
    caller: SignedClient,
    role: &'a RoleArn,
    /// What the inline policy is called: by the mount, so that two mounts never write the same one.
    pub(crate) policy_name: String,
}

/// AWS's clock, by which sessions are dated, as the engine's own session tells it that was made just now.
///
/// That session was dated somewhere between question and answer, which may be seconds apart: from either on it counts a bound.
#[derive(Clone, Copy)]
pub(crate) struct AwsTime {
    at: OffsetDateTime,
    asked: Instant,
    answered: Instant,
}

impl AwsTime {
    /// AWS's clock is not behind this.
    pub(crate) fn earliest(&self) -> OffsetDateTime {
        self.at + self.answered.elapsed().max(MIN_STEP)
    }

    /// Nor ahead of this, since the date may have been rounded down: whatever was issued until now is dated before it.
    pub(crate) fn latest(&self) -> OffsetDateTime {
        self.at + ROUNDING + self.asked.elapsed()
    }

    /// Waits until sessions that begin are dated after `moment`, which is a few seconds ahead at most. Whichever way AWS rounds, it rounds
    /// them as it rounded the engine's own session.
    pub(crate) async fn wait_past(&self, moment: OffsetDateTime) {
        let left = Duration::try_from(moment - self.earliest()).unwrap_or_default() + MIN_STEP;
        sleep(left.min(MAX_WAIT + (self.answered - self.asked))).await;
    }
}

/// What this process wrote a short while ago, by the IAM role's ARN. IAM answers reads with an older state for a while: written back, that
/// would take denials away that were just made.
#[derive(Default)]
pub(crate) struct RecentWrites(HashMap<String, (Instant, Policy)>);

impl RecentWrites {
    fn note(&mut self, role: &RoleArn, policy: &Policy) {
        self.0.retain(|_, (written, _)| written.elapsed() < UNTIL_SHOWN);
        self.0.insert(role.to_string(), (Instant::now(), policy.clone()));
    }

    fn of(&self, role: &RoleArn) -> Option<&Policy> {
        let (written, policy) = self.0.get(role.as_str())?;
        (written.elapsed() < UNTIL_SHOWN).then_some(policy)
    }
}

/// A document that was written.
pub(crate) struct WrittenDenial {
    pub(crate) policy: Policy,
    /// IAM showed it when it was asked again.
    pub(crate) is_seen: bool,
    /// That the mount could not note when it is over, for whoever has to delete it then.
    pub(crate) unnoted: Option<String>,
}

/// The mount in whose name IAM roles are changed.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// Vault's id of the backend.
    pub(crate) mount_id: &'a str,
    pub(crate) mount_point: &'a str,
}

/// The inline policies by which this mount denies sessions: one change at a time, because each is read, changed and written back.
pub(crate) struct DenialPolicies {
    pub(super) store: Store,
    own: Arc<OwnSessions>,
    recent: Mutex<RecentWrites>,
    /// When what is over was last taken out of IAM roles.
    pub(super) pruned: Mutex<Option<Instant>>,
}

impl DenialPolicies {
    pub(crate) fn new(store: Store, own: Arc<OwnSessions>) -> Self {
        Self { store, own, recent: Mutex::default(), pruned: Mutex::default() }
    }

    /// Opens the IAM role `role` to one change, in turn: no other change of this mount is under way while the answer lives.
    pub(crate) async fn open<'a>(
        &'a self,
        owner: Owner<'_>,
        role: &'a RoleArn,
    ) -> Result<(RolePolicy<'a>, AwsTime), Fault> {
        let (turn, asked) = (self.recent.lock().await, Instant::now());
        let own = self.own_session(owner, (role, Need::Incident)).await?;
        let aws = AwsTime { at: dated(&own.session), asked, answered: Instant::now() };
        Ok((RolePolicy::new(self, owner, (role, turn), &own.session).await?, aws))
    }

    /// The same for what can wait, and a time that AWS's clock is not behind; nothing where another change is under way. The session comes
    /// before the turn, so that no revocation waits while AWS lets the engine in.
    pub(crate) async fn open_if_idle<'a>(
        &'a self,
        owner: Owner<'_>,
        role: &'a RoleArn,
    ) -> Result<Option<(RolePolicy<'a>, OffsetDateTime)>, Fault> {
        let own = self.own_session(owner, (role, Need::Routine)).await?;
        let Ok(turn) = self.recent.try_lock() else { return Ok(None) };
        Ok(Some((RolePolicy::new(self, owner, (role, turn), &own.session).await?, dated(&own.session))))
    }

    async fn own_session(
        &self,
        owner: Owner<'_>,
        (role, need): (&RoleArn, Need),
    ) -> Result<Arc<Issued>, Fault> {
        self.own.session_for((role, None), (Duty::Revocation, need), owner.mount_point).await
    }
}

/// When AWS made one of the engine's own sessions, by its clock.
fn dated(own: &Session) -> OffsetDateTime {
    own.expiration - time::Duration::seconds(i64::from(SessionDuration::MIN.as_secs()))
}

impl<'a> RolePolicy<'a> {
    async fn new(
        policies: &'a DenialPolicies,
        owner: Owner<'_>,
        (role, turn): (&'a RoleArn, MutexGuard<'a, RecentWrites>),
        own: &Session,
    ) -> Result<Self, Fault> {
        let caller = policies.own.caller(own, PATIENCE).await?;
        Ok(Self { policies, turn, caller, role, policy_name: format!("iamra-{}", owner.mount_id) })
    }
}

impl RolePolicy<'_> {
    /// What is denied now: what IAM shows, and what was written so lately that it may not show it yet.
    ///
    /// # Errors
    /// An operator's fault where the policy of our name is not what we wrote: it stays as it is.
    pub(crate) async fn read(&self) -> Result<Policy, Fault> {
        let mut policy = self.shown().await?;
        if let Some(written) = self.turn.of(self.role) {
            policy.merge(written);
        }
        Ok(policy)
    }

    /// What IAM shows; nothing where there is no policy yet.
    async fn shown(&self) -> Result<Policy, Fault> {
        let document = self.caller.get_role_policy(self.role, &self.policy_name).await;
        let Some(document) = document.map_err(|error| self.failed(&error))? else {
            return Ok(Policy::new(SID_PREFIX));
        };
        Policy::parse(SID_PREFIX, &document).map_err(|problem| {
            Fault::operator(format!(
                "the inline policy {} of {} is not as this mount wrote it, and is left alone: {problem}",
                self.policy_name, self.role
            ))
            .cure("save what is meant under another name and delete it, then ask again")
        })
    }

    /// Writes `policy`, which denies something, and looks whether IAM shows it.
    ///
    /// # Errors
    /// As those of [`Self::put`].
    pub(crate) async fn write(&mut self, policy: Policy) -> Result<WrittenDenial, Fault> {
        let unnoted = self.put(&policy).await?;
        let is_seen = self.shows(&policy).await;
        tracing::warn!(role_arn = %self.role, entries = policy.len(), is_seen, "denied sessions of an IAM role");
        Ok(WrittenDenial { policy, is_seen, unnoted })
    }

    /// Writes `policy`, or deletes it where it is empty, and says what could not be noted of it.
    ///
    /// What is kept of the sessions has to be ended before: also a write that errs may have landed.
    ///
    /// # Errors
    /// An operator's fault where the role's inline policies have no room for it.
    pub(crate) async fn put(&mut self, policy: &Policy) -> Result<Option<String>, Fault> {
        let unnoted = self.note(policy).await?;
        let written = if policy.is_empty() {
            self.caller.delete_role_policy(self.role, &self.policy_name).await.map(drop)
        } else {
            self.caller.put_role_policy(self.role, &self.policy_name, &policy.to_string()).await
        };
        // only AWS's own word says that nothing was written
        if written.as_ref().err().is_none_or(|error| error.kind().is_none()) {
            self.turn.note(self.role, policy);
        }
        match written {
            Ok(()) => {}
            Err(error) if error.is_limit_exceeded() => return Err(self.no_room(policy, None).within(error)),
            Err(error) => return Err(self.failed(&error)),
        }
        if policy.is_empty() {
            self.policies.store.write().await.delete_denials(self.role).await?;
            tracing::info!(role_arn = %self.role, "nothing is denied to sessions of an IAM role any more");
        }
        Ok(unnoted)
    }

    /// Notes until when the role holds a denial, for Vault's tick. What keeps the note from being stored is told beside the denial, which
    /// matters more.
    ///
    /// # Errors
    /// Where this node may not write at all: Vault has another one do all of it.
    async fn note(&self, policy: &Policy) -> Result<Option<String>, Fault> {
        let Some(until) = policy.needed_until() else { return Ok(None) };
        let Err(fault) =
            self.policies.store.write().await.put_denials(&Denials::new(self.role.clone(), until)).await
        else {
            return Ok(None);
        };
        if fault.blame() == Blame::ReadOnly {
            return Err(fault);
        }
        tracing::error!(role_arn = %self.role, "a denial could not be noted: {fault}");
        Ok(Some(format!(
            "the sessions of {} are denied, but this mount could not note that ({fault}), and will not delete the inline policy {} when it is over: repeat this command, or delete the policy after {}",
            self.role,
            self.policy_name,
            rfc3339(until)
        )))
    }

    /// Refuses a document for which the role's other inline policies leave no room.
    pub(crate) async fn check_room(&self, policy: &Policy) -> Result<(), Fault> {
        let mut others = 0;
        for name in self.caller.list_role_policies(self.role).await.map_err(|error| self.failed(&error))? {
            if name == self.policy_name {
                continue;
            }
            let document = self.caller.get_role_policy(self.role, &name).await;
            others += document.map_err(|error| self.failed(&error))?.as_deref().map_or(0, size_in_iam);
        }
        if policy.would_fit(others) { Ok(()) } else { Err(self.no_room(policy, Some(others))) }
    }

    async fn shows(&self, policy: &Policy) -> bool {
        for _ in 0..LOOKS {
            if self.shown().await.is_ok_and(|shown| shown == *policy) {
                return true;
            }
            sleep(BETWEEN_LOOKS).await;
        }
        false
    }

    fn no_room(&self, policy: &Policy, others: Option<usize>) -> Fault {
        let taken = others.map_or_else(String::new, |others| format!(" {others} are taken by others, and"));
        let is_break_glass = policy.issued_before().is_some() && policy.len() == 1;
        let cure = if is_break_glass {
            "Make a managed policy of an inline one of the role, and ask again"
        } else {
            "To end every session of the role instead: roles/<role>/revoke-sessions"
        };
        Fault::operator(format!(
"the inline policies of {} may have {ROLE_LIMIT} characters together:{taken} {} are needed for {} entries; nothing was changed",
self.role,
policy.size(),
policy.len()
)).cure(cure)
    }

    fn failed(&self, error: &rolesanywhere::CallError) -> Fault {
        self.policies.own.refused(Duty::Revocation, error);
        faults::call(error).within(self.role)
    }
}
