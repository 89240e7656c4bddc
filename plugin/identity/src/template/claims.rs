//! The claims that hold for every template and every caller: the fuzzer and the kept seeds try to break them.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a claim that does not hold panics: that is what it is for"
)]

use std::collections::BTreeMap;

use vault_backend::{Alias, Entity, Fault};

use super::Template;
use crate::caller::{Audience, Caller, Known};
use crate::clusters::Clusters;
use crate::subject_field::SubjectField;

/// The accessors of the two registered clusters, `prod` and `dev`.
const PROD: &str = "auth_kubernetes_1";
const DEV: &str = "auth_kubernetes_2";
/// The longest error in bytes, besides the parts that it quotes: the value that was sent, and Vault's data about the caller.
const MAX_ERROR: usize = 2_048;

/// Checks the claims for one input. Its lines are a field of a role, the field's value, and Vault's data about a caller as
/// `<reference>=<value>`; lines after `--` replace data for a second caller.
///
/// A value is stored as it was written or refused. An accepted value gives each caller a result that AWS takes for the field. Two
/// callers for whom its references differ never have the same result.
pub fn role_template(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut lines = input.lines();
    let (field, text) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let Ok(field) = field.parse::<SubjectField>() else { return };
    if let Ok(read) = Template::read(text) {
        assert_eq!(read.source, text);
    }
    let template = match Template::parse(field, text) {
        Ok(template) => template,
        Err(fault) => return check_refusal(&fault, input.len()),
    };
    let stored = serde_json::to_string(&template).expect("a text is written");
    assert_eq!(serde_json::from_str::<Template>(&stored).ok().as_ref(), Some(&template));

    let lines: Vec<&str> = lines.collect();
    let (first, second) = lines.split_at(lines.iter().position(|line| *line == "--").unwrap_or(lines.len()));
    let known = [pairs(&[first].concat()), pairs(&[first, second].concat())];
    let given = known.map(|known| resolved(&template, field, &known, input.len()));
    if let [Some((text, values)), Some((other_text, other_values))] = given {
        assert!(
            text != other_text || values == other_values,
            "{values:?} and {other_values:?} both give {text:?}"
        );
    }
}

/// The result for one caller and the values in it; `None` where the caller is refused.
fn resolved(
    template: &Template,
    field: SubjectField,
    known: &BTreeMap<&str, &str>,
    length: usize,
) -> Option<(String, Vec<String>)> {
    let clusters: Clusters =
        [(PROD.to_owned(), "prod".to_owned()), (DEV.to_owned(), "dev".to_owned())].into_iter().collect();
    let audience = Audience { takes_tenant_metadata: true, ..Audience::everybody("app") };
    let caller = Caller::of(Known::Entity(entity(known)), audience, "iamra/", &clusters).ok()?;
    let text = match template.resolve(field, &caller) {
        Ok(text) => text,
        Err(fault) => {
            check_refusal(&fault, length);
            return None;
        }
    };
    assert!(text.chars().all(|character| field.takes(character)), "{text:?}");
    assert!(text.chars().count() <= field.longest(), "{text:?}");
    assert!(field.check(&text).is_ok(), "{text:?}");
    let uses = template.uses(field, &caller).ok()?;
    Some((text, uses.into_iter().map(|one| one.resolved.value).collect()))
}

/// Checks a refusal: it has a bounded length, and no detail for the log, which only a bug of the engine has.
fn check_refusal(fault: &Fault, quoted: usize) {
    let said = fault.to_string();
    assert!(said.len() <= MAX_ERROR + 3 * quoted, "{} bytes: {said}", said.len());
    assert!(fault.detail().is_none(), "{fault:?}");
}

/// The lines that hold a `=`, as names and values; the last of two equal names counts.
fn pairs<'a>(lines: &[&'a str]) -> BTreeMap<&'a str, &'a str> {
    lines.iter().filter_map(|line| line.split_once('=')).collect()
}

/// An entity with a pod's alias and a JWT alias; properties that are not `known` have their own name as value.
fn entity(known: &BTreeMap<&str, &str>) -> Entity {
    let text = |name: &str| known.get(name).map_or_else(|| name.to_owned(), |value| (*value).to_owned());
    let below = |start: &str| -> BTreeMap<String, String> {
        let named = known.iter().filter_map(|(name, value)| Some((name.strip_prefix(start)?, *value)));
        named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let mut metadata = below("alias.metadata.");
    metadata.insert("service_account_namespace".to_owned(), text("namespace"));
    metadata.insert("service_account_name".to_owned(), text("service_account"));
    metadata.insert("service_account_uid".to_owned(), text("uid"));
    let pod = Alias {
        mount_type: "kubernetes".to_owned(),
        mount_accessor: if text("cluster") == "dev" { DEV } else { PROD }.to_owned(),
        name: text("uid"),
        metadata,
        custom_metadata: below("alias.custom_metadata."),
        ..Alias::default()
    };
    let person = Alias {
        mount_type: "jwt".to_owned(),
        mount_accessor: "auth_jwt_1".to_owned(),
        name: text("jwt"),
        metadata: below("jwt.metadata."),
        ..Alias::default()
    };
    let metadata = below("metadata.");
    Entity { id: text("id"), name: text("name"), aliases: vec![pod, person], metadata, ..Entity::default() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kept_templates_hold_the_claim() {
        seeds::replay("role_template", super::role_template);
    }
}
