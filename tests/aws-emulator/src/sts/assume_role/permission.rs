//! The permissions of a hop: what the caller's own policies allow, and whom the role's trust policy admits.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>: in two accounts both sides must
//! allow it. In one account a trust policy that names the caller's role or the session itself is enough on its own.

use super::{Hop, parameters::Asked};
use crate::{
    access::{self, Layer},
    caller::Caller,
    policy::{Effect, Fact, Facts, Named, Principal, TrustPolicy},
    rules::{Refusal, Rule},
    state::Role,
    world::Inner,
};

/// What the caller's account says of one action.
pub(super) struct OwnSide {
    action: &'static str,
    seen: Vec<(Layer, Effect)>,
}

/// The actions of a hop. Source identity and transitive tags of the caller need their permission as passed ones do.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>
fn actions(hop: &Hop) -> Vec<&'static str> {
    let identity = hop.source_identity.as_ref().map(|_| "sts:SetSourceIdentity");
    let tags = (!hop.tags.values.is_empty()).then_some("sts:TagSession");
    ["sts:AssumeRole"].into_iter().chain(identity).chain(tags).collect()
}

/// The facts that both sides may test.
pub(super) fn facts(inner: &Inner, caller: &Caller, asked: &Asked, hop: &Hop) -> Facts {
    caller
        .facts(&inner.state, inner.now())
        .with(Fact::ResourceAccount, &asked.account)
        .with(Fact::RequestedRegion, &inner.state.region)
        .with(Fact::SessionName, &asked.session_name)
        .with_some(Fact::ExternalId, asked.external_id.clone())
        .with_some(Fact::AssumedSourceIdentity, hop.source_identity.clone())
        .with_request_tags(asked.tags.values.clone(), asked.tags.transitive.clone())
}

/// What the caller's policies say of each action.
pub(super) fn own_side(inner: &Inner, caller: &Caller, asked: &Asked, hop: &Hop) -> Vec<OwnSide> {
    let one = |action: &'static str| {
        let wanted = access::Asked {
            action: action.to_owned(),
            resource: asked.role_arn.clone(),
            named: asked.role_arn.clone(),
            region: inner.state.region.clone(),
            boundary: None,
        };
        OwnSide { action, seen: access::verdicts(inner, caller, &wanted, &hop.facts) }
    };
    actions(hop).into_iter().map(one).collect()
}

/// Every action must be allowed. The first that is not gives the refusal its name.
pub(super) fn check(role: &Role, asked: &Asked, hop: &Hop, own: &[OwnSide]) -> Result<(), Refusal> {
    let policy = TrustPolicy::parse(&role.trust_policy);
    let policy = policy
        .map_err(|error| refusal(Rule::AssumeRoleDenied, "sts:AssumeRole", asked, hop, &error.to_string()))?;
    own.iter().try_for_each(|side| {
        let trusted = policy.evaluate(&hop.principal, side.action, &hop.facts);
        decide(hop.account == asked.account, &side.seen, trusted).map_err(|denied| match denied {
            Denied::Explicit(layer) => refusal(Rule::AssumeRoleDeny, side.action, asked, hop, layer)
                .fill("why", &format!("with an explicit deny in a{layer}")),
            Denied::Trust(detail) => refusal(Rule::AssumeRoleDenied, side.action, asked, hop, &detail),
            Denied::Own(layer) => {
                refusal(Rule::AssumeRoleCaller, side.action, asked, hop, &format!("no {layer} allows it"))
            }
        })
    })
}

/// The refusal of a role that is not there, which AWS words as that of one that trusts nobody.
pub(super) fn no_role(asked: &Asked, hop: &Hop) -> Refusal {
    refusal(Rule::AssumeRoleDenied, "sts:AssumeRole", asked, hop, "no such role")
}

fn refusal(rule: Rule, action: &str, asked: &Asked, hop: &Hop, detail: &str) -> Refusal {
    Refusal::new(rule, format!("{action}: {detail}"))
        .fill("caller", &hop.caller)
        .fill("action", action)
        .fill("role", &asked.role_arn)
}

#[derive(Debug, PartialEq, Eq)]
enum Denied {
    /// With the rest of AWS's article before it, as in "a resource-based policy", "an identity-based policy".
    Explicit(&'static str),
    Trust(String),
    Own(&'static str),
}

/// Whether both sides allow an action.
fn decide(
    in_one_account: bool,
    own: &[(Layer, Effect)],
    trusted: Result<Named, (Rule, String)>,
) -> Result<(), Denied> {
    if let Some((layer, _)) = own.iter().find(|(_, effect)| *effect == Effect::Denies) {
        return Err(Denied::Explicit(match layer {
            Layer::Identity => "n identity-based policy",
            Layer::Boundary => " permissions boundary",
            Layer::Session => " session policy",
        }));
    }
    let named = trusted.map_err(|(rule, detail)| match rule {
        Rule::ExplicitDeny => Denied::Explicit(" resource-based policy"),
        _ => Denied::Trust(detail),
    })?;
    let needed = |layer: Layer| match named {
        _ if !in_one_account => true,
        Named::Account => true,
        Named::Role => layer != Layer::Identity,
        Named::Caller => false,
    };
    match own.iter().find(|(layer, effect)| *effect == Effect::Silent && needed(*layer)) {
        Some((layer, _)) => Err(Denied::Own(layer.name())),
        None => Ok(()),
    }
}

/// The caller as a trust policy names it.
pub(super) fn principal(caller: &Caller, account: &str) -> Principal {
    match caller {
        Caller::User(_) => Principal::User(caller.arn(account)),
        Caller::Session(session) => Principal::Session {
            role_arn: session.role_arn.clone(),
            session_arn: session.shown.assumed_role_arn.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(identity: Effect, boundary: Effect) -> [(Layer, Effect); 2] {
        [(Layer::Identity, identity), (Layer::Boundary, boundary)]
    }

    #[test]
    fn in_two_accounts_both_sides_must_allow_it() {
        let silent = own(Effect::Silent, Effect::Allows);
        let allowed = own(Effect::Allows, Effect::Allows);

        assert_eq!(decide(false, &silent, Ok(Named::Caller)), Err(Denied::Own("identity-based policy")));
        assert_eq!(decide(false, &allowed, Ok(Named::Account)), Ok(()));
        let untrusted = Err((Rule::TrustPolicyAction, "nobody".to_owned()));
        assert_eq!(decide(false, &allowed, untrusted), Err(Denied::Trust("nobody".to_owned())));
    }

    #[test]
    fn in_one_account_the_naming_of_the_trust_policy_decides_which_side_is_asked() {
        let silent = own(Effect::Silent, Effect::Silent);
        let bounded = own(Effect::Silent, Effect::Allows);

        assert_eq!(decide(true, &bounded, Ok(Named::Account)), Err(Denied::Own("identity-based policy")));
        assert_eq!(decide(true, &bounded, Ok(Named::Role)), Ok(()));
        assert_eq!(decide(true, &silent, Ok(Named::Role)), Err(Denied::Own("permissions boundary")));
        assert_eq!(decide(true, &silent, Ok(Named::Caller)), Ok(()));
    }

    #[test]
    fn a_deny_of_either_side_wins() {
        let denied = own(Effect::Denies, Effect::Allows);
        let allowed = own(Effect::Allows, Effect::Allows);
        let deny = Err((Rule::ExplicitDeny, String::new()));

        assert_eq!(
            decide(true, &denied, Ok(Named::Caller)),
            Err(Denied::Explicit("n identity-based policy"))
        );
        assert_eq!(decide(false, &allowed, deny), Err(Denied::Explicit(" resource-based policy")));
    }
}
