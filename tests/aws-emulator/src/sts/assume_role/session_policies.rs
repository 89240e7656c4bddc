//! Session policies, and the packed size of policies and tags together.

use serde_json::Value;

use super::{parameters::Asked, tags::Tags};
use crate::{
    policy::IdentityPolicy,
    rules::{Refusal, Rule},
    state::State,
};

/// Characters that make 100 percent. AWS documents no density of its packed form; policies of 736 and 1,690 characters were seen to take 82 and
/// 157 percent.
const PACKED_LIMIT: usize = 1024;

/// The inline policy must parse, before anything is asked of the role's account.
pub(super) fn check_inline(asked: &Asked) -> Result<(), Refusal> {
    let Some(text) = &asked.policy else { return Ok(()) };
    let parsed = IdentityPolicy::parse(&Value::String(text.clone()));
    parsed.map(drop).map_err(|error| Refusal::new(Rule::AssumeRolePolicy, error.to_string()))
}

/// The inline policy and the managed ones, which must be of the role's account or AWS's own. Each is one that the state has.
pub(super) fn collect(asked: &Asked, account: &State) -> Result<Vec<Value>, Refusal> {
    let managed = |arn: &String| {
        account
            .managed_policies
            .get(arn)
            .cloned()
            .ok_or_else(|| Refusal::member(Rule::AssumeRolePolicyArn, arn))
    };
    let inline = asked.policy.iter().map(|text| Ok(Value::String(text.clone())));
    inline.chain(asked.policy_arns.iter().map(managed)).collect()
}

/// The percentage of the packed size; `None` for a session without policies and tags, whose answer has none.
pub(super) fn packed_percent(asked: &Asked, tags: &Tags) -> Result<Option<usize>, Refusal> {
    let policy =
        asked.policy.as_ref().map_or(0, |text| text.chars().filter(|one| !one.is_whitespace()).count());
    let policies = policy + asked.policy_arns.iter().map(String::len).sum::<usize>();
    let used = policies + tags.values.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    let percent = (used * 100).div_ceil(PACKED_LIMIT);
    let rule = if policies > 0 { Rule::AssumeRolePacked } else { Rule::AssumeRolePackedTags };
    match percent {
        0 => Ok(None),
        1..=100 => Ok(Some(percent)),
        _ => Err(Refusal::new(rule, format!("{used} characters")).fill("percent", &percent.to_string())),
    }
}
