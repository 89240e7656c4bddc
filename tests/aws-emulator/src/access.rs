//! Whether a caller may perform an action: identity policies, permissions boundary and session policy, evaluated as AWS does.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    caller::Caller,
    policy::{Effect, Fact, Facts, IdentityPolicy},
    rules::{Refusal, Rule},
    world::Inner,
};

/// The action that a caller requests.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `service:Operation`.
    pub(crate) action: String,
    /// An ARN, or `*` for an action that has no resource.
    pub(crate) resource: String,
    /// The resource's name in a refusal; IAM says `role <name>`.
    pub(crate) named: String,
    /// `aws:RequestedRegion`.
    pub(crate) region: String,
    /// `iam:PermissionsBoundary`.
    pub(crate) boundary: Option<String>,
}

/// The reason of a refusal. Its text is the end of AWS's sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    Explicit(Layer),
    Implicit(Layer, String),
}

/// The kinds of policy that must all allow a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Identity,
    Boundary,
    Session,
}

impl std::fmt::Display for Denial {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Denial::Explicit(Layer::Identity) => {
                out.write_str("with an explicit deny in an identity-based policy")
            }
            Denial::Explicit(layer) => write!(out, "with an explicit deny in a {}", layer.name()),
            Denial::Implicit(layer, action) => {
                write!(out, "because no {} allows the {action} action", layer.name())
            }
        }
    }
}

impl Layer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Layer::Identity => "identity-based policy",
            Layer::Boundary => "permissions boundary",
            Layer::Session => "session policy",
        }
    }
}

impl Denial {
    /// The refusal that a service sends: complete, with the name of the resource.
    pub(crate) fn refusal(&self, rule: Rule, who: &str, asked: &Asked) -> Refusal {
        Refusal::new(rule, format!("{} on {}: {self}", asked.action, asked.resource))
            .fill("caller", who)
            .fill("action", &asked.action)
            .fill("resource", &asked.named)
            .fill("why", &self.to_string())
    }
}

/// Any Deny decides. Otherwise each kind of policy that the caller has must allow the action.
pub(crate) fn decide(inner: &Inner, caller: &Caller, asked: &Asked) -> Result<(), Denial> {
    let seen = verdicts(inner, caller, asked, &facts(inner, caller, asked));
    if let Some((layer, _)) = seen.iter().find(|(_, effect)| *effect == Effect::Denies) {
        return Err(Denial::Explicit(*layer));
    }
    match seen.iter().find(|(_, effect)| *effect == Effect::Silent) {
        Some((layer, _)) => Err(Denial::Implicit(*layer, asked.action.clone())),
        None => Ok(()),
    }
}

/// What each kind of policy that the caller has says.
pub(crate) fn verdicts(inner: &Inner, caller: &Caller, asked: &Asked, facts: &Facts) -> Vec<(Layer, Effect)> {
    let effect = |policies: &[Value]| {
        policies.iter().map(|policy| effect(policy, asked, facts)).max().unwrap_or(Effect::Silent)
    };
    layers(inner, caller).iter().map(|(layer, policies)| (*layer, effect(policies))).collect()
}

/// A session policy of the profile that is not evaluated allows nothing.
fn effect(policy: &Value, asked: &Asked, facts: &Facts) -> Effect {
    IdentityPolicy::parse(policy)
        .map_or(Effect::Silent, |policy| policy.effect(&asked.action, &asked.resource, facts))
}

fn facts(inner: &Inner, caller: &Caller, asked: &Asked) -> Facts {
    let facts = caller
        .facts(&inner.state, inner.now())
        .with(Fact::RequestedRegion, &asked.region)
        .with_some(Fact::Boundary, asked.boundary.clone());
    facts.with_resource_tags(inner.state.tags.get(&asked.resource).cloned().unwrap_or_default())
}

/// The policies that apply to the caller; none for a user who may do everything.
fn layers(inner: &Inner, caller: &Caller) -> Vec<(Layer, Vec<Value>)> {
    let values = |policies: BTreeMap<String, Value>| policies.into_values().collect();
    let session = match caller {
        Caller::Session(session) => session,
        Caller::User(user) => {
            let policies = user.policies.clone().map(|policies| (Layer::Identity, values(policies)));
            return policies.into_iter().collect();
        }
    };
    let state = &inner.state;
    let role = state.roles.iter().find(|role| state.role_arn(role) == session.role_arn);
    let identity = role.map(|role| inner.policies_in_force(role)).unwrap_or_default();
    let boundary = role.and_then(|role| role.permissions_boundary.clone());
    let mut layers = vec![(Layer::Identity, values(identity))];
    layers.extend(boundary.map(|boundary| (Layer::Boundary, vec![boundary.policy])));
    let session = Some(session.session_policies.clone()).filter(|policies| !policies.is_empty());
    layers.extend(session.map(|policies| (Layer::Session, policies)));
    layers
}
