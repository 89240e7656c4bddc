//! Why STS refused an `AssumeRole`, and what cures it.

use super::error::CallError;
use super::operation::ApiOperation;

/// The kinds of refusal that have cures of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HopRefusal {
    /// The signer's permissions or the trust policy do not allow `sts:AssumeRole`.
    AssumeRole,
    /// One of them does not allow `sts:SetSourceIdentity`, which a signer with a source identity needs.
    SetSourceIdentity,
    /// One of them does not allow `sts:TagSession`, which a request with tags needs.
    TagSession,
    /// The session policies and tags together are over AWS's packed limit.
    TooLarge,
    /// STS does not accept the session policy as a policy.
    Policy,
    /// STS does not grant the requested length.
    Duration,
    /// A parameter is not as STS wants it.
    Parameter,
}

impl HopRefusal {
    /// Which kind of refusal `error` is; none if it is another call's, no refusal, or of an unknown kind.
    pub fn of(error: &CallError) -> Option<Self> {
        if error.operation != ApiOperation::AssumeRole {
            return None;
        }
        if let Some(missing) = &error.missing_permission {
            return match missing.action.as_str() {
                "sts:AssumeRole" => Some(Self::AssumeRole),
                "sts:SetSourceIdentity" => Some(Self::SetSourceIdentity),
                "sts:TagSession" => Some(Self::TagSession),
                _ => None,
            };
        }
        match error.kind()? {
            "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => Some(Self::TooLarge),
            "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => Some(Self::Policy),
            "ValidationError" if error.to_string().contains("DurationSeconds") => Some(Self::Duration),
            "ValidationError" => Some(Self::Parameter),
            _ => None,
        }
    }

    /// The action that is not allowed; none if the refusal is about none.
    pub fn action(self) -> Option<&'static str> {
        match self {
            Self::AssumeRole => Some("sts:AssumeRole"),
            Self::SetSourceIdentity => Some("sts:SetSourceIdentity"),
            Self::TagSession => Some("sts:TagSession"),
            Self::TooLarge | Self::Policy | Self::Duration | Self::Parameter => None,
        }
    }

    /// What it means, and what cures it.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::AssumeRole => {
                "the permissions of the first role, its permissions boundary, an SCP or the target's trust policy do not \
                 allow it: the first role needs sts:AssumeRole on the target's ARN, and the target's trust policy needs a \
                 statement with the first role as its principal whose conditions (sts:ExternalId, aws:PrincipalTag, \
                 sts:DurationSeconds) hold; a target that does not exist is refused in the same words"
            }
            Self::SetSourceIdentity => {
                "the first session has a source identity, which goes along: the first role's permissions and the target's \
                 trust policy must both allow sts:SetSourceIdentity beside sts:AssumeRole"
            }
            Self::TagSession => {
                "a hop with session tags needs sts:TagSession beside sts:AssumeRole, in the first role's permissions and in \
                 the target's trust policy; conditions on aws:RequestTag and aws:TagKeys must hold too, and a tag that is \
                 transitive in the first session cannot be set again"
            }
            Self::TooLarge => {
                "session policies and tags together are over AWS's packed limit, which is below the sum of the bounds of \
                 each: shorten the session policy, name fewer policies, or set fewer tags"
            }
            Self::Policy => "the session policy is JSON, but no policy that IAM accepts",
            Self::Duration => {
                "AWS grants a chained session one hour at most, and a role never more than its own maximum session duration"
            }
            Self::Parameter => "a parameter of the hop is not as STS wants it; AWS's text names it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn of(kind: &str, message: &str) -> Option<HopRefusal> {
        let cause = Error::Refused {
            kind: kind.to_owned(),
            status: 403,
            message: message.to_owned(),
            request_id: None,
            explanation: None,
            clock_skew: None,
        };
        HopRefusal::of(&CallError::new(ApiOperation::AssumeRole, cause))
    }

    #[test]
    fn a_denial_is_told_by_the_action_that_aws_names() {
        for refusal in [HopRefusal::AssumeRole, HopRefusal::SetSourceIdentity, HopRefusal::TagSession] {
            let action = refusal.action().unwrap();
            let text = format!(
                "User: arn:aws:sts::111122223333:assumed-role/hub/01 is not authorized to perform: {action} on resource: \
                 arn:aws:iam::444455556666:role/target"
            );

            assert_eq!(of("AccessDenied", &text), Some(refusal));
        }
    }

    #[test]
    fn sizes_policies_and_lengths_are_told_apart() {
        let limit = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";

        assert_eq!(of("PackedPolicyTooLarge", "Packed size is 120%"), Some(HopRefusal::TooLarge));
        assert_eq!(of("MalformedPolicyDocument", "Syntax errors in policy."), Some(HopRefusal::Policy));
        assert_eq!(of("ValidationError", limit), Some(HopRefusal::Duration));
        assert_eq!(of("ValidationError", "1 validation error detected"), Some(HopRefusal::Parameter));
        assert_eq!(of("ExpiredToken", "The security token included in the request is expired"), None);
    }
}
