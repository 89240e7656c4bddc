//! The trust anchor and the profile of a call of Roles Anywhere, and the rules about them and the IAM role.
//!
//! AWS accepts the three only in one account, which belongs to one partition, and anchor and profile only in one region (Roles
//! Anywhere user guide).

use rolesanywhere::{Partition, ProfileArn, RoleArn, TrustAnchorArn};
use vault_backend::Fault;

/// The trust anchor and the profile of one call: both are in one region and one account.
#[derive(Clone, Debug)]
pub(crate) struct Anchorage {
    pub(crate) trust_anchor: TrustAnchorArn,
    pub(crate) profile: ProfileArn,
}

/// Checks that an anchor and a profile, each with its field, are in one region and one account, because Roles Anywhere accepts no
/// other pair.
///
/// # Errors
/// The caller's, with both fields and their values.
pub(crate) fn same_place(
    (anchor_field, anchor): (&str, &TrustAnchorArn),
    (profile_field, profile): (&str, &ProfileArn),
) -> Result<(), Fault> {
    if anchor.region() != profile.region() {
        return Err(Fault::caller(format!(
            "{profile_field}: {profile} is in region {}, but {anchor_field} is in {}; both must be in one region",
            profile.region(),
            anchor.region()
        )));
    }
    if anchor.account() != profile.account() {
        return Err(Fault::caller(format!(
            "{profile_field}: {profile} is in account {}, but {anchor_field} is in {}; both must be in one account",
            profile.account(),
            anchor.account()
        )));
    }
    Ok(())
}

/// Checks that an IAM role, with its field, is of the account and partition of the ARN that `field` holds. IAM roles have no
/// region.
///
/// # Errors
/// The caller's, with both fields and their values.
pub(crate) fn same_account(
    (role_field, role): (&str, &RoleArn),
    (field, account, partition): (&str, &str, Partition),
) -> Result<(), Fault> {
    if role.partition() != partition {
        return Err(Fault::caller(format!(
            "{role_field}: {role} is in partition {}, but {field} is in {partition}; no account is in both",
            role.partition()
        )));
    }
    if role.account() != account {
        return Err(Fault::caller(format!(
            "{role_field}: {role} is in account {}, but {field} is in {account}; Roles Anywhere needs both in one account",
            role.account()
        )));
    }
    Ok(())
}
