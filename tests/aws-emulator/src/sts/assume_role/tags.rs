//! Session tags: those that are passed, and those that come along from the calling session.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>

use std::collections::{BTreeMap, BTreeSet};

use super::parameters::{members, pattern, within};
use crate::{
    create_session::tags::is_tag_value,
    query::{Member, Parameters},
    rules::{Refusal, Rule},
    world::LiveSession,
};

const MAX_TAGS: usize = 50;
const KEY: &str = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+";
const VALUE: &str = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*";
/// Keys that AWS keeps for itself begin so.
const RESERVED: &str = "aws:";

/// The tags of a session, and the keys of those that its own hops inherit.
#[derive(Clone, Debug, Default)]
pub(super) struct Tags {
    pub(super) values: BTreeMap<String, String>,
    pub(super) transitive: Vec<String>,
}

impl Tags {
    /// The tags that a request passes. Keys are compared without regard to case, and are kept as they are.
    pub(super) fn read(parameters: &Parameters) -> Result<Tags, Refusal> {
        let mut tags = Tags::default();
        let mut seen = BTreeSet::new();
        for (at, tag) in members(parameters, "Tags", MAX_TAGS)?.iter().enumerate() {
            let (key, value) = read_tag(at + 1, tag)?;
            if !seen.insert(key.to_lowercase()) {
                return Err(Refusal::new(Rule::AssumeRoleTagTwice, key));
            }
            tags.values.insert(key, value);
        }
        for member in members(parameters, "TransitiveTagKeys", MAX_TAGS)? {
            let key = member.get("").cloned().unwrap_or_default();
            if !seen.contains(&key.to_lowercase()) {
                return Err(Refusal::new(Rule::AssumeRoleTransitive, key));
            }
            tags.transitive.push(key);
        }
        Ok(tags)
    }

    /// These tags and the transitive ones of the calling session, none of which may be passed anew.
    pub(super) fn and_inherited(mut self, caller: &LiveSession) -> Result<Tags, Refusal> {
        for key in &caller.shown.transitive_tag_keys {
            if self.values.keys().any(|own| own.to_lowercase() == key.to_lowercase()) {
                return Err(Refusal::new(Rule::AssumeRoleInherited, key));
            }
        }
        let inherited = |key: &String| {
            let found =
                caller.shown.tags.iter().find(|(known, _)| known.to_lowercase() == key.to_lowercase());
            found.map(|(known, value)| (known.clone(), value.clone()))
        };
        self.values.extend(caller.shown.transitive_tag_keys.iter().filter_map(inherited));
        self.transitive.extend(caller.shown.transitive_tag_keys.iter().cloned());
        Ok(self)
    }
}

fn read_tag(number: usize, tag: &Member) -> Result<(String, String), Refusal> {
    let name = |field: &str| format!("tags.{number}.member.{field}");
    let field = |field: &str, named: &str| {
        tag.get(field).cloned().ok_or_else(|| Refusal::member(Rule::AssumeRoleMissing, &name(named)))
    };
    let (key, value) = (field("Key", "key")?, field("Value", "value")?);
    within(&name("key"), &key, 1..=128)?;
    within(&name("value"), &value, 0..=256)?;
    if !is_tag_value(&key) || key.to_lowercase().starts_with(RESERVED) {
        return Err(pattern(&name("key"), &key, KEY));
    }
    if !is_tag_value(&value) {
        return Err(pattern(&name("value"), &value, VALUE));
    }
    Ok((key, value))
}
