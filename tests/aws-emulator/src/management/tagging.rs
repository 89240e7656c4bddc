//! Tags of anchors, profiles and CRLs: `/TagResource`, `/UntagResource`, `/ListTagsForResource`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Account, Input, not_found, wrong_type};
use crate::{
    http::Reply,
    rules::{Refusal, Rule},
};

/// Tags of one resource.
const LIMIT: usize = 200;

type Tags = BTreeMap<String, String>;

pub(super) fn tag(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let arn = existing(account, &input.required("resourceArn")?)?;
    if !input.body.contains_key("tags") {
        return Err(Refusal::member(Rule::Missing, "tags"));
    }
    let mut tags = account.state().tags.get(&arn).cloned().unwrap_or_default();
    tags.extend(given(input)?);
    account.change().tags.insert(arn, within_limit(tags)?);
    Ok(Reply::json(201, &json!({})))
}

pub(super) fn untag(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let arn = existing(account, &input.required("resourceArn")?)?;
    let keys = input.body.get("tagKeys").ok_or_else(|| Refusal::member(Rule::Missing, "tagKeys"))?;
    let keys: Vec<String> =
        serde_json::from_value(keys.clone()).map_err(|_| wrong_type("tagKeys", "a list of strings"))?;
    account.change().tags.entry(arn).or_default().retain(|key, _| !keys.contains(key));
    Ok(Reply::json(200, &json!({})))
}

pub(super) fn list(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let arn = existing(account, &input.parameter("resourceArn")?)?;
    let tags = account.state().tags.get(&arn).cloned().unwrap_or_default();
    let tags: Vec<Value> = tags.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    Ok(Reply::json(200, &json!({"tags": tags})))
}

/// The member `tags`, each key 1-128 and each value up to 256 of `[ a-zA-Z0-9_.:/=+@-]`.
pub(super) fn given(input: &Input) -> Result<Tags, Refusal> {
    let Some(value) = input.body.get("tags").filter(|value| !value.is_null()) else {
        return Ok(Tags::new());
    };
    let mistyped = || wrong_type("tags", "a list of keys and values");
    let mut tags = Tags::new();
    for tag in value.as_array().ok_or_else(mistyped)? {
        let key = tag["key"].as_str().ok_or_else(mistyped)?;
        let value = tag["value"].as_str().ok_or_else(mistyped)?;
        check("key", key, 1, 128)?;
        check("value", value, 0, 256)?;
        tags.insert(key.to_owned(), value.to_owned());
    }
    within_limit(tags)
}

fn check(member: &str, text: &str, shortest: usize, longest: usize) -> Result<(), Refusal> {
    let allowed =
        text.chars().all(|character| character.is_ascii_alphanumeric() || " _.:/=+@-".contains(character));
    let constraint = if !allowed {
        "Member must satisfy regular expression pattern: ^[ a-zA-Z0-9_.:/=+@-]*$".to_owned()
    } else if (shortest..=longest).contains(&text.len()) {
        return Ok(());
    } else {
        format!("Member must have length between {shortest} and {longest}")
    };
    Err(Refusal::constraint(Rule::ManagementBounds, &format!("tags.{member}"), text, &constraint))
}

fn within_limit(tags: Tags) -> Result<Tags, Refusal> {
    if tags.len() <= LIMIT {
        return Ok(tags);
    }
    Err(Refusal::new(Rule::TooManyResourceTags, format!("{} tags", tags.len())))
}

fn existing(account: &Account<'_>, arn: &str) -> Result<String, Refusal> {
    let state = account.state();
    let anchors = state.trust_anchors.iter().map(|anchor| state.trust_anchor_arn(&anchor.id));
    let profiles = state.profiles.iter().map(|profile| state.profile_arn(&profile.id));
    let crls = state.crls.iter().map(|crl| state.resource_arn("crl", &crl.id));
    let mut all = anchors.chain(profiles).chain(crls);
    all.find(|known| known == arn).ok_or_else(|| not_found("Resource", arn))
}

impl Account<'_> {
    /// Sets the tags of a new resource.
    pub(super) fn tag(&mut self, kind: &str, id: &str, tags: Tags) {
        if !tags.is_empty() {
            let arn = self.state().resource_arn(kind, id);
            self.change().tags.insert(arn, tags);
        }
    }

    /// Removes the tags of a deleted resource.
    pub(super) fn untag(&mut self, kind: &str, id: &str) {
        let arn = self.state().resource_arn(kind, id);
        self.change().tags.remove(&arn);
    }
}
