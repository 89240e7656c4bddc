//! The hop of a role: from the session of its own IAM role to one of a further role, in another account as a rule.
//!
//! Nothing of it is a caller's choice. AWS's bounds: STS API reference, `AssumeRole`, `Tag` and `PolicyDescriptorType`.

use std::collections::{BTreeMap, BTreeSet};

use rolesanywhere::{AssumeRole, RoleArn, SessionDuration};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values, quote};

use identity::{Caller, ResolvedReference, StandardTexts, SubjectField, Template, is_tag_character};

/// Characters of an external id; the least is 2.
const MAX_EXTERNAL_ID: usize = 1224;
/// Characters of a session policy.
const MAX_POLICY: usize = 2048;
/// Managed policies of a session.
const MAX_POLICY_ARNS: usize = 10;
/// Tags of a session.
const MAX_TAGS: usize = 50;
/// Characters of a tag's key; the least is 1.
const MAX_TAG_KEY: usize = 128;
/// The beginning of keys that AWS keeps for itself, in any case.
const RESERVED: &str = "aws:";

/// The fields of a role about its hop. They are stored among the role's other fields, and are all empty for a role without one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hop {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_role_arn: Option<RoleArn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_policy: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    session_policy_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standard_tags: Option<StandardTexts>,
    /// The templates of the tags' values, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    session_tags: BTreeMap<String, Template>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transitive_tag_keys: Vec<String>,
}

impl Hop {
    /// Reads the fields of a role whose own IAM role is `hub`.
    ///
    /// # Errors
    /// The caller's: a value is malformed or outside AWS's bounds, the target is of another partition, or a field is given
    /// without `target_role_arn`.
    pub(crate) fn from_values(values: &Values, hub: &RoleArn) -> Result<Self, Fault> {
        let hop = Self {
            target_role_arn: values.parse("target_role_arn")?,
            external_id: values.string("external_id")?,
            session_policy: values.string("session_policy")?,
            session_policy_arns: values.list("session_policy_arns")?.unwrap_or_default(),
            standard_tags: values.parse("standard_tags")?,
            session_tags: tags(values)?,
            transitive_tag_keys: values.list("transitive_tag_keys")?.unwrap_or_default(),
        };
        let Some(target) = &hop.target_role_arn else {
            return hop.without_target();
        };
        check_target(target, hub)?;
        hop.external_id.as_deref().map_or(Ok(()), check_external_id)?;
        hop.session_policy.as_deref().map_or(Ok(()), check_policy)?;
        check_policy_arns(&hop.session_policy_arns, target)?;
        check_keys(hop.tags().map(|(key, _)| key))?;
        hop.check_transitive()?;
        Ok(hop)
    }

    /// The role of the hop; `None` if the role makes none.
    pub(crate) fn target(&self) -> Option<&RoleArn> {
        self.target_role_arn.as_ref()
    }

    /// The templates of the tags' values.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (SubjectField, &Template)> {
        self.tags().map(|(_, text)| (SubjectField::SessionTag, text))
    }

    /// The call for `caller`; `None` if the role makes no hop. It asks for `wanted`, an hour at most. Its session name is empty
    /// until there is a session that makes it.
    ///
    /// # Errors
    /// A reference of a tag has no value for this caller, or the value does not fit a tag.
    pub(crate) fn call(
        &self,
        caller: &Caller<'_>,
        wanted: SessionDuration,
    ) -> Result<Option<AssumeRole>, Fault> {
        let Some(role) = self.target_role_arn.clone() else { return Ok(None) };
        let mut tags = BTreeMap::new();
        for (key, text) in self.tags() {
            tags.insert(key.to_owned(), text.resolve(SubjectField::SessionTag, caller)?);
        }
        Ok(Some(AssumeRole {
            role,
            session_name: String::new(),
            duration: wanted.min(AssumeRole::MAX_DURATION),
            external_id: self.external_id.clone(),
            session_policy: self.session_policy.clone(),
            session_policy_arns: self.session_policy_arns.clone(),
            tags,
            transitive_tag_keys: self.transitive_tag_keys.clone(),
        }))
    }

    /// Each reference of the tags with its value for `caller`.
    ///
    /// # Errors
    /// A reference has no value for this caller.
    pub(crate) fn uses(&self, caller: &Caller<'_>) -> Result<Vec<(SubjectField, ResolvedReference)>, Fault> {
        let mut uses = Vec::new();
        for (field, text) in self.texts() {
            uses.extend(text.uses(field, caller)?.into_iter().map(|found| (field, found)));
        }
        Ok(uses)
    }

    /// The warning about a role whose sessions are `whole` long; `None` if there is nothing to say.
    pub(crate) fn warning(&self, whole: SessionDuration) -> Option<String> {
        self.target_role_arn.as_ref()?;
        let seconds = whole.as_secs();
        (seconds < 2 * AssumeRole::MAX_DURATION.as_secs()).then(|| {
            format!(
                "session_duration of {seconds} s with target_role_arn: an answer ends with the first session at the latest, and each first session costs a CreateSession; 43200 s is advised, if the profile allows it, because callers never receive the first session"
            )
        })
    }

    /// All tags: the standard ones, and the role's own in place of those of one key.
    fn tags(&self) -> impl Iterator<Item = (&str, &Template)> {
        let own = &self.session_tags;
        let standard = self.standard_tags.map(StandardTexts::tags).into_iter().flatten();
        let standard = standard.filter(|(key, _)| !own.contains_key(*key));
        standard.chain(own).map(|(key, text)| (key.as_str(), text))
    }

    /// The fields of a role without a target, if none of them says anything.
    fn without_target(self) -> Result<Self, Fault> {
        let given = [
            ("external_id", self.external_id.is_some()),
            ("session_policy", self.session_policy.is_some()),
            ("session_policy_arns", !self.session_policy_arns.is_empty()),
            ("standard_tags", self.standard_tags.is_some()),
            ("session_tags", !self.session_tags.is_empty()),
            ("transitive_tag_keys", !self.transitive_tag_keys.is_empty()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((field, _)) => Err(Fault::caller(format!(
                "{field}: allowed only with target_role_arn, because it is a part of the hop to that role"
            ))),
            None => Ok(self),
        }
    }

    /// AWS takes as transitive only keys of tags of the same call.
    fn check_transitive(&self) -> Result<(), Fault> {
        let keys: BTreeSet<&str> = self.tags().map(|(key, _)| key).collect();
        match self.transitive_tag_keys.iter().find(|key| !keys.contains(key.as_str())) {
            Some(key) => Err(Fault::caller(format!(
                "transitive_tag_keys: {} is no key of session_tags or standard_tags",
                quote(key)
            ))),
            None => Ok(()),
        }
    }
}

fn tags(values: &Values) -> Result<BTreeMap<String, Template>, Fault> {
    let given = values.pairs("session_tags")?.unwrap_or_default();
    let parsed = given.into_iter().map(|(key, text)| {
        let template = Template::parse(SubjectField::SessionTag, &text);
        template.map(|template| (key, template))
    });
    parsed.collect()
}

fn check_target(target: &RoleArn, hub: &RoleArn) -> Result<(), Fault> {
    if target == hub {
        return Err(Fault::caller(format!(
            "target_role_arn: {target} is role_arn itself; leave it out for the sessions of that role"
        )));
    }
    if target.partition() != hub.partition() {
        return Err(Fault::caller(format!(
            "target_role_arn: {target} is in partition {}, but role_arn is in {}; STS assumes no role of another partition",
            target.partition(),
            hub.partition()
        )));
    }
    Ok(())
}

/// `[\w+=,.@:\/-]*`, 2 to 1,224 characters.
fn check_external_id(id: &str) -> Result<(), Fault> {
    let is_taken = |character: char| character.is_ascii_alphanumeric() || "_+=,.@:/-".contains(character);
    if let Some(character) = id.chars().find(|character| !is_taken(*character)) {
        return Err(Fault::caller(format!(
            "external_id: {} may hold only letters from a to z, digits and _+=,.@:/-, not {character:?}",
            quote(id)
        )));
    }
    let length = id.chars().count();
    if !(2..=MAX_EXTERNAL_ID).contains(&length) {
        return Err(Fault::caller(format!(
            "external_id: {} has {length} characters, 2 to {MAX_EXTERNAL_ID} are allowed",
            quote(id)
        )));
    }
    Ok(())
}

/// A JSON object of 1 to 2,048 characters, all of them tab, line end, or from U+0020 to U+00FF.
fn check_policy(policy: &str) -> Result<(), Fault> {
    let length = policy.chars().count();
    if length > MAX_POLICY {
        return Err(Fault::caller(format!(
            "session_policy: has {length} characters, at most {MAX_POLICY} are allowed; remove white space, or use session_policy_arns"
        )));
    }
    let is_taken = |character: char| {
        matches!(character, '\t' | '\n' | '\r') || ('\u{20}'..='\u{ff}').contains(&character)
    };
    if let Some(character) = policy.chars().find(|character| !is_taken(*character)) {
        return Err(Fault::caller(format!(
            "session_policy: may hold only characters up to U+00FF, not {character:?}"
        )));
    }
    match serde_json::from_str::<serde_json::Value>(policy) {
        Ok(serde_json::Value::Object(_)) => Ok(()),
        Ok(_) => {
            Err(Fault::caller("session_policy: is JSON, but not an object; give an IAM policy document"))
        }
        Err(error) => Err(Fault::caller(format!("session_policy: is not JSON: {error}"))),
    }
}

fn check_policy_arns(arns: &[String], target: &RoleArn) -> Result<(), Fault> {
    if arns.len() > MAX_POLICY_ARNS {
        return Err(Fault::caller(format!(
            "session_policy_arns: {} entries, at most {MAX_POLICY_ARNS} are allowed",
            arns.len()
        )));
    }
    let starts =
        ["aws", target.account()].map(|account| format!("arn:{}:iam::{account}:policy/", target.partition()));
    let is_policy = |arn: &str| {
        let name = starts.iter().find_map(|start| arn.strip_prefix(start.as_str()));
        name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
    };
    match arns.iter().find(|arn| !is_policy(arn)) {
        Some(arn) => Err(Fault::caller(format!(
            "session_policy_arns: {} is not the ARN of a managed policy of AWS or of the target's account: {}<name> or {}<name>",
            quote(arn),
            starts[0],
            starts[1]
        ))),
        None => Ok(()),
    }
}

/// Checks the keys of all tags: number, characters, length, and that no two differ in case alone, which AWS takes for one.
fn check_keys<'a>(keys: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    let (mut known, mut count) = (BTreeSet::new(), 0_usize);
    for key in keys {
        count += 1;
        let refuse = |why: String| Err(Fault::caller(format!("session_tags: the key {} {why}", quote(key))));
        let length = key.chars().count();
        if !(1..=MAX_TAG_KEY).contains(&length) {
            return refuse(format!("has {length} characters, 1 to {MAX_TAG_KEY} are allowed"));
        }
        if let Some(character) = key.chars().find(|character| !is_tag_character(*character)) {
            return refuse(format!("may hold only letters, digits, spaces and _.:/=+-@, not {character:?}"));
        }
        if key.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED)) {
            return refuse(format!("begins with {RESERVED:?}, which AWS keeps for itself"));
        }
        if !known.insert(key.to_lowercase()) {
            return refuse("is there twice, because AWS does not distinguish case in keys".to_owned());
        }
    }
    if count > MAX_TAGS {
        return Err(Fault::caller(format!("session_tags: {count} tags, at most {MAX_TAGS} are allowed")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_policy_is_an_object_of_at_most_2048_characters() {
        let padded = |length: usize| format!("{{{}}}", " ".repeat(length - 2));

        check_policy(&padded(2048)).unwrap();
        let long = check_policy(&padded(2049)).unwrap_err().to_string();
        let list = check_policy("[]").unwrap_err().to_string();
        let text = check_policy("{").unwrap_err().to_string();
        let dash = check_policy("{\"Sid\": \"\u{2014}\"}").unwrap_err().to_string();

        assert!(long.contains("2049 characters, at most 2048"), "{long}");
        assert!(list.contains("not an object") && text.contains("is not JSON"), "{list} {text}");
        assert!(dash.contains("up to U+00FF"), "{dash}");
    }

    #[test]
    fn keys_keep_awss_bounds() {
        let many: Vec<String> = (0..51).map(|number| format!("k{number}")).collect();
        let of = |keys: &[&str]| check_keys(keys.iter().copied()).map_err(|fault| fault.to_string());

        check_keys(many[..50].iter().map(String::as_str)).unwrap();
        let over = check_keys(many.iter().map(String::as_str)).unwrap_err().to_string();

        assert!(over.contains("51 tags, at most 50"), "{over}");
        assert!(of(&["a,b"]).unwrap_err().contains("not ','"));
        assert!(of(&["AWS:x"]).unwrap_err().contains("keeps for itself"));
        assert!(of(&["Team", "team"]).unwrap_err().contains("there twice"));
        assert!(of(&[&"k".repeat(129)]).unwrap_err().contains("1 to 128"));
        assert_eq!(of(&["Zürich: a/b=c+d-e@f.g_h", &"k".repeat(128)]), Ok(()));
    }

    #[test]
    fn an_external_id_keeps_awss_bounds() {
        for id in ["ab", "pool:42/a", &"x".repeat(1224)] {
            check_external_id(id).unwrap();
        }
        for (id, why) in [("a", "2 to 1224"), (&*"x".repeat(1225), "2 to 1224"), ("a b", "not ' '")] {
            let text = check_external_id(id).unwrap_err().to_string();

            assert!(text.starts_with("external_id: ") && text.contains(why), "{text}");
        }
    }

    #[test]
    fn policies_are_awss_or_of_the_targets_account() {
        let target: RoleArn = "arn:aws:iam::444455556666:role/target".parse().unwrap();
        let of = |arns: &[&str]| {
            let arns: Vec<String> = arns.iter().map(ToString::to_string).collect();
            check_policy_arns(&arns, &target).map_err(|fault| fault.to_string())
        };

        assert_eq!(of(&["arn:aws:iam::aws:policy/ReadOnly", "arn:aws:iam::444455556666:policy/a/b"]), Ok(()));
        assert!(of(&["arn:aws:iam::111122223333:policy/b"]).unwrap_err().contains("444455556666"));
        assert!(of(&["x"; 11]).unwrap_err().contains("11 entries, at most 10"));
    }
}
