//! Policy documents: incoming ones are checked and counted, outgoing ones percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::{
    create_session::role_id,
    policy::{IdentityPolicy, PolicyError},
    query::{Parameters, escape},
    rules::{Refusal, Rule},
    state::{Role, State},
};

/// Characters of all inline policies of a role together, without white space; the quota cannot be raised.
const INLINE_LIMIT: usize = 10_240;
/// Characters of `PolicyDocument`.
const DOCUMENT_LIMIT: usize = 131_072;

/// RFC 3986's unreserved characters stay.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `PolicyDocument`, as it was sent, if IAM would accept it beside the role's other policies.
pub(super) fn checked(parameters: &Parameters, role: &Role, policy: &str) -> Result<String, Refusal> {
    let document = parameters.one("PolicyDocument", Rule::IamBounds)?.filter(|text| !text.is_empty());
    let document = document.ok_or_else(|| Refusal::member(Rule::IamMissing, "policyDocument"))?;
    if document.len() > DOCUMENT_LIMIT {
        let constraint = "Member must have length less than or equal to 131072";
        return Err(Refusal::constraint(Rule::IamBounds, "policyDocument", "…", constraint));
    }
    IdentityPolicy::parse(&Value::String(document.to_owned())).map_err(|error| malformed(&error))?;
    let others = role.policies.iter().filter(|(name, _)| name.as_str() != policy);
    let size = counted(document) + others.map(|(_, other)| counted(&text(other))).sum::<usize>();
    if size > INLINE_LIMIT {
        return Err(Refusal::new(Rule::IamLimit, format!("{size} characters")).fill("name", &role.name));
    }
    Ok(document.to_owned())
}

fn counted(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

fn malformed(error: &PolicyError) -> Refusal {
    let words = match error {
        PolicyError::Shape(_) | PolicyError::Date(_) => "Syntax errors in policy.".to_owned(),
        PolicyError::Member(member) if member == "Principal" => {
            "Policy document should not specify a principal.".to_owned()
        }
        PolicyError::Sid(_) => "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*".to_owned(),
        PolicyError::SidTwice(_) => "Statement IDs (SID) in a single policy must be unique.".to_owned(),
        PolicyError::Vendor(_) => {
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned()
        }
        PolicyError::Resource(resource) => {
            format!("Resource {resource} must be in ARN format or \"*\".")
        }
        other => other.to_string(),
    };
    Refusal::new(Rule::IamMalformed, error.to_string()).fill("why", &words)
}

fn text(document: &Value) -> String {
    match document {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    }
}

fn encoded(document: &Value) -> String {
    utf8_percent_encode(&text(document), ENCODED).to_string()
}

/// The inside of `GetRolePolicyResult`.
pub(super) fn role_policy(role: &str, policy: &str, document: &Value) -> String {
    format!(
        "    <RoleName>{}</RoleName>\n    <PolicyName>{}</PolicyName>\n    <PolicyDocument>{}</PolicyDocument>\n",
        escape(role),
        escape(policy),
        encoded(document),
    )
}

/// The inside of `GetRoleResult`.
pub(super) fn role(state: &State, role: &Role, created: &str) -> String {
    let arn = state.role_arn(role);
    let boundary = role.permissions_boundary.as_ref().map_or_else(String::new, |boundary| {
        format!(
            "      <PermissionsBoundary>\n        <PermissionsBoundaryType>Policy</PermissionsBoundaryType>\n        \
             <PermissionsBoundaryArn>{}</PermissionsBoundaryArn>\n      </PermissionsBoundary>\n",
            escape(&boundary.arn),
        )
    });
    format!(
        "    <Role>\n      <Path>{}</Path>\n      <RoleName>{}</RoleName>\n      <RoleId>{}</RoleId>\n      \
         <Arn>{}</Arn>\n      <CreateDate>{created}</CreateDate>\n      \
         <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument>\n      \
         <MaxSessionDuration>{}</MaxSessionDuration>\n{boundary}      <RoleLastUsed/>\n    </Role>\n",
        escape(&role.path),
        escape(&role.name),
        role_id(&arn),
        escape(&arn),
        encoded(&role.trust_policy),
        role.max_session_duration,
    )
}
