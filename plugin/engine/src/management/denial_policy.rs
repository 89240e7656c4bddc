//! Ends sessions at AWS: reads the inline policy that this mount owns in an IAM role, changes it, writes it, and reads it back.
//!
//! AWS cannot take a session back. The IAM role can deny it every action, by an inline policy. Only explicit calls come here and
//! never the end of a lease, because Vault does not say whether a lease was revoked or has expired.

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
use crate::management::own_session::{AssumeTarget, OwnSessions};
use crate::records::denials::Denials;
use crate::records::managed_anchor::Duty;
use crate::store::Store;

/// The prefix of the `Sid` of each statement that this engine writes. The engine recognizes its own documents by it.
pub(crate) const SID_PREFIX: &str = "Iamra";
/// A call begins no further IAM role after this time, because Vault's CLI waits for one minute and must receive the answer.
pub(crate) const MAX_CALL: Duration = Duration::from_secs(40);
/// The time for one call to IAM and its retries.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a written policy is read back. As a rule IAM shows a change within seconds, and the denial itself takes as long.
const LOOKS: u32 = 5;
/// The pause between two reads. All reads together wait two seconds.
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);
/// How long after a write IAM may still show the former policy.
const UNTIL_SHOWN: Duration = Duration::from_secs(300);
/// The smallest step by which a moment differs from the full second in which it lies.
const MIN_STEP: Duration = Duration::from_millis(1);
/// AWS dates sessions to the second, and does not document whether it rounds up or down.
const ROUNDING: Duration = Duration::from_secs(1);
/// How far ahead a moment can be, beside the time that AWS took to tell its clock: it was rounded up to the second three times.
const MAX_WAIT: Duration = Duration::from_secs(4);

/// The right to change this mount's policy in one IAM role. While it lives, no other change of the mount is under way.
pub(crate) struct RolePolicy<'a> {
    policies: &'a DenialPolicies,
    /// The lock of the mount's changes, and the recent writes that it guards.
    turn: MutexGuard<'a, RecentWrites>,
    /// Signs in the session that was made for this role's account.
    caller: SignedClient,
    role: &'a RoleArn,
    /// The name of the inline policy, `iamra-<mount id>`, because two mounts must never write the same one.
    pub(crate) policy_name: String,
}

/// AWS's clock, which dates sessions, as far as a session of the engine's own tells it that was made just now.
///
/// AWS dated that session at some moment between the request and the answer, which may be seconds apart. The time since the
/// answer gives a lower bound of AWS's clock, and the time since the request an upper bound.
#[derive(Clone, Copy)]
pub(crate) struct AwsTime {
    /// The date of the session, to the second.
    at: OffsetDateTime,
    /// Before the session was requested, on this host's monotonic clock.
    asked: Instant,
    /// After it had arrived.
    answered: Instant,
}

impl AwsTime {
    /// The lower bound: AWS's clock is not behind it.
    pub(crate) fn earliest(&self) -> OffsetDateTime {
        self.at + self.answered.elapsed().max(MIN_STEP)
    }

    /// The upper bound: AWS's clock is not ahead of it. Every session issued until now is dated before it, because a second is
    /// added for a date that was rounded down.
    pub(crate) fn latest(&self) -> OffsetDateTime {
        self.at + ROUNDING + self.asked.elapsed()
    }

    /// Waits until new sessions are dated after `moment`, which is at most a few seconds ahead. AWS rounds their dates in the
    /// same direction as the date of the engine's own session, so the direction does not matter.
    ///
    /// The wait is bounded by
    /// [`MAX_WAIT`] and the time that AWS took to answer.
    pub(crate) async fn wait_past(&self, moment: OffsetDateTime) {
        let left = Duration::try_from(moment - self.earliest()).unwrap_or_default() + MIN_STEP;
        sleep(left.min(MAX_WAIT + (self.answered - self.asked))).await;
    }
}

/// The policies that this process wrote within [`UNTIL_SHOWN`], by the IAM role's ARN.
///
/// IAM may answer a read with a former state
/// for a while. A change that was based on it would remove denials that were just written.
#[derive(Default)]
pub(crate) struct RecentWrites(HashMap<String, (Instant, Policy)>);

impl RecentWrites {
    /// Records a write, and forgets those that IAM must show by now.
    fn note(&mut self, role: &RoleArn, policy: &Policy) {
        self.0.retain(|_, (written, _)| written.elapsed() < UNTIL_SHOWN);
        self.0.insert(role.to_string(), (Instant::now(), policy.clone()));
    }

    /// The last write to the role, if IAM may not show it yet.
    fn of(&self, role: &RoleArn) -> Option<&Policy> {
        let (written, policy) = self.0.get(role.as_str())?;
        (written.elapsed() < UNTIL_SHOWN).then_some(policy)
    }
}

/// The result of a write to one IAM role.
pub(crate) struct WrittenDenial {
    pub(crate) policy: Policy,
    /// Whether IAM showed the policy when it was read back. If not, it was written all the same and takes effect later.
    pub(crate) is_seen: bool,
    /// A warning if the mount could not record when the denial is over: somebody must delete the policy by hand then.
    pub(crate) unnoted: Option<String>,
}

/// The mount in whose name the engine changes IAM roles.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// Vault's id of the backend, which names the policy.
    pub(crate) mount_id: &'a str,
    /// The mount's path for the commands in faults, or `<mount>/` if the work is not a request's.
    pub(crate) mount_point: &'a str,
}

/// The inline policies by which this mount denies sessions. The mount makes one change at a time, because each one is read,
/// changed and written back.
pub(crate) struct DenialPolicies {
    pub(super) store: Store,
    own: Arc<OwnSessions>,
    /// Held for the whole of each change, across the calls to IAM.
    recent: Mutex<RecentWrites>,
    /// When denials that are over were last removed; none if that must be done at the next tick.
    pub(super) pruned: Mutex<Option<Instant>>,
}

impl DenialPolicies {
    /// Knows no recent write: until [`UNTIL_SHOWN`] after a failover, IAM alone says what is denied.
    pub(crate) fn new(store: Store, own: Arc<OwnSessions>) -> Self {
        Self { store, own, recent: Mutex::default(), pruned: Mutex::default() }
    }

    /// Waits for the turn to change this mount's policy in the IAM role `role`, and reads AWS's clock. The turn ends when the
    /// returned [`RolePolicy`] is dropped.
    ///
    /// # Errors
    /// Those of [`OwnSessions::session_for`].
    pub(crate) async fn open<'a>(
        &'a self,
        owner: Owner<'_>,
        role: &'a RoleArn,
    ) -> Result<(RolePolicy<'a>, AwsTime), Fault> {
        // the turn first: a wait after the request would move the upper bound of AWS's clock ahead
        let (turn, asked) = (self.recent.lock().await, Instant::now());
        let own = self.own_session(owner, role, Need::Incident).await?;
        let aws = AwsTime { at: dated(&own.session), asked, answered: Instant::now() };
        Ok((RolePolicy::new(self, turn, owner, role, &own.session).await?, aws))
    }

    /// As [`Self::open`] for work that can wait, with a time that AWS's clock is not behind; none if another change is under way.
    pub(crate) async fn open_if_idle<'a>(
        &'a self,
        owner: Owner<'_>,
        role: &'a RoleArn,
    ) -> Result<Option<(RolePolicy<'a>, OffsetDateTime)>, Fault> {
        let own = self.own_session(owner, role, Need::Routine).await?;
        // after the session: a revocation must not wait while AWS makes it
        let Ok(turn) = self.recent.try_lock() else { return Ok(None) };
        Ok(Some((RolePolicy::new(self, turn, owner, role, &own.session).await?, dated(&own.session))))
    }

    /// A session for the duty of revocation in the account of `role`, by any anchor.
    async fn own_session(&self, owner: Owner<'_>, role: &RoleArn, need: Need) -> Result<Arc<Issued>, Fault> {
        let target = AssumeTarget { role, near: None };
        self.own.session_for(target, Duty::Revocation, need, owner.mount_point).await
    }
}

/// The date, by AWS's clock, of one of the engine's own sessions. AWS never makes one shorter than requested, because they
/// request the minimum.
fn dated(own: &Session) -> OffsetDateTime {
    own.expiration - time::Duration::seconds(i64::from(SessionDuration::MIN.as_secs()))
}

impl<'a> RolePolicy<'a> {
    /// `turn` is the held lock of `policies`; `own` signs the calls.
    async fn new(
        policies: &'a DenialPolicies,
        turn: MutexGuard<'a, RecentWrites>,
        owner: Owner<'_>,
        role: &'a RoleArn,
        own: &Session,
    ) -> Result<Self, Fault> {
        let caller = policies.own.caller(own, PATIENCE).await?;
        Ok(Self { policies, turn, caller, role, policy_name: format!("iamra-{}", owner.mount_id) })
    }
}

impl RolePolicy<'_> {
    /// The denials now: those that IAM shows, and those that were written so recently that IAM may not show them yet.
    ///
    /// # Errors
    /// The operator's fault if the policy with our name is not as we wrote it. It is left as it is. AWS's refusal otherwise.
    pub(crate) async fn read(&self) -> Result<Policy, Fault> {
        let mut policy = self.shown().await?;
        if let Some(written) = self.turn.of(self.role) {
            policy.merge(written);
        }
        Ok(policy)
    }

    /// The denials that IAM shows; an empty policy if the role has none of ours.
    async fn shown(&self) -> Result<Policy, Fault> {
        let document = self.caller.get_role_policy(self.role, &self.policy_name).await;
        let Some(document) = document.map_err(|error| self.failed(&error))? else {
            return Ok(Policy::new(SID_PREFIX));
        };
        Policy::parse(SID_PREFIX, &document).map_err(|problem| {
            Fault::operator(format!(
                "the inline policy {} of {} differs from the one that this mount wrote, so it stays unchanged: {problem}",
                self.policy_name, self.role
            ))
            .cure("save its statements under another name and delete it, then ask again")
        })
    }

    /// Writes `policy`, which must not be empty, and reads whether IAM shows it.
    ///
    /// The cached sessions must be dropped before, as for [`Self::put`].
    ///
    /// # Errors
    /// Those of [`Self::put`]. That IAM does not show the policy yet is no error.
    pub(crate) async fn write(&mut self, policy: Policy) -> Result<WrittenDenial, Fault> {
        let unnoted = self.put(&policy).await?;
        let is_seen = self.shows(&policy).await;
        tracing::warn!(role_arn = %self.role, entries = policy.len(), is_seen, "denied sessions of an IAM role");
        Ok(WrittenDenial { policy, is_seen, unnoted })
    }

    /// Writes `policy`, or deletes it if it is empty. Returns a warning if the denial could not be recorded.
    ///
    /// The cached sessions that it denies must be dropped before, because a write that fails may have landed.
    ///
    /// # Errors
    /// The operator's fault if the role's inline policies have no room for it; AWS's refusal; read-only if this node may not
    /// write.
    pub(crate) async fn put(&mut self, policy: &Policy) -> Result<Option<String>, Fault> {
        // before the write: the tick removes only denials that are recorded, so a crash must not leave one without a record
        let unnoted = self.note(policy).await?;
        let written = if policy.is_empty() {
            self.caller.delete_role_policy(self.role, &self.policy_name).await.map(drop)
        } else {
            self.caller.put_role_policy(self.role, &self.policy_name, &policy.to_string()).await
        };
        // unless AWS itself refused: after a lost answer the policy may have been written
        if written.as_ref().err().is_none_or(|error| error.kind().is_none()) {
            self.turn.note(self.role, policy);
        }
        match written {
            Ok(()) => {}
            Err(error) if error.is_limit_exceeded() => return Err(self.no_room(policy, None).within(error)),
            Err(error) => return Err(self.failed(&error)),
        }
        if policy.is_empty() {
            // after the deletion at AWS: until then the tick must find the record
            self.policies.store.write().await.delete_denials(self.role).await?;
            tracing::info!(role_arn = %self.role, "removed the last denial of sessions of an IAM role");
        }
        Ok(unnoted)
    }

    /// Records until when the role holds a denial, for Vault's tick. Does nothing for an empty policy.
    ///
    /// Returns a warning if
    /// storage fails, because the denial matters more than its record and must go on.
    ///
    /// # Errors
    /// Read-only if this node may not write at all: Vault then forwards the request to one that may.
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
        tracing::error!(role_arn = %self.role, "could not record a denial: {fault}");
        Ok(Some(format!(
            "the sessions of {} are denied, but this mount could not record the denial ({fault}) and will not delete the inline policy {} when it ends: repeat this command, or delete the policy after {}",
            self.role,
            self.policy_name,
            rfc3339(until)
        )))
    }

    /// Refuses a policy for which the role's other inline policies leave no room. It reads each of them, one call at a time.
    ///
    /// Call it before cached sessions are dropped: a refusal then changes nothing.
    ///
    /// # Errors
    /// The operator's fault, with the sizes; AWS's refusal of a read.
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

    /// Whether IAM shows exactly `policy` within [`LOOKS`] reads. A read that fails counts as no.
    async fn shows(&self, policy: &Policy) -> bool {
        for _ in 0..LOOKS {
            if self.shown().await.is_ok_and(|shown| shown == *policy) {
                return true;
            }
            sleep(BETWEEN_LOOKS).await;
        }
        false
    }

    /// `others` are the characters of the role's other inline policies, if they are known. The cure differs for the denial of all
    /// sessions, which cannot become smaller.
    fn no_room(&self, policy: &Policy, others: Option<usize>) -> Fault {
        let taken = others.map_or_else(String::new, |others| format!(" the others take {others}, and"));
        let is_break_glass = policy.issued_before().is_some() && policy.len() == 1;
        let cure = if is_break_glass {
            "turn an inline policy of the role into a managed policy, then ask again"
        } else {
            "to end every session of the role instead: roles/<role>/revoke-sessions"
        };
        Fault::operator(format!(
"the inline policies of {} may have at most {ROLE_LIMIT} characters together:{taken} this one needs {} for {} entries; nothing was changed",
self.role,
policy.size(),
policy.len()
)).cure(cure)
    }

    /// The fault of a call that failed; drops the engine's session if AWS refused it.
    fn failed(&self, error: &rolesanywhere::CallError) -> Fault {
        self.policies.own.refused(Duty::Revocation, error);
        faults::call(error).within(self.role)
    }
}
