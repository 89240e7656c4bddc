//! Judges the IAM role's trust policy: whether it admits this certificate, and which others. No I/O.

use std::collections::BTreeMap;
use std::fmt::Display;

use rolesanywhere::trust_policy::{Finding, lint, mismatches};
use rolesanywhere::{IamRole, RoleArn, TrustAnchorArn};

use super::asking::CallOutcome;
use super::link::Link;
use super::looking::Observed;
use super::subject::CheckedRole;
use super::verdict::{Clue, Cure, Verdict};

/// What the policy's conditions are compared with.
pub(super) struct Shown {
    /// The session's tags by name.
    pub(super) tags: BTreeMap<String, String>,
    /// The names of tags that the certificate would give and the profile does not map. A condition on one of these cannot hold.
    pub(super) unmapped: Vec<String>,
    /// The session's source identity, `CN=<common name>`.
    pub(super) source_identity: String,
}

/// Judges the trust policy. AWS's own decision outranks what the text says: after a session, findings are warnings at most. Only
/// if there is no session are the policy's conditions compared with `shown`.
pub(super) fn lets_in(
    anchor: &TrustAnchorArn,
    looked: &Observed<IamRole>,
    subject: CheckedRole<'_>,
    shown: Option<&Shown>,
    asked: &CallOutcome,
) -> Verdict {
    let went_through = matches!(asked, CallOutcome::Issued(_));
    let role = subject.role;
    let seen = match looked {
        Observed::Seen(seen) => seen,
        Observed::NotThere => {
            let seen = format!("IAM has no role {}", role.role_arn);
            return Verdict::broken(seen, find(subject)).with_clue(Clue::NoSuchRole);
        }
        Observed::Unread(why) if went_through => {
            return Verdict::ok(format!(
                "the policy admits this certificate; whether it admits others was not checked ({why})"
            ));
        }
        Observed::Unread(why) => return Verdict::not_checked(why),
    };
    if seen.arn != role.role_arn {
        return Verdict::broken(
            format!("the role of this name is {}, not {}", seen.arn, role.role_arn),
            format!(
                "write its full ARN with the path, and list that ARN in the profile: {}",
                name_role(subject, &seen.arn)
            ),
        )
        .with_clue(Clue::NoSuchRole);
    }
    let unmet = match shown {
        Some(shown) if !went_through => mismatches(&seen.trust_policy, &shown.tags, &shown.source_identity),
        _ => Vec::new(),
    };
    let found = lint(&seen.trust_policy, anchor);
    let verdicts = found.iter().map(|finding| of(finding, went_through, &role.role_arn));
    let other_text = format!("{}; or change the role to match the policy", cure(&role.role_arn));
    // Such a condition is cured in the profile, not in the policy.
    let is_unmapped = |key: &str| {
        let name = key.split_once('/').map_or("", |(_, name)| name);
        shown.is_some_and(|shown| shown.unmapped.iter().any(|one| one.eq_ignore_ascii_case(name)))
    };
    let unmet = unmet.iter().map(|unmet| {
        if is_unmapped(&unmet.key) {
            Verdict::broken(format!("{unmet} (the profile does not map it)"), Cure::Of(Link::SessionTags))
        } else {
            Verdict::broken(unmet, other_text.clone())
        }
    });
    verdicts.chain(unmet).reduce(Verdict::and).unwrap_or_else(|| {
        Verdict::ok("the policy admits only this anchor, and its conditions on the certificate fail if a tag is absent")
    })
}

/// The verdict on one finding.
fn of(finding: &Finding, went_through: bool, role: &RoleArn) -> Verdict {
    if finding.is_broken() && !went_through {
        Verdict::broken(finding, cure(role))
    } else {
        Verdict::warning(finding, cure(role))
    }
}

/// How the trust policy is changed.
fn cure(role: &RoleArn) -> String {
    format!(
        "change the role's trust policy: aws iam update-assume-role-policy --role-name {} --policy-document file://trust.json (vault-config/aws has a strict example)",
        role.name()
    )
}

/// How the right role is found.
fn find(subject: CheckedRole<'_>) -> String {
    format!(
        "list the roles with aws iam list-roles --query 'Roles[].Arn', then write the right ARN: {}",
        name_role(subject, "<arn>")
    )
}

/// The command that names another IAM role.
fn name_role(subject: CheckedRole<'_>, arn: impl Display) -> String {
    format!("vault patch {}roles/{} role_arn={arn}", subject.mount_point, subject.name)
}

/// How to change a policy that refuses this certificate for a reason that AWS does not tell.
pub(super) fn mend(role: &RoleArn, name: &str, mount_point: &str) -> String {
    format!(
        "change the role's trust policy: compare its conditions (aws iam get-role --role-name {}) with the values that AWS receives (vault read {mount_point}preview/{name}); the policy must allow rolesanywhere.amazonaws.com sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity",
        role.name()
    )
}
