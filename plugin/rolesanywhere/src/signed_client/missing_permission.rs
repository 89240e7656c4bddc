//! The permission that AWS's text of an `AccessDenied` names.

use std::fmt;

use super::operation::ApiOperation;

/// A permission that the signer does not have.
///
/// AWS writes `User: <arn> is not authorized to perform: <action> on resource: <resource> because <reason>`, with each part
/// after the action left out at times. <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPermission {
    /// Such as `iam:PutRolePolicy`: the action that AWS names, else the one that the call needs.
    pub action: String,
    /// The object of the action: an ARN, or `role <name>`.
    pub resource: Option<String>,
    /// The denied principal, as an ARN.
    pub principal: Option<String>,
    /// Such as `no identity-based policy allows the iam:PutRolePolicy action`, or an explicit deny somewhere.
    pub reason: Option<String>,
}

impl MissingPermission {
    /// Returns the missing permission if a refusal of this kind and text is about one.
    pub(super) fn of(operation: ApiOperation, kind: &str, message: &str) -> Option<Self> {
        let Some((before, after)) = message.split_once("not authorized to perform: ") else {
            return is_denial(kind).then(|| Self::unnamed(operation));
        };
        let action = word(after);
        let known = action.split_once(':').is_some_and(|(service, name)| is_name(service) && is_name(name));
        let reason = after.split_once(" because ").or_else(|| after.split_once(" with an "));
        let explicit = !after.contains(" because ") && after.contains(" with an ");
        Some(Self {
            action: if known { action.to_owned() } else { operation.action().to_owned() },
            resource: after.split_once(" on resource: ").map(|(_, rest)| until_reason(rest)),
            principal: before.split_once("User: ").map(|(_, rest)| word(rest).to_owned()),
            reason: reason.map(|(_, text)| if explicit { format!("an {text}") } else { text.to_owned() }),
        })
    }

    fn unnamed(operation: ApiOperation) -> Self {
        Self { action: operation.action().to_owned(), resource: None, principal: None, reason: None }
    }
}

impl fmt::Display for MissingPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the permission {} is missing", self.action)?;
        self.resource.as_ref().map_or(Ok(()), |resource| write!(f, " on {resource}"))
    }
}

fn is_denial(kind: &str) -> bool {
    matches!(kind, "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized")
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Up to the first space or comma; a full stop ends the sentence, not the word.
fn word(text: &str) -> &str {
    let end = text.find([' ', ',']).unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// A resource may have a space in it (`role demo`), so it ends where the reason begins.
fn until_reason(text: &str) -> String {
    let ends = [" because ", " with an "].iter().filter_map(|mark| text.find(mark));
    text[..ends.min().unwrap_or(text.len())].trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> MissingPermission {
        MissingPermission::of(ApiOperation::PutRolePolicy, "AccessDenied", message).unwrap()
    }

    #[test]
    fn the_permission_and_what_it_is_missing_on_are_kept() {
        let denied = of(
            "User: arn:aws:sts::111122223333:assumed-role/keeper/0a is not authorized to perform: \
             iam:PutRolePolicy on resource: role demo because no identity-based policy allows the iam:PutRolePolicy action",
        );

        assert_eq!(denied.action, "iam:PutRolePolicy");
        assert_eq!(denied.resource.as_deref(), Some("role demo"));
        assert_eq!(denied.principal.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/keeper/0a"));
        let reason = "no identity-based policy allows the iam:PutRolePolicy action";
        assert_eq!(denied.reason.as_deref(), Some(reason));
        assert_eq!(denied.to_string(), "the permission iam:PutRolePolicy is missing on role demo");
    }

    #[test]
    fn an_explicit_deny_is_told_as_the_reason() {
        let denied =
            of("User: u is not authorized to perform: iam:PutRolePolicy on resource: role demo with an \
             explicit deny in a permissions boundary");

        assert_eq!(denied.resource.as_deref(), Some("role demo"));
        assert_eq!(denied.reason.as_deref(), Some("an explicit deny in a permissions boundary"));
    }

    #[test]
    fn a_text_that_ends_after_the_action_is_enough() {
        assert_eq!(of("User: u is not authorized to perform: iam:GetRole.").action, "iam:GetRole");
        assert_eq!(of("User: u is not authorized to perform: iam:GetRole").resource, None);
    }

    #[test]
    fn a_denial_without_a_text_names_what_the_call_needs() {
        assert_eq!(of("").action, "iam:PutRolePolicy");
        assert_eq!(of("User: u is not authorized to perform: <b>").action, "iam:PutRolePolicy");
    }

    #[test]
    fn another_refusal_is_about_no_permission() {
        assert_eq!(
            MissingPermission::of(ApiOperation::GetRole, "NoSuchEntity", "The role cannot be found."),
            None
        );
    }
}
