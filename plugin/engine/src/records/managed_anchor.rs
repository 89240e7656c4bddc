//! A trust anchor that the engine may manage, and the IAM roles that it assumes for that.

use rolesanywhere::{ProfileArn, RoleArn, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use strum::VariantArray;
use vault_backend::{Fault, Values};

use crate::records::anchorage::{InField, check_account, check_pair};
use crate::records::document::document;

/// The duties of the engine at AWS besides CreateSession. Each has an IAM role of its own, so none has the permissions of
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Duty {
    /// Reads the trust anchor and writes its bundle.
    TrustAnchor,
    /// Writes one inline policy into IAM roles.
    Revocation,
    /// Reads anchor, profile and the trust policies of IAM roles.
    Check,
}

document! {
    /// It is stored as `trust-anchor/<name>`, and a read returns the same JSON. Anchor and profile are in one region and account,
    /// and each IAM role in that account.
    #[expect(clippy::struct_field_names, reason = "the names are those of the API")]
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct ManagedAnchor {
        pub(crate) trust_anchor_arn: TrustAnchorArn,
        /// The profile of the engine's own sessions in this account and region.
        pub(crate) profile_arn: ProfileArn,
        /// The IAM role of [`Duty::TrustAnchor`]. Without it the engine does not write the bundle of this anchor.
        #[serde(skip_serializing_if = "Option::is_none")]
        management_role_arn: Option<RoleArn>,
        /// The IAM role of [`Duty::Revocation`].
        #[serde(skip_serializing_if = "Option::is_none")]
        revocation_role_arn: Option<RoleArn>,
        /// The IAM role of [`Duty::Check`].
        #[serde(skip_serializing_if = "Option::is_none")]
        check_role_arn: Option<RoleArn>,
    }
}

impl Duty {
    /// Returns the field that names the IAM role of this duty.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::TrustAnchor => "management_role_arn",
            Self::Revocation => "revocation_role_arn",
            Self::Check => "check_role_arn",
        }
    }

    /// Returns the CN of the engine's certificate for this duty. The trust policy of the IAM role has its condition on this CN
    /// and the reserved O, [`identity::MANAGEMENT`].
    pub(crate) fn common_name(self) -> &'static str {
        self.into()
    }
}

impl ManagedAnchor {
    /// Reads a whole entry.
    ///
    /// # Errors
    /// The caller's: an ARN is missing or malformed, or the ARNs are of different regions, accounts or partitions.
    pub(crate) fn from_values(values: &Values) -> Result<Self, Fault> {
        let anchor = Self::from_fields(values)?;
        anchor.check()?;
        Ok(anchor)
    }

    /// Returns the IAM role for `duty`; `None` where the engine may not do it with this anchor.
    pub(crate) fn role(&self, duty: Duty) -> Option<&RoleArn> {
        match duty {
            Duty::TrustAnchor => self.management_role_arn.as_ref(),
            Duty::Revocation => self.revocation_role_arn.as_ref(),
            Duty::Check => self.check_role_arn.as_ref(),
        }
    }

    /// Checks that AWS can take the ARNs together in one call.
    fn check(&self) -> Result<(), Fault> {
        let anchor = InField::new("trust_anchor_arn", &self.trust_anchor_arn);
        check_pair(&anchor, &InField::new("profile_arn", &self.profile_arn))?;
        for duty in Duty::VARIANTS {
            if let Some(role) = self.role(*duty) {
                check_account(&InField::new(duty.field(), role), &anchor)?;
            }
        }
        Ok(())
    }
}
