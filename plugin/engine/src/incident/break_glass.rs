//! The break-glass: it denies everything to every session of an IAM role that was issued before now.

use rolesanywhere::RoleArn;
use rolesanywhere::revocation::Policy;
use vault_backend::Fault;

use crate::credentials::ledger::RevocationScope;
use crate::ground::clock;
use crate::incident::incidents::Incidents;
use crate::incident::targets::{self, TargetDenial};
use crate::management::denial_policy::{Owner, SID_PREFIX, WrittenDenial};

/// Names the sessions that a denial does not reach. Every answer about a denial carries it as a warning.
pub(crate) const OUT_OF_REACH: &str = "sessions of other roles that were made with these sessions (role chaining) are not denied: apply target_policies of this answer if it has them, and look for other AssumeRole calls in CloudTrail; IAM takes seconds, sometimes minutes, to apply a denial everywhere; another mount whose roles lead to the same IAM role still hands out its cached sessions: run the same command there";

/// What the break-glass did to one IAM role.
pub(crate) struct EndedSessions {
    /// The inline policy that denies the sessions: `iamra-<the mount's id>`.
    pub(crate) policy_name: String,
    /// How many living sessions of the role this mount handed out. There may be more: other mounts and other tools made sessions
    /// too.
    pub(crate) sessions: usize,
    /// What ends the sessions of further roles that they made.
    pub(crate) targets: Vec<TargetDenial>,
    /// The document as it was written, and whether IAM showed it afterwards.
    pub(crate) denied: WrittenDenial,
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
        // Takes the turn of the denial policies until the end of this function: no other change of this mount comes between the
        // read and the write.
        let (mut iam, aws) = self.denials.open(owner, role).await?;
        // Before anything is dropped: this fails if the policy is not ours, and such a policy must stay as it is.
        iam.read().await?;
        let entries = {
            let known = self.credentials.ledger.known(clock::now(), |entry| entry.role_arn() == role).await?;
            known.those(|entry| entry.role_arn() == role)
        };
        // Before the moment is chosen: a read that begins later waits, and one that began earlier gets nothing.
        let held = self.credentials.ledger.hold(RevocationScope::IamRole(role.clone()));
        // Empty, not the one that was read: this denial covers every entry of that one.
        let mut policy = Policy::new(SID_PREFIX);
        policy.deny_issued_before(aws.latest());
        if let Some(moment) = policy.issued_before() {
            // Before readers are let in: `deny_issued_before` rounds up to the second, and a session issued within that second is
            // denied too.
            aws.wait_past(moment).await;
        }
        // Before the write: a write that fails may have landed, and a cached session must not outlive it.
        let ended = role.clone();
        self.credentials.services().invalidate(move |key| key.parts().call.role == ended);
        // Before the write as well: sessions that begin now are dated after the moment, so their readers need not wait for IAM.
        drop(held);
        let denied = iam.write(policy).await?;
        self.credentials.metrics.revoked();
        let targets = targets::denials(&entries, clock::now());
        Ok(EndedSessions { policy_name: iam.policy_name.clone(), sessions: entries.len(), targets, denied })
    }
}
