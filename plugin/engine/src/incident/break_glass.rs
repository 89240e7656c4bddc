//! The break-glass: it denies everything to every session of an IAM role that was issued before now.

use std::time::Duration;

use rolesanywhere::RoleArn;
use rolesanywhere::revocation::Policy;
use tokio::time::Instant;
use vault_backend::{Blame, Fault};

use crate::credentials::ledger::{Entry, RevocationScope};
use crate::ground::clock;
use crate::incident::incidents::Incidents;
use crate::incident::targets::{self, TargetDenial};
use crate::management::denial_policy::{Owner, SID_PREFIX, WrittenDenial};

/// Names the sessions that a denial does not reach. Every answer about a denial carries it as a warning.
pub(crate) const OUT_OF_REACH: &str = "sessions of other roles that were made with these sessions (role chaining) are not denied: apply target_policies of this answer if it has them, and look for other AssumeRole calls in CloudTrail; IAM takes seconds, sometimes minutes, to apply a denial everywhere; another mount whose roles lead to the same IAM role still hands out its cached sessions: run the same command there";

/// How long the record of sessions may take. The denial needs nothing of it, so storage that does not answer must not stop it.
const MAX_READING: Duration = Duration::from_secs(10);
/// What holds for sessions that the record does not have.
const UNKNOWN: &str = "they are denied with the others, but this answer does not count them, and has no policy that ends the sessions of further roles that they made: \"Revoke active sessions\" of such a role in IAM's console ends those";

/// What the break-glass did to one IAM role.
pub(crate) struct EndedSessions {
    /// The inline policy that denies the sessions: `iamra-<the mount's id>`.
    pub(crate) policy_name: String,
    /// How many living sessions of the role this mount handed out. There may be more: other mounts and other tools made sessions
    /// too.
    pub(crate) sessions: usize,
    /// What ends the sessions of further roles that they made.
    pub(crate) targets: Vec<TargetDenial>,
    /// What the record of sessions lacks, so that `sessions` and `targets` may lack it too.
    pub(crate) gaps: Vec<String>,
    /// The document as it was written, and whether IAM showed it afterwards.
    pub(crate) denied: WrittenDenial,
}

impl EndedSessions {
    /// What the operator must know or do beside this.
    pub(crate) fn warnings(self) -> impl Iterator<Item = String> {
        let targets = self.targets.into_iter().map(|target| target.warning());
        self.denied.unnoted.into_iter().chain(self.gaps).chain(targets)
    }
}

impl Incidents {
    /// Denies every session of the IAM role that was issued before now, and drops the cached ones.
    ///
    /// Reads under way are refused. Reads that begin meanwhile wait until AWS's clock has passed the moment of the denial and the
    /// cached sessions are dropped, so no caller receives a denied session, and none receives an older session that escapes the
    /// denial. The document replaces denials of single sessions, because those sessions are older too.
    ///
    /// # Errors
    /// The operator's fault if no trust anchor of the account names a revocation role, if the inline policy of our name is not as
    /// this mount wrote it, or if it has no room; otherwise AWS's refusal. A write that fails may still have landed, and the
    /// cached sessions are dropped by then.
    pub(crate) async fn end_all(&self, owner: Owner<'_>, role: &RoleArn) -> Result<EndedSessions, Fault> {
        let fault = match Box::pin(self.deny_all(owner, role)).await {
            Err(fault) if fault.blame() != Blame::ReadOnly => fault,
            done => return done,
        };
        let (now, of_role) = (clock::now(), |entry: &Entry| entry.role_arn() == role);
        let known = self.credentials.ledger.known_by(now, Instant::now() + MAX_READING, of_role).await;
        Err(targets::beside(fault, &known.those(of_role), now))
    }

    /// Does what [`Self::end_all`] says.
    async fn deny_all(&self, owner: Owner<'_>, role: &RoleArn) -> Result<EndedSessions, Fault> {
        // Takes the turn of the denial policies until the end of this function: no other change of this mount comes between the
        // read and the write.
        let (mut iam, aws) = self.denials.open(owner, role).await?;
        // Before anything is dropped: this fails if the policy is not ours, and such a policy must stay as it is.
        iam.read().await?;
        let (ledger, of_role) = (&self.credentials.ledger, |entry: &Entry| entry.role_arn() == role);
        let known = ledger.known_by(clock::now(), Instant::now() + MAX_READING, of_role).await;
        let gaps = self.unknown_of_all(&known.unreadable);
        // Before the moment is chosen: a read that begins later waits, and one that began earlier gets nothing, or its session is
        // among the entries.
        let (held, entries) = ledger.hold_known(known, RevocationScope::IamRole(role.clone()), of_role);
        // Empty, not the one that was read: this denial covers every entry of that one.
        let mut policy = Policy::new(SID_PREFIX);
        policy.deny_issued_before(aws.latest());
        let moment = policy.issued_before().unwrap_or_else(|| aws.latest());
        // Before readers are let in: `deny_issued_before` rounds up to the second, and a session issued within that second is
        // denied too.
        aws.wait_past(moment).await;
        // Before the write: a write that fails may have landed, and a cached session must not outlive it.
        let ended = role.clone();
        self.credentials.services().invalidate(move |key| key.parts().call.role == ended);
        // Before the write as well: sessions that begin now are dated after the moment, so their readers need not wait for IAM.
        drop(held);
        let denied = iam.write(policy).await?;
        self.credentials.metrics.revoked();
        // Of the same moment: the hops of later sessions go on.
        let targets = targets::denials(&entries, moment);
        Ok(EndedSessions {
            policy_name: iam.policy_name.clone(),
            sessions: entries.len(),
            targets,
            gaps,
            denied,
        })
    }

    /// Warns of what the record of sessions lacks, for an answer about all sessions of an IAM role.
    fn unknown_of_all(&self, unreadable: &[String]) -> Vec<String> {
        let has_lost = self.credentials.ledger.backlog(clock::now()).has_lost;
        let lost = has_lost.then(|| {
            format!("some sessions that were handed out while storage took no writes are not in the record of sessions: {UNKNOWN}")
        });
        self.gaps(unreadable, &format!("of the sessions in them: {UNKNOWN}"))
            .into_iter()
            .chain(lost)
            .collect()
    }
}
