//! The needs of an operation: its action, its resource, and its group's quota.

use super::{Account, Input};
use crate::{
    access::{self, Asked},
    rules::{Refusal, Rule},
};

/// The APIs that share a quota of AWS's.
pub(super) fn group(operation: &str) -> &'static str {
    match operation {
        "TagResource" | "UntagResource" | "ListTagsForResource" => "tagging",
        _ if operation.contains("Crl") => "crls",
        _ if operation.contains("TrustAnchor") || operation.contains("Notification") => "anchors",
        _ => "profiles",
    }
}

/// The ARN that a policy must name; `*` for operations that make or list resources.
pub(super) fn resource(account: &Account<'_>, operation: &str, input: &Input) -> Result<String, Refusal> {
    let kind = match operation {
        "TagResource" | "UntagResource" => return input.required("resourceArn"),
        "ListTagsForResource" => return input.parameter("resourceArn"),
        "PutNotificationSettings" | "ResetNotificationSettings" => {
            return Ok(account.state().trust_anchor_arn(&input.required("trustAnchorId")?));
        }
        _ if input.id.is_empty() => return Ok("*".to_owned()),
        _ => match group(operation) {
            "anchors" => "trust-anchor",
            "crls" => "crl",
            _ => "profile",
        },
    };
    Ok(account.state().resource_arn(kind, &input.id))
}

impl Account<'_> {
    /// Whether the caller's policies allow this.
    pub(super) fn may(&self, action: &str, resource: &str) -> Result<(), Refusal> {
        let state = self.state();
        let asked = Asked {
            action: action.to_owned(),
            resource: resource.to_owned(),
            named: resource.to_owned(),
            region: state.region.clone(),
            boundary: None,
        };
        access::decide(self.inner, &self.caller, &asked).map_err(|denial| {
            denial.refusal(Rule::ManagementDenied, &self.caller.arn(&state.account), &asked)
        })
    }

    /// A caller that puts roles into a profile passes them to Roles Anywhere.
    pub(super) fn may_pass(&self, role_arns: &[String]) -> Result<(), Refusal> {
        role_arns.iter().try_for_each(|role| self.may("iam:PassRole", role))
    }
}
