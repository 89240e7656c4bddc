//! Where a call of Roles Anywhere happens: a trust anchor and a profile, beside an IAM role.
//!
//! AWS takes them together only in one account, which is of one partition, and anchor and profile in one region
//! (Roles Anywhere user guide).

use rolesanywhere::{Partition, ProfileArn, RoleArn, TrustAnchorArn};
use vault_backend::Fault;

/// The trust anchor and the profile of one call: one region, one account.
#[derive(Clone, Debug)]
pub(crate) struct Anchorage {
    pub(crate) trust_anchor: TrustAnchorArn,
    pub(crate) profile: ProfileArn,
}

/// Refuses an anchor and a profile of different regions or accounts: Roles Anywhere takes no such pair.
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

/// Refuses an IAM role of another account or partition than what `field` names.
pub(crate) fn same_account(
    (role_field, role): (&str, &RoleArn),
    (field, account, partition): (&str, &str, Partition),
) -> Result<(), Fault> {
    if role.partition() != partition {
        return Err(Fault::caller(format!(
            "{role_field}: {role} is of the partition {}, but {field} is of {partition}; no account is of both",
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
