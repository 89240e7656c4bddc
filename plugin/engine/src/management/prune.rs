//! Removes denials that are over from the IAM roles, in Vault's tick.

use std::time::Duration;

use rolesanywhere::RoleArn;
use tokio::time::Instant;
use vault_backend::Fault;

use crate::ground::clock;
use crate::management::denial_policy::{DenialPolicies, Owner};

/// The time between two removals: an hour, less the age of the engine's session that they share. It tells them AWS's time, and
/// may be ten minutes old.
const EACH: Duration = Duration::from_mins(50);
/// No further IAM role is begun after this time, because a tick has other work too.
const MAX_DURATION: Duration = Duration::from_secs(30);

impl DenialPolicies {
    /// Removes the entries that deny nothing any more from this mount's policies, about each hour, and deletes a policy without
    /// entries.
    ///
    /// A fault of one IAM role is logged, and the role is tried again in the next round. A tick that finds another one at this
    /// work does nothing.
    ///
    /// # Errors
    /// Storage's, if the records cannot be read.
    pub(crate) async fn prune(&self, owner: Owner<'_>) -> Result<(), Fault> {
        let Ok(mut pruned) = self.pruned.try_lock() else { return Ok(()) };
        if pruned.is_some_and(|pruned: Instant| pruned.elapsed() < EACH) {
            return Ok(());
        }
        let began = Instant::now();
        // Before the time is noted: after a fault of storage the next tick tries again.
        let records = self.store.denials().await?;
        *pruned = Some(began);
        for denials in records {
            if denials.until > clock::now().unix_timestamp() {
                continue;
            }
            if began.elapsed() > MAX_DURATION {
                *pruned = None;
                break;
            }
            match Box::pin(self.prune_role(owner, &denials.role_arn)).await {
                Ok(Pruned::Done) => {}
                Ok(Pruned::NotNow) => {
                    *pruned = None;
                    break;
                }
                Err(fault) => {
                    tracing::warn!(role_arn = %denials.role_arn, "could not remove expired denials: {fault}");
                }
            }
        }
        Ok(())
    }

    /// Removes the expired entries of one IAM role, by AWS's clock. Its record in storage goes with the last entry.
    async fn prune_role(&self, owner: Owner<'_>, role: &RoleArn) -> Result<Pruned, Fault> {
        let Some((mut iam, now)) = self.open_if_idle(owner, role).await? else {
            return Ok(Pruned::NotNow);
        };
        let mut policy = iam.read().await?;
        policy.prune(now);
        // not read back afterwards, because a revocation may be waiting for this turn
        iam.put(&policy).await?;
        Ok(Pruned::Done)
    }
}

/// Whether the work on one IAM role was done.
enum Pruned {
    Done,
    /// A revocation is under way and comes first. The next tick tries again.
    NotNow,
}
