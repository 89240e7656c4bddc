//! The trust anchor and the profile of a call of Roles Anywhere, and the rules about them and the IAM role.
//!
//! AWS accepts the three only in one account, which belongs to one partition, and anchor and profile only in one region (Roles
//! Anywhere user guide).

use rolesanywhere::{Partition, ProfileArn, RoleArn, TrustAnchorArn};
use vault_backend::Fault;

/// The trust anchor and the profile of one call: both are in one region and one account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Anchorage {
    pub(crate) trust_anchor: TrustAnchorArn,
    pub(crate) profile: ProfileArn,
}

/// An ARN and the field that holds it, which an error names.
pub(crate) struct InField<'a, T> {
    pub(crate) field: &'static str,
    pub(crate) arn: &'a T,
}

/// The account and the partition of an anchor or a profile, and the field that holds its ARN.
pub(crate) struct Home<'a> {
    field: &'static str,
    account: &'a str,
    partition: Partition,
}

impl<'a, T> InField<'a, T> {
    pub(crate) fn new(field: &'static str, arn: &'a T) -> Self {
        Self { field, arn }
    }
}

impl<'a> From<&InField<'a, TrustAnchorArn>> for Home<'a> {
    fn from(InField { field, arn }: &InField<'a, TrustAnchorArn>) -> Self {
        Self { field, account: arn.account(), partition: arn.partition() }
    }
}

impl<'a> From<&InField<'a, ProfileArn>> for Home<'a> {
    fn from(InField { field, arn }: &InField<'a, ProfileArn>) -> Self {
        Self { field, account: arn.account(), partition: arn.partition() }
    }
}

impl Anchorage {
    /// Returns the pair.
    ///
    /// # Errors
    /// Those of [`check_pair`].
    pub(crate) fn new(
        anchor: &InField<'_, TrustAnchorArn>,
        profile: &InField<'_, ProfileArn>,
    ) -> Result<Self, Fault> {
        check_pair(anchor, profile)?;
        Ok(Self { trust_anchor: anchor.arn.clone(), profile: profile.arn.clone() })
    }
}

/// Checks that an anchor and a profile are in one region and one account, because Roles Anywhere accepts no other pair.
///
/// # Errors
/// The caller's, with both fields and their values.
pub(crate) fn check_pair(
    anchor: &InField<'_, TrustAnchorArn>,
    profile: &InField<'_, ProfileArn>,
) -> Result<(), Fault> {
    let (InField { field: anchor_field, arn: anchor }, InField { field: profile_field, arn: profile }) =
        (anchor, profile);
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

/// Checks that an IAM role is of the account and partition of the ARN at `home`. IAM roles have no region.
///
/// # Errors
/// The caller's, with both fields and their values.
pub(crate) fn check_account<'a>(role: &InField<'_, RoleArn>, home: impl Into<Home<'a>>) -> Result<(), Fault> {
    let InField { field: role_field, arn: role } = role;
    let Home { field, account, partition } = home.into();
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
