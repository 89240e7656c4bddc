//! The parameters of `AssumeRole`, each within the bounds of the API's model.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::ops::RangeInclusive;

use super::tags::Tags;
use crate::{
    arn::Arn,
    create_session::parameters::{SESSION_NAME, is_session_name},
    query::{Member, Parameters},
    rules::{Refusal, Rule},
};

const KNOWN: [&str; 8] = [
    "Action",
    "Version",
    "RoleArn",
    "RoleSessionName",
    "DurationSeconds",
    "ExternalId",
    "SourceIdentity",
    "Policy",
];
const LISTS: [&str; 3] = ["PolicyArns", "Tags", "TransitiveTagKeys"];

/// The default of `DurationSeconds`.
const DEFAULT_SECONDS: u32 = 3600;
const MAX_POLICY_ARNS: usize = 10;
const EXTERNAL_ID: &str = "[\\w+=,.@:\\/-]*";
const POLICY: &str = "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+";

/// The requested session.
pub(super) struct Asked {
    pub(super) role_arn: String,
    /// The account of the role.
    pub(super) account: String,
    pub(super) session_name: String,
    /// 900-43200.
    pub(super) seconds: u32,
    pub(super) external_id: Option<String>,
    pub(super) source_identity: Option<String>,
    /// The text of an inline session policy.
    pub(super) policy: Option<String>,
    /// Managed session policies.
    pub(super) policy_arns: Vec<String>,
    pub(super) tags: Tags,
}

impl Asked {
    pub(super) fn read(parameters: &Parameters) -> Result<Asked, Refusal> {
        if let Some(name) = parameters.other_than(&KNOWN, &LISTS) {
            return Err(Refusal::member(Rule::AssumeRoleParameter, name));
        }
        let role_arn = required(parameters, "RoleArn")?;
        within("roleArn", &role_arn, 20..=2048)?;
        let arn =
            Arn::parse(&role_arn).filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
        let arn = arn.ok_or_else(|| Refusal::new(Rule::AssumeRoleArn, &role_arn))?;
        let session_name = required(parameters, "RoleSessionName")?;
        is_name("roleSessionName", &session_name)?;
        Ok(Asked {
            role_arn,
            account: arn.account,
            session_name,
            seconds: seconds(parameters)?,
            external_id: external_id(parameters)?,
            source_identity: source_identity(parameters)?,
            policy: policy(parameters)?,
            policy_arns: policy_arns(parameters)?,
            tags: Tags::read(parameters)?,
        })
    }
}

fn required(parameters: &Parameters, name: &str) -> Result<String, Refusal> {
    let value = given(parameters, name)?.filter(|value| !value.is_empty());
    value.map(str::to_owned).ok_or_else(|| Refusal::member(Rule::AssumeRoleMissing, &member(name)))
}

fn given<'a>(parameters: &'a Parameters, name: &str) -> Result<Option<&'a str>, Refusal> {
    parameters.one(name, Rule::AssumeRoleBounds)
}

/// The members of a list.
pub(super) fn members(parameters: &Parameters, list: &str, longest: usize) -> Result<Vec<Member>, Refusal> {
    let members = parameters.members(list, Rule::AssumeRoleBounds)?;
    if members.len() > longest {
        let constraint = format!("Member must have length less than or equal to {longest}");
        return Err(bounds(&member(list), &format!("{} members", members.len()), &constraint));
    }
    Ok(members)
}

/// `RoleSessionName` as `roleSessionName`: so STS names a member in its errors.
fn member(parameter: &str) -> String {
    format!("{}{}", parameter[..1].to_lowercase(), &parameter[1..])
}

pub(super) fn bounds(member: &str, value: &str, constraint: &str) -> Refusal {
    Refusal::constraint(Rule::AssumeRoleBounds, member, value, constraint)
}

/// Whether the value has so many characters.
pub(super) fn within(member: &str, value: &str, lengths: RangeInclusive<usize>) -> Result<(), Refusal> {
    let length = value.chars().count();
    let broken = if length < *lengths.start() {
        format!("greater than or equal to {}", lengths.start())
    } else if length > *lengths.end() {
        format!("less than or equal to {}", lengths.end())
    } else {
        return Ok(());
    };
    Err(bounds(member, value, &format!("Member must have length {broken}")))
}

pub(super) fn pattern(member: &str, value: &str, pattern: &str) -> Refusal {
    bounds(member, value, &format!("Member must satisfy regular expression pattern: {pattern}"))
}

/// 2-64 of `[\w+=,.@-]`.
fn is_name(member: &str, value: &str) -> Result<(), Refusal> {
    within(member, value, 2..=64)?;
    if is_session_name(value) { Ok(()) } else { Err(pattern(member, value, SESSION_NAME)) }
}

fn seconds(parameters: &Parameters) -> Result<u32, Refusal> {
    let Some(text) = given(parameters, "DurationSeconds")? else { return Ok(DEFAULT_SECONDS) };
    let broken = match text.parse::<i64>() {
        Ok(seconds) if (900..=43_200).contains(&seconds) => {
            return Ok(u32::try_from(seconds).unwrap_or(DEFAULT_SECONDS));
        }
        Ok(seconds) if seconds > 43_200 => "Member must have value less than or equal to 43200",
        Ok(_) => "Member must have value greater than or equal to 900",
        Err(_) => "Member must be a number",
    };
    Err(bounds("durationSeconds", text, broken))
}

fn external_id(parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let Some(id) = given(parameters, "ExternalId")? else { return Ok(None) };
    within("externalId", id, 2..=1224)?;
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_+=,.@:/-".contains(character);
    if id.chars().all(allowed) {
        Ok(Some(id.to_owned()))
    } else {
        Err(pattern("externalId", id, EXTERNAL_ID))
    }
}

fn source_identity(parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let Some(identity) = given(parameters, "SourceIdentity")? else { return Ok(None) };
    is_name("sourceIdentity", identity)?;
    Ok(Some(identity.to_owned()))
}

fn policy(parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let Some(policy) = given(parameters, "Policy")? else { return Ok(None) };
    within("policy", policy, 1..=2048)?;
    let allowed = |character: char| "\t\n\r".contains(character) || (' '..='\u{ff}').contains(&character);
    if policy.chars().all(allowed) {
        Ok(Some(policy.to_owned()))
    } else {
        Err(pattern("policy", policy, POLICY))
    }
}

fn policy_arns(parameters: &Parameters) -> Result<Vec<String>, Refusal> {
    let members = members(parameters, "PolicyArns", MAX_POLICY_ARNS)?;
    let arn = |(at, member): (usize, &Member)| {
        let name = format!("policyArns.{}.member.arn", at + 1);
        match (member.get("arn"), member.len()) {
            (Some(arn), 1) => within(&name, arn, 20..=2048).map(|()| arn.clone()),
            _ => Err(Refusal::member(Rule::AssumeRoleMissing, &name)),
        }
    };
    members.iter().enumerate().map(arn).collect()
}
