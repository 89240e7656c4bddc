//! The break-glass: every session of an IAM role that was issued before now is denied everything.

use rolesanywhere::RoleArn;
use rolesanywhere::revocation::Policy;
use vault_backend::Fault;

use crate::credentials::ledger::RevocationScope;
use crate::ground::clock;
use crate::incident::incidents::Incidents;
use crate::management::denial_policy::{Owner, SID_PREFIX, WrittenDenial};

/// What a denial does not reach, in every answer.
pub(crate) const OUT_OF_REACH: &str = "sessions of other roles that were made with these (role chaining) are not reached: look for their AssumeRole in CloudTrail; IAM takes seconds, at times minutes, until a denial holds everywhere; another mount whose roles lead to the same IAM role goes on handing out what it keeps: ask it for the same";

/// What was done to an IAM role.
pub(crate) struct EndedSessions {
    pub(crate) policy_name: String,
    /// Living ones that this process handed out; there may be more.
    pub(crate) sessions: usize,
    pub(crate) denied: WrittenDenial,
}

impl Incidents {
    /// Denies every session of the IAM role, and ends what is kept of them.
    ///
    /// Reads that are under way get nothing, and those that begin wait until AWS's clock is past the moment and what is kept has ended: nobody
    /// is handed a session that is denied, or one that was made before this and is not. Denials of single sessions are older sessions all the
    /// same, and leave the document to this one.
    pub(crate) async fn end_all(&self, owner: Owner<'_>, role: &RoleArn) -> Result<EndedSessions, Fault> {
        let (mut iam, aws) = self.denials.open(owner, role).await?;
        // what is not ours is left alone
        iam.read().await?;
        let held = self.credentials.ledger.hold(RevocationScope::IamRole(role.clone()));
        let sessions = self.credentials.ledger.of_iam_role(clock::now(), role).len();
        let mut policy = Policy::new(SID_PREFIX);
        policy.deny_issued_before(aws.latest());
        if let Some(moment) = policy.issued_before() {
            aws.wait_past(moment).await;
        }
        let ended = role.clone();
        self.credentials.sessions.invalidate(move |key| key.parts().call.role == ended);
        drop(held);
        let denied = iam.write(policy).await?;
        self.credentials.metrics.revoked();
        Ok(EndedSessions { policy_name: iam.policy_name.clone(), sessions, denied })
    }
}
