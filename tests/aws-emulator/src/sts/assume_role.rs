//! STS `AssumeRole` with a long-lived key: the role's trust policy decides, and the session is remembered as any other.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use super::{Caller, VERSION, escape, management_arn};
use crate::{
    clock,
    create_session::{
        Credentials, Grant, assumed_role_arn,
        parameters::{SESSION_NAME, is_session_name},
        policy::{Facts, Policy, Principal},
        role_id,
    },
    rules::{Refusal, Rule},
    state::{Role, State},
    world::World,
};

const KNOWN: [&str; 5] = ["Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds"];

/// Without `DurationSeconds`.
const DEFAULT_SECONDS: u32 = 3600;

/// The XML of a granted session.
pub(super) fn answer(
    world: &World,
    state: &State,
    caller: &Caller,
    parameters: &[(String, String)],
    request_id: &str,
) -> Result<String, Refusal> {
    let asked = Asked::read(parameters)?;
    let grant = grant(state, caller, &asked)?;
    let credentials = world.lock().issue(&grant, false);
    Ok(xml(state, &grant, &credentials, request_id))
}

/// What is asked for, within its bounds.
struct Asked {
    role_arn: String,
    session_name: String,
    /// 900-43200.
    seconds: u32,
}

impl Asked {
    fn read(parameters: &[(String, String)]) -> Result<Asked, Refusal> {
        if let Some((name, _)) = parameters.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            return Err(Refusal::member(Rule::AssumeRoleParameter, name));
        }
        let session_name = required(parameters, "RoleSessionName")?;
        if !is_session_name(&session_name) {
            let constraint = format!("Member must satisfy regular expression pattern: {SESSION_NAME}");
            return Err(bounds("RoleSessionName", &session_name, &constraint));
        }
        let seconds = match one(parameters, "DurationSeconds")? {
            None => DEFAULT_SECONDS,
            Some(text) => {
                text.parse().ok().filter(|seconds| (900..=43_200).contains(seconds)).ok_or_else(|| {
                    bounds("DurationSeconds", text, "Member must have value between 900 and 43200")
                })?
            }
        };
        Ok(Asked { role_arn: required(parameters, "RoleArn")?, session_name, seconds })
    }
}

fn required(parameters: &[(String, String)], name: &str) -> Result<String, Refusal> {
    let value = one(parameters, name)?.filter(|value| !value.is_empty());
    value.map(str::to_owned).ok_or_else(|| Refusal::member(Rule::AssumeRoleMissing, name))
}

fn one<'a>(parameters: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = parameters.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (_, Some(second)) => Err(bounds(name, second, "Member must be given once")),
        (first, None) => Ok(first),
    }
}

fn bounds(member: &str, value: &str, constraint: &str) -> Refusal {
    Refusal::constraint(Rule::AssumeRoleBounds, member, value, constraint)
}

fn grant(state: &State, caller: &Caller, asked: &Asked) -> Result<Grant, Refusal> {
    let denied = |who: &str, detail: String| {
        Refusal::new(Rule::AssumeRoleDenied, detail).fill("caller", who).fill("role", &asked.role_arn)
    };
    let user = match caller {
        Caller::ManagementKey(_) => management_arn(&state.account),
        Caller::Session(session) => {
            return Err(denied(&session.shown.assumed_role_arn, "role chaining".to_owned()));
        }
    };
    let role = state.roles.iter().find(|role| state.role_arn(role) == asked.role_arn);
    let role = role.ok_or_else(|| denied(&user, "no such role".to_owned()))?;
    trusts(role, &user, &asked.session_name).map_err(|(_, detail)| denied(&user, detail))?;
    if asked.seconds > role.max_session_duration {
        let detail = format!("{} s, the role allows {} s", asked.seconds, role.max_session_duration);
        return Err(Refusal::new(Rule::AssumeRoleTooLong, detail));
    }
    Ok(Grant {
        role_arn: asked.role_arn.clone(),
        role_name: role.name.clone(),
        session_name: asked.session_name.clone(),
        seconds: asked.seconds,
        ..Grant::default()
    })
}

fn trusts(role: &Role, user: &str, session_name: &str) -> Result<(), (Rule, String)> {
    let policy =
        Policy::parse(&role.trust_policy).map_err(|error| (Rule::AssumeRoleDenied, error.to_string()))?;
    let facts = Facts { session_name: session_name.to_owned(), ..Facts::default() };
    policy.evaluate(&Principal::User(user.to_owned()), "sts:AssumeRole", &facts)
}

fn xml(state: &State, grant: &Grant, credentials: &Credentials, request_id: &str) -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\">\n  <AssumeRoleResult>\n    \
         <AssumedRoleUser>\n      <AssumedRoleId>{}</AssumedRoleId>\n      <Arn>{}</Arn>\n    </AssumedRoleUser>\n    \
         <Credentials>\n      <AccessKeyId>{}</AccessKeyId>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <SessionToken>{}</SessionToken>\n      <Expiration>{}</Expiration>\n    </Credentials>\n  </AssumeRoleResult>\n  \
         <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n</AssumeRoleResponse>\n",
        escape(&format!("{}:{}", role_id(&grant.role_arn), grant.session_name)),
        escape(&assumed_role_arn(&state.account, grant)),
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        clock::seconds(credentials.expiration),
    )
}
