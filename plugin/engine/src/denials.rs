//! Which IAM roles hold a denial of this mount, and until when it matters: what is over leaves them, by Vault's tick.

use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::RoleArn;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;
use vault_backend::Fault;

use crate::Engine;
use crate::clock;
use crate::revocation::{self, Owner};

/// Between two looks at what is over.
const EACH: Duration = Duration::from_hours(1);
/// A tick has other work too.
const LONGEST: Duration = Duration::from_secs(30);

/// An IAM role whose inline policy denies sessions. Stored as `denials/<account>.<role's name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Denials {
    pub(crate) role_arn: RoleArn,
    /// Seconds since 1970.
    until: i64,
}

impl Denials {
    pub(crate) fn new(role_arn: RoleArn, until: OffsetDateTime) -> Self {
        Self { role_arn, until: until.unix_timestamp() }
    }

    /// The last part of its key.
    pub(crate) fn name(&self) -> String {
        name_of(&self.role_arn)
    }
}

/// A role's name is its own in its account, whatever its path.
pub(crate) fn name_of(role: &RoleArn) -> String {
    format!("{}.{}", role.account(), role.name())
}

/// Takes out of IAM roles what denies nothing any more, once an hour. Faults are logged, and it is tried again.
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
        if let Err(fault) = Box::pin(tidy_role(engine, owner, &denials.role_arn)).await {
            tracing::warn!(role_arn = %denials.role_arn, "denials that are over could not be taken out: {fault}");
        }
    }
    Ok(())
}

async fn tidy_role(engine: &Arc<Engine>, owner: Owner<'_>, role: &RoleArn) -> Result<(), Fault> {
    let mut iam = revocation::revoker(engine, owner, role).await?;
    let mut policy = iam.read().await?;
    let now = iam.now();
    policy.prune(now);
    iam.write(policy).await?;
    Ok(())
}
