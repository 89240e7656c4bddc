//! Profiles: `/profiles`, `/profile/{id}`.

use serde_json::{Value, json};

use super::{Account, Input, not_found, page, tagging, wrong_type};
use crate::{
    http::Reply,
    rules::{Refusal, Rule},
    state::{AttributeMappings, Profile},
};

/// Seconds; AWS's bounds and default.
const SHORTEST: u32 = 900;
const LONGEST: u32 = 43_200;
const DEFAULT: u32 = 3600;

pub(super) fn create(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let mut profile = Profile {
        id: String::new(),
        name: input.required_name()?,
        enabled: input.flag("enabled")?.unwrap_or(false),
        role_arns: role_arns(input)?.ok_or_else(|| Refusal::member(Rule::Missing, "roleArns"))?,
        duration_seconds: duration(account, input)?.unwrap_or(DEFAULT),
        accept_role_session_name: input.flag("acceptRoleSessionName")?.unwrap_or(false),
        attribute_mappings: Some(AttributeMappings::everything()),
        session_policy: session_policy(input)?,
    };
    let tags = tagging::given(input)?;
    account.may_pass(&profile.role_arns)?;
    profile.id = account.new_id();
    let id = profile.id.clone();
    account.tag("profile", &id, tags);
    account.change().profiles.push(profile);
    reply(account, 201, &id)
}

pub(super) fn update(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let (name, roles, seconds) = (input.name()?, role_arns(input)?, duration(account, input)?);
    let (accept, policy) = (input.flag("acceptRoleSessionName")?, session_policy(input)?);
    account.may_pass(roles.as_deref().unwrap_or_default())?;
    edit(account, &input.id, |profile| {
        profile.name = name.unwrap_or_else(|| profile.name.clone());
        profile.role_arns = roles.unwrap_or_else(|| profile.role_arns.clone());
        profile.duration_seconds = seconds.unwrap_or(profile.duration_seconds);
        profile.accept_role_session_name = accept.unwrap_or(profile.accept_role_session_name);
        profile.session_policy = policy.or_else(|| profile.session_policy.clone());
    })
}

pub(super) fn enable(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    edit(account, &input.id, |profile| profile.enabled = true)
}

pub(super) fn disable(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    edit(account, &input.id, |profile| profile.enabled = false)
}

pub(super) fn get(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    reply(account, 200, &input.id)
}

pub(super) fn list(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let all: Vec<Value> = account.state().profiles.iter().map(|profile| detail(account, profile)).collect();
    page(input, "profiles", all)
}

pub(super) fn delete(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let gone = reply(account, 200, &input.id)?;
    account.change().profiles.retain(|profile| profile.id != input.id);
    account.untag("profile", &input.id);
    Ok(gone)
}

pub(super) fn edit(
    account: &mut Account<'_>,
    id: &str,
    change: impl FnOnce(&mut Profile),
) -> Result<Reply, Refusal> {
    let profile = account.change().profiles.iter_mut().find(|profile| profile.id == id);
    change(profile.ok_or_else(|| not_found("Profile", id))?);
    account.touch(id);
    reply(account, 200, id)
}

fn reply(account: &Account<'_>, status: u16, id: &str) -> Result<Reply, Refusal> {
    let profile = account.state().profiles.iter().find(|profile| profile.id == id);
    let profile = profile.ok_or_else(|| not_found("Profile", id))?;
    Ok(Reply::json(status, &json!({"profile": detail(account, profile)})))
}

fn detail(account: &Account<'_>, profile: &Profile) -> Value {
    let mut detail = json!({
        "profileId": profile.id,
        "profileArn": account.state().profile_arn(&profile.id),
        "name": profile.name,
        "enabled": profile.enabled,
        "roleArns": profile.role_arns,
        "durationSeconds": profile.duration_seconds,
        "acceptRoleSessionName": profile.accept_role_session_name,
        "attributeMappings": mappings(profile),
    });
    match &profile.session_policy {
        Some(Value::String(text)) => detail["sessionPolicy"] = json!(text),
        Some(policy) => detail["sessionPolicy"] = json!(policy.to_string()),
        None => {}
    }
    account.with_times(&profile.id, detail)
}

fn mappings(profile: &Profile) -> Value {
    let all = profile.attribute_mappings.clone().unwrap_or_else(AttributeMappings::everything);
    let fields =
        [("x509Subject", all.x509_subject), ("x509Issuer", all.x509_issuer), ("x509SAN", all.x509_san)];
    let field = |(name, specifiers): (&str, Vec<String>)| {
        let rules: Vec<Value> = specifiers.iter().map(|specifier| json!({"specifier": specifier})).collect();
        json!({"certificateField": name, "mappingRules": rules})
    };
    fields.into_iter().filter(|(_, specifiers)| !specifiers.is_empty()).map(field).collect()
}

/// 0-250 role ARNs.
fn role_arns(input: &Input) -> Result<Option<Vec<String>>, Refusal> {
    let Some(value) = input.body.get("roleArns") else { return Ok(None) };
    let arns: Option<Vec<String>> =
        value.as_array().and_then(|arns| arns.iter().map(|arn| arn.as_str().map(str::to_owned)).collect());
    let arns = arns.ok_or_else(|| wrong_type("roleArns", "a list of strings"))?;
    if arns.len() > 250 {
        let constraint = "Member must have length less than or equal to 250";
        return Err(Refusal::constraint(
            Rule::ManagementBounds,
            "roleArns",
            &arns.len().to_string(),
            constraint,
        ));
    }
    Ok(Some(arns))
}

fn duration(account: &Account<'_>, input: &Input) -> Result<Option<u32>, Refusal> {
    let Some(value) = input.body.get("durationSeconds").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let seconds = value.as_i64().ok_or_else(|| wrong_type("durationSeconds", "an integer"))?;
    let shortest = account.inner.knobs.min_duration_override_seconds.unwrap_or(SHORTEST).max(1);
    match u32::try_from(seconds) {
        Ok(fits) if (shortest..=LONGEST).contains(&fits) => Ok(Some(fits)),
        _ => {
            let constraint = if seconds > i64::from(LONGEST) {
                format!("Member must have value less than or equal to {LONGEST}")
            } else {
                format!("Member must have value greater than or equal to {shortest}")
            };
            Err(Refusal::constraint(
                Rule::ManagementBounds,
                "durationSeconds",
                &seconds.to_string(),
                &constraint,
            ))
        }
    }
}

fn session_policy(input: &Input) -> Result<Option<Value>, Refusal> {
    let Some(text) = input.text("sessionPolicy")? else { return Ok(None) };
    if serde_json::from_str::<Value>(&text).is_ok_and(|policy| policy.is_object()) {
        return Ok(Some(Value::String(text)));
    }
    let constraint = "Member must be a JSON policy document";
    Err(Refusal::constraint(Rule::ManagementBounds, "sessionPolicy", "…", constraint))
}
