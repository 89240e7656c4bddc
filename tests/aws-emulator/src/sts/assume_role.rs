//! STS `AssumeRole` with a long-lived key: the role's trust policy decides, and the session is remembered as any other.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use crate::{
    caller::Caller,
    clock,
    create_session::{
        Credentials, Grant, assumed_role_arn,
        parameters::{SESSION_NAME, is_session_name},
        user_id,
    },
    policy::{Fact, Facts, Principal, TrustPolicy},
    query::{Parameters, escape},
    rules::{Refusal, Rule},
    state::{Role, State},
    world::Inner,
};

const KNOWN: [&str; 5] = ["Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds"];

/// The default of `DurationSeconds`.
const DEFAULT_SECONDS: u32 = 3600;

/// The inside of the XML of a granted session.
pub(super) fn answer(inner: &mut Inner, caller: &Caller, parameters: &Parameters) -> Result<String, Refusal> {
    let asked = Asked::read(parameters)?;
    let grant = grant(&inner.state, caller, &asked)?;
    let credentials = inner.issue(&grant, false);
    Ok(xml(&inner.state, &grant, &credentials))
}

/// The requested session, within its bounds.
struct Asked {
    role_arn: String,
    session_name: String,
    /// 900-43200.
    seconds: u32,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Asked, Refusal> {
        if let Some(name) = parameters.other_than(&KNOWN) {
            return Err(Refusal::member(Rule::AssumeRoleParameter, name));
        }
        let session_name = required(parameters, "RoleSessionName")?;
        if !is_session_name(&session_name) {
            let constraint = format!("Member must satisfy regular expression pattern: {SESSION_NAME}");
            return Err(bounds("RoleSessionName", &session_name, &constraint));
        }
        let seconds = match parameters.one("DurationSeconds", Rule::AssumeRoleBounds)? {
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

fn required(parameters: &Parameters, name: &str) -> Result<String, Refusal> {
    let value = parameters.one(name, Rule::AssumeRoleBounds)?.filter(|value| !value.is_empty());
    value.map(str::to_owned).ok_or_else(|| Refusal::member(Rule::AssumeRoleMissing, name))
}

fn bounds(member: &str, value: &str, constraint: &str) -> Refusal {
    Refusal::constraint(Rule::AssumeRoleBounds, member, value, constraint)
}

fn grant(state: &State, caller: &Caller, asked: &Asked) -> Result<Grant, Refusal> {
    let denied = |who: &str, detail: String| {
        Refusal::new(Rule::AssumeRoleDenied, detail).fill("caller", who).fill("role", &asked.role_arn)
    };
    let user = match caller {
        Caller::User(_) => caller.arn(&state.account),
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
    let policy = TrustPolicy::parse(&role.trust_policy)
        .map_err(|error| (Rule::AssumeRoleDenied, error.to_string()))?;
    let facts = Facts::default().with(Fact::SessionName, session_name);
    policy.evaluate(&Principal::User(user.to_owned()), "sts:AssumeRole", &facts)
}

fn xml(state: &State, grant: &Grant, credentials: &Credentials) -> String {
    format!(
        "    <AssumedRoleUser>\n      <AssumedRoleId>{}</AssumedRoleId>\n      <Arn>{}</Arn>\n    </AssumedRoleUser>\n    \
         <Credentials>\n      <AccessKeyId>{}</AccessKeyId>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <SessionToken>{}</SessionToken>\n      <Expiration>{}</Expiration>\n    </Credentials>\n",
        escape(&user_id(&grant.role_arn, &grant.session_name)),
        escape(&assumed_role_arn(&state.account, grant)),
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        clock::seconds(credentials.expiration),
    )
}
