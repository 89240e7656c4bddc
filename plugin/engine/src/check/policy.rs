//! The IAM role's trust policy: whether it lets this certificate in, and whom else. No I/O.

use rolesanywhere::trust_policy::{Finding, lint};
use rolesanywhere::{IamRole, RoleArn, TrustAnchorArn};

use super::asking::Asked;
use super::looking::Looked;
use super::verdict::Verdict;
use crate::role::Role;

/// What AWS did is what counts; what the policy says is told beside it.
pub(super) fn lets_in(
    anchor: &TrustAnchorArn,
    looked: &Looked<IamRole>,
    role: &Role,
    asked: &Asked,
) -> Verdict {
    let went_through = matches!(asked, Asked::Issued(_));
    let seen = match looked {
        Looked::Seen(seen) => seen,
        Looked::NotThere => {
            return Verdict::broken(
                format!("there is no role {} in IAM", role.role_arn),
                find(&role.role_arn),
            );
        }
        Looked::Unread(why) if went_through => {
            return Verdict::ok(format!("it lets this certificate in; whom else was not looked at ({why})"));
        }
        Looked::Unread(why) => return Verdict::not_checked(why),
    };
    if seen.arn != role.role_arn {
        return Verdict::broken(
            format!("the role of this name is {}, and not {}", seen.arn, role.role_arn),
            "write its whole ARN, with the path, to role_arn, and let the profile list that",
        );
    }
    let found = lint(&seen.trust_policy, anchor);
    let verdicts = found.iter().map(|finding| of(finding, went_through));
    verdicts.reduce(Verdict::and).unwrap_or_else(|| {
        Verdict::ok("it lets in this anchor alone, and tests the certificate with conditions that fail when a tag is absent")
    })
}

fn of(finding: &Finding, went_through: bool) -> Verdict {
    if finding.is_broken() && !went_through {
        Verdict::broken(finding, CURE)
    } else {
        Verdict::warning(finding, CURE)
    }
}

const CURE: &str = "change the role's trust policy in IAM (aws iam update-assume-role-policy); vault-config/aws has one that is tight";

/// How the right role is found.
pub(super) fn find(role: &RoleArn) -> String {
    format!("aws iam get-role --role-name {}, and write its ARN to role_arn", role.name())
}

/// How a policy is mended that lets this certificate out, for a reason AWS does not tell.
pub(super) fn mend(role: &RoleArn, name: &str, mount_point: &str) -> String {
    format!(
        "change its trust policy: compare its conditions (aws iam get-role --role-name {}) with what it is shown: vault read {mount_point}preview/{name}; it must allow rolesanywhere.amazonaws.com sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity",
        role.name()
    )
}
