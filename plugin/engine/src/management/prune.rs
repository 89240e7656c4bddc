//! What denies nothing any more leaves the IAM roles, by Vault's tick.

use std::time::Duration;

use rolesanywhere::RoleArn;
use tokio::time::Instant;
use vault_backend::Fault;

use crate::ground::clock;
use crate::management::denial_policy::{DenialPolicies, Owner};

/// Between two looks at what is over: an hour, less the age of a session that they share, by which they know the time.
const EACH: Duration = Duration::from_mins(50);
/// A tick has other work too.
const MAX_DURATION: Duration = Duration::from_secs(30);

impl DenialPolicies {
    /// Takes out of IAM roles what denies nothing any more, each hour. Faults are logged, and it is tried again.
    pub(crate) async fn prune(&self, owner: Owner<'_>) -> Result<(), Fault> {
        let Ok(mut pruned) = self.pruned.try_lock() else { return Ok(()) };
        if pruned.is_some_and(|pruned: Instant| pruned.elapsed() < EACH) {
            return Ok(());
        }
        *pruned = Some(Instant::now());
        let began = Instant::now();
        for denials in self.store.denials().await? {
            if denials.until > clock::now().unix_timestamp() {
                continue;
            }
            if began.elapsed() > MAX_DURATION {
                break;
            }
            match Box::pin(self.prune_role(owner, &denials.role_arn)).await {
                Ok(Pruned::Done) => {}
                Ok(Pruned::NotNow) => {
                    *pruned = None;
                    break;
                }
                Err(fault) => {
                    tracing::warn!(role_arn = %denials.role_arn, "denials that are over could not be taken out: {fault}");
                }
            }
        }
        Ok(())
    }

    async fn prune_role(&self, owner: Owner<'_>, role: &RoleArn) -> Result<Pruned, Fault> {
        let Some((mut iam, now)) = self.open_if_idle(owner, role).await? else {
            return Ok(Pruned::NotNow);
        };
        let mut policy = iam.read().await?;
        policy.prune(now);
        // Not checked in IAM afterwards: a revocation may be waiting for this turn.
        iam.put(&policy).await?;
        Ok(Pruned::Done)
    }
}

enum Pruned {
    Done,
    /// A revocation is under way, which comes first: the next tick goes on.
    NotNow,
}
