//! Records of the IAM roles that hold a denial policy of this mount, and how long each is needed.

use rolesanywhere::RoleArn;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// An IAM role whose inline policy denies sessions. Stored as `denials/<account>.<role's name>`, see [`name_of`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Denials {
    pub(crate) role_arn: RoleArn,
    /// When the policy is needed no longer, in seconds since 1970: every session that it denies has ended by then. Vault's tick
    /// then prunes it.
    pub(crate) until: i64,
}

impl Denials {
    /// A record of `role_arn`; a fraction of a second of `until` is cut off.
    pub(crate) fn new(role_arn: RoleArn, until: OffsetDateTime) -> Self {
        Self { role_arn, until: until.unix_timestamp() }
    }

    /// Returns the last part of the record's storage key.
    pub(crate) fn name(&self) -> String {
        name_of(&self.role_arn)
    }
}

/// Returns `<account>.<role's name>`, the last part of the storage key of an IAM role's record.
///
/// The name is unique in its account, whatever the role's path. IAM lets a name hold `..`, which Vault allows in no storage key,
/// so every `..` becomes `.%2E`, also that of the dot behind the account and one at the start of the name. No IAM name holds `%`,
/// so two names never get one key.
pub(crate) fn name_of(role: &RoleArn) -> String {
    format!("{}.{}", role.account(), role.name()).replace("..", ".%2E")
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
