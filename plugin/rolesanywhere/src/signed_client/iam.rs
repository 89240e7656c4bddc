//! Roles and their inline policies in IAM, which knows a role by its name alone, whatever its path.

use serde::Deserialize;
use tokio::time::Instant;

use super::error::CallError;
use super::operation::ApiOperation;
use super::request::UnsignedRequest;
use super::{AnswerReader, SignedClient, xml};
use crate::answer::Answer;
use crate::arn::RoleArn;
use crate::error::{Error, LocalError};
use crate::service::Service;

const VERSION: &str = "2010-05-08";
/// IAM's default, which an answer may omit.
const DEFAULT_MAX_SESSION: u32 = 3600;
/// The largest number of pages that is read. A role has at most 10 managed policies and 10,240 characters of inline
/// ones, so no list needs more.
const MAX_PAGES: usize = 50;

/// A role as IAM stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamRole {
    /// The role's true ARN. Its path may differ from the requested one, because IAM finds roles by name.
    pub arn: RoleArn,
    /// The name without the path.
    pub name: String,
    /// `/`, or `/<path>/`.
    pub path: String,
    /// `AROA…`, the first part of `aws:userid`. A role that is deleted and made again has another.
    pub id: String,
    /// The longest session in seconds, 3600 to 43200.
    pub max_session_duration: u32,
    /// The trust policy's JSON, decoded.
    pub trust_policy: String,
    /// The ARN of the permissions boundary.
    pub permissions_boundary: Option<String>,
}

impl SignedClient {
    /// Reads a role and its trust policy.
    pub async fn get_role(&self, role: &RoleArn) -> Result<IamRole, CallError> {
        self.iam(ApiOperation::GetRole, role, &[], role_of).await
    }

    /// Reads the names of a role's inline policies, all pages within one budget.
    pub async fn list_role_policies(&self, role: &RoleArn) -> Result<Vec<String>, CallError> {
        let operation = ApiOperation::ListRolePolicies;
        let mut names = Vec::new();
        let mut marker: Option<String> = None;
        let began = Instant::now();
        for _ in 0..MAX_PAGES {
            let parameters: Vec<(&str, &str)> = marker.iter().map(|text| ("Marker", text.as_str())).collect();
            let page = self.after(began.elapsed()).iam(operation, role, &parameters, page_of).await?;
            names.extend(page.names);
            marker = page.marker;
            if marker.is_none() {
                return Ok(names);
            }
        }
        let reason = format!("the list of policies has no end after {MAX_PAGES} pages");
        Err(CallError::new(operation, Error::BadAnswer { reason, status: None, request_id: None }))
    }

    /// Reads the JSON of an inline policy, decoded; none if the role has no policy of that name.
    pub async fn get_role_policy(&self, role: &RoleArn, name: &str) -> Result<Option<String>, CallError> {
        let operation = ApiOperation::GetRolePolicy;
        check_name(operation, name)?;
        let answer = self.iam(operation, role, &[("PolicyName", name)], document_of).await;
        answer.map(Some).or_else(|err| if is_about_the_policy(&err) { Ok(None) } else { Err(err) })
    }

    /// Writes an inline policy, or replaces the one of that name.
    ///
    /// All inline policies of a role share 10,240 characters; see [`CallError::is_limit_exceeded`]. IAM needs seconds
    /// to minutes until every service knows the change.
    pub async fn put_role_policy(&self, role: &RoleArn, name: &str, document: &str) -> Result<(), CallError> {
        let operation = ApiOperation::PutRolePolicy;
        check_name(operation, name)?;
        let parameters = [("PolicyName", name), ("PolicyDocument", document)];
        self.iam(operation, role, &parameters, |_| Ok(())).await
    }

    /// Deletes an inline policy. Returns false if the role had none of that name.
    pub async fn delete_role_policy(&self, role: &RoleArn, name: &str) -> Result<bool, CallError> {
        let operation = ApiOperation::DeleteRolePolicy;
        check_name(operation, name)?;
        let answer = self.iam(operation, role, &[("PolicyName", name)], |_| Ok(true)).await;
        answer.or_else(|err| if is_about_the_policy(&err) { Ok(false) } else { Err(err) })
    }

    async fn iam<T: Send>(
        &self,
        operation: ApiOperation,
        role: &RoleArn,
        parameters: &[(&str, &str)],
        read: AnswerReader<T>,
    ) -> Result<T, CallError> {
        let service = Service::iam(&self.channel.settings, role.partition());
        let mut all = vec![("RoleName", role.name())];
        all.extend(parameters);
        self.call(operation, service, UnsignedRequest::form(operation.name(), VERSION, &all), read).await
    }
}

/// IAM's `policyNameType`: 1 to 128 of `[\w+=,.@-]`.
fn check_name(operation: ApiOperation, name: &str) -> Result<(), CallError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let problem = format!("{name:?} is not 1 to 128 letters, digits or characters of _+=,.@-");
    let cause = Error::Local(LocalError::Parameter { field: "policy_name", problem });
    Err(CallError::new(operation, cause))
}

/// IAM also answers `NoSuchEntity` if the role does not exist; only the text tells them apart.
fn is_about_the_policy(err: &CallError) -> bool {
    let of_role = |message: &str| message.contains("role with name");
    err.is_not_found() && matches!(err.cause.as_ref(), Error::Refused { message, .. } if !of_role(message))
}

fn role_of(answer: &Answer<'_>) -> Result<IamRole, String> {
    let wire: GetRole = xml::parse(answer)?;
    let role = wire.result.role;
    let arn: RoleArn = role.arn.parse().map_err(|err| format!("Arn {err}"))?;
    Ok(IamRole {
        arn,
        name: role.role_name,
        path: role.path,
        id: role.role_id,
        max_session_duration: role.max_session_duration.unwrap_or(DEFAULT_MAX_SESSION),
        trust_policy: decoded(&role.assume_role_policy_document.unwrap_or_default())?,
        permissions_boundary: role.permissions_boundary.and_then(|boundary| boundary.arn),
    })
}

struct Page {
    names: Vec<String>,
    marker: Option<String>,
}

fn page_of(answer: &Answer<'_>) -> Result<Page, String> {
    let wire: ListRolePolicies = xml::parse(answer)?;
    let marker = wire.result.marker.filter(|_| wire.result.is_truncated);
    if wire.result.is_truncated && marker.is_none() {
        return Err("the list is cut short without a marker".to_owned());
    }
    Ok(Page { names: wire.result.policy_names.member, marker })
}

fn document_of(answer: &Answer<'_>) -> Result<String, String> {
    let wire: GetRolePolicy = xml::parse(answer)?;
    decoded(&wire.result.policy_document)
}

/// IAM writes documents with percent signs (RFC 3986), so a plus stays a plus.
fn decoded(document: &str) -> Result<String, String> {
    let text = percent_encoding::percent_decode_str(document).decode_utf8();
    text.map(Into::into).map_err(|_| "the policy document is not UTF-8".to_owned())
}

#[derive(Deserialize)]
struct GetRole {
    #[serde(rename = "GetRoleResult")]
    result: GetRoleResult,
}

#[derive(Deserialize)]
struct GetRoleResult {
    #[serde(rename = "Role")]
    role: RoleWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleWire {
    arn: String,
    role_name: String,
    path: String,
    role_id: String,
    max_session_duration: Option<u32>,
    assume_role_policy_document: Option<String>,
    permissions_boundary: Option<Boundary>,
}

#[derive(Deserialize)]
struct Boundary {
    #[serde(rename = "PermissionsBoundaryArn")]
    arn: Option<String>,
}

#[derive(Deserialize)]
struct ListRolePolicies {
    #[serde(rename = "ListRolePoliciesResult")]
    result: ListResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListResult {
    #[serde(default)]
    policy_names: Members,
    #[serde(default)]
    is_truncated: bool,
    marker: Option<String>,
}

#[derive(Deserialize, Default)]
struct Members {
    #[serde(default)]
    member: Vec<String>,
}

#[derive(Deserialize)]
struct GetRolePolicy {
    #[serde(rename = "GetRolePolicyResult")]
    result: PolicyResult,
}

#[derive(Deserialize)]
struct PolicyResult {
    #[serde(rename = "PolicyDocument")]
    policy_document: String,
}
