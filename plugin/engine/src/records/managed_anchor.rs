//! A trust anchor that the engine may look after, and the IAM roles with which it does so.

use rolesanywhere::{ProfileArn, RoleArn, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values};

use crate::records::anchorage::{same_account, same_place};

/// What the engine does at AWS beside CreateSession. Each has an IAM role of its own, so that none can do what the others may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Duty {
    /// Reads the trust anchor and writes its bundle.
    TrustAnchor,
    /// Writes one inline policy into IAM roles.
    Revocation,
    /// Reads anchor, profile and the trust policies of IAM roles.
    Check,
}

/// Stored as `trust-anchor/<name>`; its JSON is also what a read answers.
#[expect(clippy::struct_field_names, reason = "the names are those of the API")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManagedAnchor {
    pub(crate) trust_anchor_arn: TrustAnchorArn,
    /// Of the engine's own sessions in this account and region.
    pub(crate) profile_arn: ProfileArn,
    #[serde(skip_serializing_if = "Option::is_none")]
    management_role_arn: Option<RoleArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_role_arn: Option<RoleArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check_role_arn: Option<RoleArn>,
}

impl Duty {
    /// The field that names the IAM role of this duty.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::TrustAnchor => "management_role_arn",
            Self::Revocation => "revocation_role_arn",
            Self::Check => "check_role_arn",
        }
    }

    /// The CN of the engine's certificate. Beside the reserved O it is what that role's trust policy has its condition on.
    pub(crate) fn common_name(self) -> &'static str {
        match self {
            Self::TrustAnchor => "trust-anchor",
            Self::Revocation => "revocation",
            Self::Check => "check",
        }
    }
}

impl ManagedAnchor {
    /// Reads a whole entry.
    pub(crate) fn from_values(values: &Values) -> Result<Self, Fault> {
        let missing = |field: &str| Fault::caller(format!("{field}: missing; give its ARN"));
        let anchor = Self {
            trust_anchor_arn: values.parse("trust_anchor_arn")?.ok_or_else(|| missing("trust_anchor_arn"))?,
            profile_arn: values.parse("profile_arn")?.ok_or_else(|| missing("profile_arn"))?,
            management_role_arn: values.parse(Duty::TrustAnchor.field())?,
            revocation_role_arn: values.parse(Duty::Revocation.field())?,
            check_role_arn: values.parse(Duty::Check.field())?,
        };
        anchor.check()?;
        Ok(anchor)
    }

    /// The IAM role for `duty`, where there is one.
    pub(crate) fn role(&self, duty: Duty) -> Option<&RoleArn> {
        match duty {
            Duty::TrustAnchor => self.management_role_arn.as_ref(),
            Duty::Revocation => self.revocation_role_arn.as_ref(),
            Duty::Check => self.check_role_arn.as_ref(),
        }
    }

    fn check(&self) -> Result<(), Fault> {
        same_place(("trust_anchor_arn", &self.trust_anchor_arn), ("profile_arn", &self.profile_arn))?;
        let anchor = ("trust_anchor_arn", self.trust_anchor_arn.account(), self.trust_anchor_arn.partition());
        for duty in [Duty::TrustAnchor, Duty::Revocation, Duty::Check] {
            if let Some(role) = self.role(duty) {
                same_account((duty.field(), role), anchor)?;
            }
        }
        Ok(())
    }
}
