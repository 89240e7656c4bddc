//! Which IAM roles hold a denial of this mount, and until when it matters: what is over leaves them, by Vault's tick.

use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::RoleArn;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;
use vault_backend::Fault;

use crate::Engine;
use crate::ground::clock;
use crate::management::denial_policy::{self, Owner};

/// Between two looks at what is over: an hour, less the age of a session that they share, by which they know the time.
const EACH: Duration = Duration::from_mins(50);
/// A tick has other work too.
const LONGEST: Duration = Duration::from_secs(30);

/// An IAM role whose inline policy denies sessions. Stored as `denials/<account>.<role's name>`, see [`name_of`].
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

/// A role's name is its own in its account, whatever its path. IAM lets it hold `..`, which no storage key of Vault's may; no name holds `%`.
pub(crate) fn name_of(role: &RoleArn) -> String {
    format!("{}.{}", role.account(), role.name()).replace("..", ".%2E")
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(role: &str) -> String {
        name_of(&format!("arn:aws:iam::111122223333:role/team/{role}").parse().unwrap())
    }

    #[test]
    fn a_key_is_the_roles_account_and_name_as_earlier_versions_stored_it() {
        assert_eq!((name("app").as_str(), name("a.b").as_str()), ("111122223333.app", "111122223333.a.b"));
    }

    #[test]
    fn roles_with_dots_in_a_row_have_keys_that_vault_takes_and_that_differ() {
        let names = [".a", "..a", "...a", "a..b", "a...b", "a....b", "a.b", "a..", "a..."];

        let keys: std::collections::BTreeSet<String> = names.into_iter().map(name).collect();

        assert_eq!(keys.len(), names.len(), "{keys:?}");
        assert!(keys.iter().all(|key| !key.contains("..")), "{keys:?}");
    }
}
