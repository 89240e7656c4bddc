//! A change of a stored document, by one rule: a write changes the fields that it names.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::bounds;
use crate::fault::Fault;
use crate::field::{Field, FieldKind};
use crate::parse;
use crate::request::Operation;
use crate::values::{self, Values};

/// The rule in the words of path-help, for every document.
pub(crate) const RULE: &str = "A write changes what it names. Null or an empty text unsets a field: its default is in force again. A list is replaced whole. Pairs are replaced whole by a write, and merged by a patch. What a read returns, a write takes.";
/// The addition for a document that a write creates.
pub(crate) const CREATION: &str = "A write creates what is not there, and a patch fails there.";
/// The addition for a document that can also be deleted.
pub(crate) const CLEAN_SLATE: &str = "For a clean slate delete first, then write.";

/// A write or PATCH of a document. Names, sizes and kinds are checked against the document's fields.
///
/// A field that is not named keeps its value. Null or `""` unsets one. A list is replaced whole. Pairs are replaced
/// whole by a write, as in Vault's own engines; a PATCH merges them (RFC 7396), and a null removes a pair. A PATCH
/// fails if nothing is stored.
pub struct Change {
    /// The path's parameters.
    pub path: Values,
    fields: &'static [Field],
    parameters: BTreeMap<&'static str, String>,
    operation: Operation,
    document_path: String,
    /// The named fields, without those that only repeat the path.
    named: Vec<(&'static Field, Value)>,
}

impl Change {
    /// Reads the change that `operation` makes to the document at `document_path`.
    pub(crate) fn read(
        fields: &'static [Field],
        parameters: BTreeMap<&'static str, String>,
        (operation, document_path): (Operation, String),
        body: Map<String, Value>,
    ) -> Result<Change, Fault> {
        let mut named = Vec::new();
        for (name, value) in body {
            if let Some(parameter) = parameters.get(name.as_str()) {
                values::agree(&name, parameter, &value)?;
                continue;
            }
            let field = values::find(fields, &parameters, &name)?;
            bounds::check(field, &value)?;
            parse::field(field, &without_nulls(operation, &value))?;
            named.push((field, value));
        }
        Ok(Change {
            path: Values::of_path(parameters.clone()),
            fields,
            parameters,
            operation,
            document_path,
            named,
        })
    }

    /// Returns the whole document after the change: `stored`, as JSON of its fields, with the named fields. It has
    /// every required field, unless the change leaves everything as it is.
    ///
    /// # Errors
    /// Nothing is stored and this is a PATCH; a required field is missing or unset; or a field that only reads show
    /// gets another value.
    pub fn onto(&self, stored: Option<&impl Serialize>) -> Result<Values, Fault> {
        let stored = stored.map(as_fields).transpose()?;
        if stored.is_none() && self.operation == Operation::Patch {
            return Err(Fault::caller(format!(
                "{}: nothing is stored there to patch; a write makes it",
                self.document_path
            )));
        }
        let mut whole = stored.clone().unwrap_or_default();
        for (field, value) in &self.named {
            if field.is_read_only() {
                check_unchanged(field, whole.get(field.name), value)?;
            } else {
                self.set(field, &mut whole, value)?;
            }
        }
        let is_same = stored.is_some_and(|stored| stored == whole);
        let schema = |name: &str| self.fields.iter().find(|field| field.name == name);
        if let Some(stray) = whole.keys().find(|name| schema(name).is_none()) {
            return Err(Fault::bug(format!(
                "{}: {stray} is stored, and no field of the schema",
                self.document_path
            )));
        }
        whole.retain(|name, _| schema(name).is_some_and(|field| !field.is_read_only()));
        let values = Values::parsed(self.fields, self.parameters.clone(), &whole)?;
        if !is_same {
            values.check_required()?;
        }
        Ok(values)
    }

    fn set(&self, field: &Field, whole: &mut Map<String, Value>, value: &Value) -> Result<(), Fault> {
        let before = whole.remove(field.name);
        if parse::is_unset(value) {
            return Ok(());
        }
        let after = if field.kind == FieldKind::Pairs && self.operation == Operation::Patch {
            merged(before, parse::pairs_as_map(field, value)?)
        } else {
            value.clone()
        };
        whole.insert(field.name.to_owned(), after);
        Ok(())
    }
}

/// Values may be secrets: only the names of the fields are shown.
impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change")
            .field("operation", &self.operation)
            .field("document_path", &self.document_path)
            .field("named", &self.named.iter().map(|(field, _)| field.name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The document's fields that have a value.
fn as_fields(document: &impl Serialize) -> Result<Map<String, Value>, Fault> {
    match serde_json::to_value(document) {
        Ok(Value::Object(map)) => Ok(map.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        Ok(_) => Err(Fault::bug("a document is not a JSON object")),
        Err(error) => Err(Fault::bug(error)),
    }
}

/// Refuses another value of a field that only reads show.
fn check_unchanged(field: &Field, stored: Option<&Value>, given: &Value) -> Result<(), Fault> {
    let is_same = parse::field(field, given)? == parse::field(field, stored.unwrap_or(&Value::Null))?;
    if is_same {
        return Ok(());
    }
    Err(Fault::caller(format!("{}: reads show it, and no write changes it; leave it out", field.name)))
}

/// The nulls by which a PATCH removes pairs.
fn without_nulls(operation: Operation, change: &Value) -> Value {
    match change {
        Value::Object(map) if operation == Operation::Patch => Value::Object(
            map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect(),
        ),
        other => other.clone(),
    }
}

/// Merges the pairs of `change` into `before`; a null removes one.
fn merged(before: Option<Value>, change: Map<String, Value>) -> Value {
    let mut pairs = match before {
        Some(Value::Object(pairs)) => pairs,
        _ => Map::new(),
    };
    pairs.extend(change);
    pairs.retain(|_, value| !value.is_null());
    pairs.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[Field] = &[
        Field::string("name", "The name."),
        Field::string("text", "The text.").required(),
        Field::duration("ttl", "How long."),
        Field::list("ous", "Units."),
        Field::pairs("tags", "Tags."),
        Field::bool("is_default", "Whether it is the default.").read_only(),
        Field::list("parents", "Its parents.").read_only(),
    ];

    fn stored() -> Value {
        json!({ "text": "a", "ttl": 60, "ous": ["x", "y"], "tags": { "x": "1", "y": "2" }, "is_default": true })
    }

    fn onto(operation: Operation, stored: Option<&Value>, body: Value) -> Result<Values, String> {
        let Value::Object(body) = body else { panic!("{body} is not an object") };
        let parameters = BTreeMap::from([("name", "n".to_owned())]);
        Change::read(FIELDS, parameters, (operation, "things/n".to_owned()), body)
            .and_then(|change| change.onto(stored))
            .map_err(|fault| fault.to_string())
    }

    fn write(body: Value) -> Result<Values, String> {
        onto(Operation::Update, Some(&stored()), body)
    }

    fn patch(body: Value) -> Result<Values, String> {
        onto(Operation::Patch, Some(&stored()), body)
    }

    #[test]
    fn a_write_and_a_patch_change_what_they_name() {
        for change in [write, patch] {
            let values = change(json!({ "ttl": "2m", "ous": ["z"] })).unwrap();

            assert_eq!(values.text("text").unwrap(), "a");
            assert_eq!(values.text("name").unwrap(), "n");
            assert_eq!(values.duration("ttl").unwrap().unwrap().as_secs(), 120);
            assert_eq!(values.list("ous").unwrap().unwrap(), ["z"], "a list is replaced whole");
        }
    }

    #[test]
    fn null_and_an_empty_text_unset_a_field_of_any_kind() {
        for change in [write, patch] {
            for unset in [json!(null), json!("")] {
                let values = change(json!({ "ttl": unset, "ous": unset, "tags": unset })).unwrap();

                assert!(!["ttl", "ous", "tags"].iter().any(|name| values.given(name)));
                assert_eq!(change(json!({ "text": unset })).unwrap_err(), "text: a value is required");
            }
        }
    }

    #[test]
    fn pairs_are_replaced_by_a_write_and_merged_by_a_patch() {
        let keys = |values: Values| values.pairs("tags").unwrap().unwrap().into_keys().collect::<Vec<_>>();

        assert_eq!(keys(write(json!({ "tags": { "z": "3" } })).unwrap()), ["z"]);
        assert_eq!(keys(write(json!({ "tags": "z=3" })).unwrap()), ["z"]);
        assert_eq!(keys(patch(json!({ "tags": { "x": null, "z": "3" } })).unwrap()), ["y", "z"]);
        assert_eq!(keys(patch(json!({ "tags": "z=3" })).unwrap()), ["x", "y", "z"]);
        assert!(write(json!({ "tags": { "x": null } })).unwrap_err().starts_with("tags:"));
    }

    #[test]
    fn a_write_creates_and_a_patch_of_nothing_fails() {
        let created = onto(Operation::Create, None, json!({ "text": "a" })).unwrap();
        let patched = onto(Operation::Patch, None, json!({ "text": "a" })).unwrap_err();

        assert_eq!(created.text("text").unwrap(), "a");
        assert_eq!(patched, "things/n: nothing is stored there to patch; a write makes it");
        assert_eq!(onto(Operation::Create, None, json!({})).unwrap_err(), "text: a value is required");
    }

    #[test]
    fn names_and_kinds_of_a_change_are_checked() {
        for change in [write, patch] {
            assert!(change(json!({ "nope": null })).unwrap_err().starts_with("unknown field \"nope\""));
            assert!(change(json!({ "ttl": "abc" })).unwrap_err().starts_with("ttl: \"abc\""));
            assert!(
                change(json!({ "name": "m" })).unwrap_err().starts_with("name: the body's value differs")
            );
        }
    }

    #[test]
    fn what_reads_alone_show_may_be_repeated_and_not_changed() {
        for same in [json!(true), json!("true")] {
            write(json!({ "is_default": same, "ttl": 5 })).unwrap();
        }

        let refused = write(json!({ "is_default": false })).unwrap_err();

        assert_eq!(refused, "is_default: reads show it, and no write changes it; leave it out");
    }

    #[test]
    fn what_reads_alone_show_is_bounded_before_it_is_compared() {
        let refused = write(json!({ "parents": vec!["x"; 33].join(",") })).unwrap_err();

        assert_eq!(refused, "parents: 33 entries, at most 32 are taken");
    }

    #[test]
    fn no_value_of_a_change_is_shown_by_debug() {
        let body = Map::from_iter([("text".to_owned(), json!("hunter2"))]);
        let what = (Operation::Update, "things/n".to_owned());

        let shown = format!("{:?}", Change::read(FIELDS, BTreeMap::new(), what, body).unwrap());

        assert!(shown.contains("\"text\"") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn what_is_stored_and_no_field_is_never_dropped_by_a_write() {
        let stray = json!({ "text": "a", "forgotten": true });

        assert_eq!(onto(Operation::Update, Some(&stray), json!({ "ttl": 5 })).unwrap_err(), "internal error");
    }

    #[test]
    fn a_change_that_leaves_all_as_it_is_needs_nothing() {
        let nothing_yet = json!({ "text": null });

        assert!(!onto(Operation::Update, Some(&nothing_yet), nothing_yet.clone()).unwrap().given("text"));
    }
}
