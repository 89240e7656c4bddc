//! What denies nothing any more leaves the IAM roles, by Vault's tick.

use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::RoleArn;
use tokio::time::Instant;
use vault_backend::Fault;

use crate::Engine;
use crate::ground::clock;
use crate::management::denial_policy::{self, Owner};

/// Between two looks at what is over: an hour, less the age of a session that they share, by which they know the time.
const EACH: Duration = Duration::from_mins(50);
/// A tick has other work too.
const LONGEST: Duration = Duration::from_secs(30);

/// Takes out of IAM roles what denies nothing any more, each hour. Faults are logged, and it is tried again.
pub(crate) async fn tidy(engine: &Arc<Engine>, owner: Owner<'_>) -> Result<(), Fault> {
    let Ok(mut tidied) = engine.tidied.try_lock() else { return Ok(()) };
    if tidied.is_some_and(|tidied: Instant| tidied.elapsed() < EACH) {
        return Ok(());
    }
    *tidied = Some(Instant::now());
    let began = Instant::now();
    for denials in engine.store.denials().await? {
        if denials.until > clock::now().unix_timestamp() {
            continue;
        }
        if began.elapsed() > LONGEST {
            break;
        }
        match Box::pin(tidy_role(engine, owner, &denials.role_arn)).await {
            Ok(Tidied::Done) => {}
            Ok(Tidied::NotNow) => {
                *tidied = None;
                break;
            }
            Err(fault) => {
                tracing::warn!(role_arn = %denials.role_arn, "denials that are over could not be taken out: {fault}");
            }
        }
    }
    Ok(())
}

enum Tidied {
    Done,
    /// A revocation is under way, which comes first: the next tick goes on.
    NotNow,
}

async fn tidy_role(engine: &Arc<Engine>, owner: Owner<'_>, role: &RoleArn) -> Result<Tidied, Fault> {
    let Some((mut iam, now)) = denial_policy::tidier(engine, owner, role).await? else {
        return Ok(Tidied::NotNow);
    };
    let mut policy = iam.read().await?;
    policy.prune(now);
    // Not checked in IAM afterwards: a revocation may be waiting for this turn.
    iam.put(&policy).await?;
    Ok(Tidied::Done)
}
