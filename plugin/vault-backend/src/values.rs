//! Values that were checked against a schema: each name is known, and each value has its kind.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::bounds;
use crate::fault::Fault;
use crate::field::{Field, FieldKind};
use crate::parse::{self, Parsed};

/// A caller's values, checked against the schema, with path parameters under their names.
///
/// A getter returns `None` for a field that was left out, or sent as null or as an empty text. A name that the schema
/// does not have, or another kind, is a [`Fault::bug`].
#[derive(Clone, Debug)]
pub struct Values {
    fields: &'static [Field],
    parameters: BTreeMap<&'static str, String>,
    parsed: BTreeMap<&'static str, Parsed>,
}

impl Values {
    /// Checks `map` against `fields`: no unknown name, each value of its kind, and every required field present.
    pub fn from_map(fields: &'static [Field], map: &Map<String, Value>) -> Result<Values, Fault> {
        Values::read(fields, BTreeMap::new(), map)
    }

    /// Like [`Values::from_map`], with the path's parameters, which the body may repeat but not contradict.
    pub(crate) fn read(
        fields: &'static [Field],
        parameters: BTreeMap<&'static str, String>,
        map: &Map<String, Value>,
    ) -> Result<Values, Fault> {
        for (name, value) in map {
            if let Some(field) = fields.iter().find(|field| field.name == name) {
                bounds::check(field, value)?;
            }
        }
        let values = Values::parsed(fields, parameters, map)?;
        values.check_required()?;
        Ok(values)
    }

    /// As [`Values::read`] for a stored document: its size is not checked, and required fields may be missing.
    pub(crate) fn parsed(
        fields: &'static [Field],
        parameters: BTreeMap<&'static str, String>,
        map: &Map<String, Value>,
    ) -> Result<Values, Fault> {
        let mut parsed = BTreeMap::new();
        for (name, value) in map {
            if let Some(parameter) = parameters.get(name.as_str()) {
                agree(name, parameter, value)?;
            } else if let Some(value) = parse::field(find(fields, &parameters, name)?, value)? {
                parsed.insert(find(fields, &parameters, name)?.name, value);
            }
        }
        Ok(Values { fields, parameters, parsed })
    }

    /// Only the path's parameters.
    pub(crate) fn of_path(parameters: BTreeMap<&'static str, String>) -> Values {
        Values { fields: &[], parameters, parsed: BTreeMap::new() }
    }

    /// Whether the caller sent the field, or the path has it.
    #[must_use]
    pub fn given(&self, name: &str) -> bool {
        self.parameters.contains_key(name) || self.parsed.contains_key(name)
    }

    /// The text of a [`FieldKind::String`] or a path parameter.
    pub fn string(&self, name: &str) -> Result<Option<String>, Fault> {
        if let Some(text) = self.parameters.get(name) {
            return Ok(Some(text.clone()));
        }
        self.get(name, FieldKind::String, |value| match value {
            Parsed::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// The text of a [`FieldKind::String`] or a path parameter; a fault if it is absent.
    pub fn text(&self, name: &str) -> Result<String, Fault> {
        self.string(name)?.ok_or_else(|| Fault::caller(format!("{name}: a value is required")))
    }

    /// The number of a [`FieldKind::Int`].
    pub fn int(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.get(name, FieldKind::Int, |value| match value {
            Parsed::Int(number) => Some(*number),
            _ => None,
        })
    }

    /// The value of a [`FieldKind::Bool`].
    pub fn bool(&self, name: &str) -> Result<Option<bool>, Fault> {
        self.get(name, FieldKind::Bool, |value| match value {
            Parsed::Bool(truth) => Some(*truth),
            _ => None,
        })
    }

    /// The span of a [`FieldKind::Duration`].
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, Fault> {
        self.get(name, FieldKind::Duration, |value| match value {
            Parsed::Span(span) => Some(*span),
            _ => None,
        })
    }

    /// The elements of a [`FieldKind::List`], trimmed, empty ones left out.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        self.get(name, FieldKind::List, |value| match value {
            Parsed::List(elements) => Some(elements.clone()),
            _ => None,
        })
    }

    /// The pairs of a [`FieldKind::Pairs`].
    pub fn pairs(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, Fault> {
        self.get(name, FieldKind::Pairs, |value| match value {
            Parsed::Pairs(pairs) => Some(pairs.clone()),
            _ => None,
        })
    }

    /// The text of a [`FieldKind::Pem`].
    pub fn pem(&self, name: &str) -> Result<Option<String>, Fault> {
        self.get(name, FieldKind::Pem, |value| match value {
            Parsed::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// Parses a [`FieldKind::String`] or path parameter as another type.
    pub fn parse<T>(&self, name: &str) -> Result<Option<T>, Fault>
    where
        T: FromStr,
        T::Err: Display,
    {
        let hidden = self.fields.iter().any(|field| field.name == name && field.hides_value());
        let Some(text) = self.string(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|error: T::Err| {
            if hidden {
                Fault::caller(format!("{name}: {error}"))
            } else {
                Fault::caller(format!("{name}: {}: {error}", parse::quote(&text)))
            }
        })
    }

    fn get<T>(
        &self,
        name: &str,
        kind: FieldKind,
        take: impl Fn(&Parsed) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let field = self.fields.iter().find(|field| field.name == name);
        match field {
            Some(field) if field.kind == kind => Ok(self.parsed.get(name).and_then(take)),
            Some(field) => {
                Err(Fault::bug(format!("field {name} was read as {kind:?} and is {:?}", field.kind)))
            }
            None => Err(Fault::bug(format!("field {name} was read and is not in the schema"))),
        }
    }

    /// Refuses values without a required field.
    pub(crate) fn check_required(&self) -> Result<(), Fault> {
        let missing = self.fields.iter().find(|field| field.is_required() && !self.given(field.name));
        match missing {
            Some(field) => Err(Fault::caller(format!("{}: a value is required", field.name))),
            None => Ok(()),
        }
    }
}

/// Refuses a body that contradicts the path.
pub(crate) fn agree(name: &str, parameter: &str, value: &Value) -> Result<(), Fault> {
    match value {
        Value::Null => Ok(()),
        Value::String(text) if text == parameter => Ok(()),
        _ => Err(Fault::caller(format!(
            "{name}: the body's value differs from the path's {}",
            parse::quote(parameter)
        ))),
    }
}

pub(crate) fn find(
    fields: &'static [Field],
    parameters: &BTreeMap<&'static str, String>,
    name: &str,
) -> Result<&'static Field, Fault> {
    fields.iter().find(|field| field.name == name).ok_or_else(|| unknown(fields, parameters, name))
}

fn unknown(fields: &'static [Field], parameters: &BTreeMap<&'static str, String>, name: &str) -> Fault {
    let name = parse::quote(name);
    Fault::caller(match known_names(fields, parameters) {
        None => format!("unknown field {name}: this operation takes no fields"),
        Some(known) => format!("unknown field {name}: the known fields are {known}"),
    })
}

/// The fields that are not in the path, separated by commas; none if there are none.
pub(crate) fn known_names(
    fields: &'static [Field],
    parameters: &BTreeMap<&'static str, String>,
) -> Option<String> {
    let known: Vec<_> =
        fields.iter().map(|field| field.name).filter(|name| !parameters.contains_key(name)).collect();
    (!known.is_empty()).then(|| known.join(", "))
}
