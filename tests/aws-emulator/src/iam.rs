//! The part of IAM's Query API for a role's inline policies: `GetRole`, and list, get, put and delete of a role's policies.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>

mod documents;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use crate::{
    access::{self, Asked},
    caller::{Caller, QUERY_API},
    http::{Call, Reply},
    query::{self, Parameters, escape},
    rules::{Refusal, Rule},
    state::Role,
    world::{Inner, World},
};

/// The API's one version.
pub(crate) const VERSION: &str = "2010-05-08";
const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// The region of IAM of the partition `aws`.
const REGION: &str = "us-east-1";
/// The time of creation in answers, because the state has none.
const CREATED: &str = "2026-01-01T00:00:00Z";
/// Without `MaxItems`, which is 1-1000.
const PAGE: usize = 100;

/// A request to IAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    GetRole,
    ListRolePolicies,
    GetRolePolicy,
    PutRolePolicy,
    DeleteRolePolicy,
}

impl Action {
    pub(crate) fn of(parameters: &Parameters) -> Result<Action, Refusal> {
        let all = [
            Action::GetRole,
            Action::ListRolePolicies,
            Action::GetRolePolicy,
            Action::PutRolePolicy,
            Action::DeleteRolePolicy,
        ];
        let asked = parameters.first("Action");
        all.into_iter().find(|action| action.name() == asked).ok_or_else(|| {
            Refusal::new(Rule::StsAction, format!("Action={asked} Version={VERSION}"))
                .fill("action", asked)
                .fill("version", VERSION)
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::GetRole => "GetRole",
            Action::ListRolePolicies => "ListRolePolicies",
            Action::GetRolePolicy => "GetRolePolicy",
            Action::PutRolePolicy => "PutRolePolicy",
            Action::DeleteRolePolicy => "DeleteRolePolicy",
        }
    }
}

/// Checks caller, action and role in AWS's order: signature, parameters, permission, existence.
pub(crate) fn answer(world: &World, call: &Call, action: Action, request_id: &str) -> Result<Reply, Refusal> {
    let mut inner = world.lock();
    let caller = Caller::identify(&inner, call, "iam", QUERY_API)?;
    let parameters = Parameters::of(call);
    let name = name(&parameters, "RoleName", 64)?;
    let policy = match action {
        Action::GetRole | Action::ListRolePolicies => String::new(),
        _ => self::name(&parameters, "PolicyName", 128)?,
    };
    authorize(&inner, &caller, action, &name)?;
    let role = find(&inner, &name)?.clone();
    let visible = inner.visible_policies(&role);
    let result = match action {
        Action::GetRole => documents::role(&inner.state, &role, CREATED),
        Action::ListRolePolicies => list(&visible, &parameters)?,
        Action::GetRolePolicy => {
            let document = visible.get(&policy).ok_or_else(|| no_policy(&policy))?;
            documents::role_policy(&name, &policy, document)
        }
        Action::PutRolePolicy => {
            let document = documents::checked(&parameters, &role, &policy)?;
            change(&mut inner, &role, |policies| {
                policies.insert(policy, Value::String(document));
            })?
        }
        Action::DeleteRolePolicy if !role.policies.contains_key(&policy) => return Err(no_policy(&policy)),
        Action::DeleteRolePolicy => change(&mut inner, &role, |policies| {
            policies.remove(&policy);
        })?,
    };
    Ok(query::response(NAMESPACE, action.name(), &result, request_id))
}

pub(crate) fn refusal(refusal: &Refusal, request_id: &str) -> Reply {
    query::refusal(NAMESPACE, refusal, request_id)
}

fn authorize(inner: &Inner, caller: &Caller, action: Action, name: &str) -> Result<(), Refusal> {
    let state = &inner.state;
    let role = state.roles.iter().find(|role| role.name == name);
    let resource = match role {
        Some(role) => state.role_arn(role),
        None => format!("arn:aws:iam::{}:role/{name}", state.account),
    };
    let boundary = role.and_then(|role| role.permissions_boundary.as_ref());
    let asked = Asked {
        action: format!("iam:{}", action.name()),
        resource,
        named: format!("role {name}"),
        region: REGION.to_owned(),
        boundary: boundary.map(|boundary| boundary.arn.clone()),
    };
    access::decide(inner, caller, &asked)
        .map_err(|denial| denial.refusal(Rule::IamDenied, &caller.arn(&state.account), &asked))
}

/// IAM accepts `[\w+=,.@-]` without a path before it.
fn name(parameters: &Parameters, parameter: &str, longest: usize) -> Result<String, Refusal> {
    let member = format!("{}{}", parameter[..1].to_lowercase(), &parameter[1..]);
    let value = parameters.one(parameter, Rule::IamBounds)?.filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| Refusal::member(Rule::IamMissing, &member))?;
    if !value.chars().all(|character| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character)) {
        return Err(Refusal::member(Rule::IamName, &member));
    }
    if value.len() > longest {
        let constraint = format!("Member must have length less than or equal to {longest}");
        return Err(Refusal::constraint(Rule::IamBounds, &member, value, &constraint));
    }
    Ok(value.to_owned())
}

fn find<'a>(inner: &'a Inner, name: &str) -> Result<&'a Role, Refusal> {
    let role = inner.state.roles.iter().find(|role| role.name == name);
    role.ok_or_else(|| Refusal::new(Rule::IamNoRole, name).fill("name", name))
}

fn no_policy(name: &str) -> Refusal {
    Refusal::new(Rule::IamNoPolicy, name).fill("name", name)
}

/// `MaxItems` names from `Marker` on; the marker is the last name already returned.
fn list(policies: &BTreeMap<String, Value>, parameters: &Parameters) -> Result<String, Refusal> {
    let size = match parameters.one("MaxItems", Rule::IamBounds)? {
        None => PAGE,
        Some(text) => text.parse().ok().filter(|items| (1..=1000).contains(items)).ok_or_else(|| {
            Refusal::constraint(
                Rule::IamBounds,
                "maxItems",
                text,
                "Member must have value between 1 and 1000",
            )
        })?,
    };
    let marker = parameters.one("Marker", Rule::IamBounds)?;
    let after = |name: &&String| marker.is_none_or(|marker| name.as_str() > marker);
    let names: Vec<&String> = policies.keys().filter(after).collect();
    let page = &names[..size.min(names.len())];
    let mut xml = String::from("    <PolicyNames>\n");
    xml.extend(page.iter().map(|name| format!("      <member>{}</member>\n", escape(name))));
    xml.push_str("    </PolicyNames>\n");
    match page.last().filter(|_| page.len() < names.len()) {
        Some(last) => {
            xml.push_str("    <IsTruncated>true</IsTruncated>\n");
            xml.extend(["    <Marker>", &escape(last), "</Marker>\n"]);
        }
        None => xml.push_str("    <IsTruncated>false</IsTruncated>\n"),
    }
    Ok(xml)
}

/// A role under `/aws-service-role/` belongs to AWS. The change is in force after the knob's delay.
fn change(
    inner: &mut Inner,
    role: &Role,
    change: impl FnOnce(&mut BTreeMap<String, Value>),
) -> Result<String, Refusal> {
    if role.path.starts_with("/aws-service-role/") {
        return Err(Refusal::new(Rule::IamProtected, &role.path).fill("name", &role.name));
    }
    inner.keep_in_force(role);
    let roles = &mut Arc::make_mut(&mut inner.state).roles;
    if let Some(role) = roles.iter_mut().find(|known| known.name == role.name) {
        change(&mut role.policies);
    }
    Ok(String::new())
}
