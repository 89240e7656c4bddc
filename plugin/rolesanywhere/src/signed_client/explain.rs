//! Explanations of refusals by STS, IAM and Roles Anywhere's own API.

use crate::explain::by_text;

/// Explains a refusal if its kind or text is known.
pub(super) fn explain(kind: &str, message: &str) -> Option<&'static str> {
    let by_kind = KINDS.iter().find(|(kinds, _)| kinds.contains(&kind)).map(|(_, meaning)| *meaning);
    by_kind.or_else(|| by_text(message))
}

const KINDS: &[(&[&str], &str)] = &[
    (
        &["ExpiredToken", "ExpiredTokenException"],
        "the session that signed the request has expired; make another one and call again",
    ),
    (
        &["InvalidClientTokenId", "UnrecognizedClientException"],
        "AWS does not know the session that signed the request: it belongs to another partition, or the endpoint is not AWS's",
    ),
    (
        &["SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired"],
        "the signature does not match the request that AWS received: most often this host's clock is off by minutes; \
         otherwise a proxy changes the request, or the endpoint is behind another host name",
    ),
    (
        &["RegionDisabledException"],
        "STS is disabled in this region; an administrator of the account can enable it",
    ),
    (
        &["NoSuchEntity", "NoSuchEntityException"],
        "IAM has no role or no inline policy of that name in this account",
    ),
    (
        &["LimitExceeded", "LimitExceededException"],
        "all inline policies of a role share 10240 characters, white space not counted; remove statements that are not \
         needed, or move them into a managed policy",
    ),
    (&["MalformedPolicyDocument"], "IAM does not accept the policy document"),
    (&["UnmodifiableEntity"], "an AWS service owns the role; nobody else may change its policies"),
    (&["ResourceNotFoundException"], "there is no such trust anchor or profile in this account and region"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_explained_before_a_text() {
        assert!(
            explain("LimitExceeded", "Maximum policy size of 10240 bytes")
                .unwrap()
                .contains("inline policies")
        );
        assert!(
            explain("ValidationException", "Incorrect basic constraints for CA certificate")
                .unwrap()
                .contains("CA:TRUE")
        );
        assert!(explain("InvalidSignatureException", "Signature expired").unwrap().contains("clock"));
    }

    #[test]
    fn what_is_said_of_create_session_is_not_said_of_other_calls() {
        assert_eq!(explain("AccessDeniedException", "User: u is not authorized to perform: x:Y"), None);
    }
}
