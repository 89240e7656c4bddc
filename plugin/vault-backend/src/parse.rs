//! Parses JSON by the kind of a field, as leniently as Vault's own kinds: the CLI and query strings send numbers as
//! text.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::bounds;
use crate::fault::Fault;
use crate::field::{Commas, Field, FieldKind};

/// The longest quotation, in characters. The longest ARN of a trust anchor or a profile has 105, and an operator who
/// swapped two must see which.
const MAX_QUOTE: usize = 120;

/// A value of its kind.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Parsed {
    Text(String),
    Int(i64),
    Bool(bool),
    Span(Duration),
    List(Vec<String>),
    Pairs(BTreeMap<String, String>),
}

/// Shows only the shape, because values may be secrets.
impl std::fmt::Debug for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Parsed::Text(_) => "text",
            Parsed::Int(_) => "int",
            Parsed::Bool(_) => "bool",
            Parsed::Span(_) => "span",
            Parsed::List(_) => "list",
            Parsed::Pairs(_) => "pairs",
        })
    }
}

/// Whether `value` means no value: null, or the empty text, which is all that the CLI can send.
pub(crate) fn is_unset(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// Parses `value` by the kind of `field`; `None` if it means no value.
pub(crate) fn field(field: &Field, value: &Value) -> Result<Option<Parsed>, Fault> {
    if is_unset(value) {
        return Ok(None);
    }
    let parsed = match field.kind {
        FieldKind::String => text(value).map(Parsed::Text).ok_or("text"),
        FieldKind::Int => int(value).map(Parsed::Int).ok_or("a whole number"),
        FieldKind::Bool => boolean(value).map(Parsed::Bool).ok_or("true or false"),
        FieldKind::Duration => span(value).map(Parsed::Span),
        FieldKind::List => list(value).map(Parsed::List).ok_or("a list of texts"),
        FieldKind::Pairs => {
            pairs(value).map(Parsed::Pairs).ok_or("an object of texts or a list of key=value")
        }
        FieldKind::Pem => pem(value).map(Parsed::Text).ok_or("PEM text"),
    };
    let parsed = parsed.map_err(|wanted| {
        Fault::caller(format!("{}: {} is not {wanted}", field.name, shown(field, value)))
    })?;
    check_one_of(field, &parsed)?;
    Ok(Some(parsed))
}

/// Returns a patch's pairs as an object, which may still hold nulls.
pub(crate) fn pairs_as_map(field: &Field, value: &Value) -> Result<Map<String, Value>, Fault> {
    match (value, self::field(field, value)) {
        (Value::Object(map), _) => Ok(map.clone()),
        (_, Ok(Some(Parsed::Pairs(pairs)))) => {
            Ok(pairs.into_iter().map(|(k, v)| (k, Value::String(v))).collect())
        }
        (_, Err(fault)) => Err(fault),
        (_, Ok(_)) => Ok(Map::new()),
    }
}

/// Quotes `text` for an error or a warning: control characters escaped, cut after 120 characters.
#[must_use]
pub fn quote(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

fn shown(field: &Field, value: &Value) -> String {
    match value {
        _ if field.hides_value() => "the value".to_owned(),
        Value::String(text) => quote(text),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Parses a JSON number such as `5.0`, within the integers that a double holds exactly.
fn whole(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
    exact.then(|| format!("{number:.0}").parse().ok()).flatten()
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

const SPAN: &str = "a duration such as 900, \"15m\" or \"1h30m\"";
const NEGATIVE: &str = "a duration: it is negative";

fn span(value: &Value) -> Result<Duration, &'static str> {
    match value {
        Value::Number(number) => span_of_seconds(number.as_f64().ok_or(SPAN)?),
        Value::String(text) => span_of_text(text.trim()),
        _ => Err(SPAN),
    }
}

fn span_of_seconds(seconds: f64) -> Result<Duration, &'static str> {
    if seconds < 0.0 { Err(NEGATIVE) } else { Duration::try_from_secs_f64(seconds).map_err(|_| SPAN) }
}

/// Parses seconds, or numbers with the units of Go's `time.ParseDuration` and `d` for a day of 24 hours.
fn span_of_text(text: &str) -> Result<Duration, &'static str> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Duration::from_secs).map_err(|_| SPAN);
    }
    if let Some(positive) = text.strip_prefix('-') {
        return span_of_text(positive).and(Err(NEGATIVE));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(SPAN);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (part, after) = span_part(rest).ok_or(SPAN)?;
        total = total.checked_add(part).ok_or(SPAN)?;
        rest = after;
    }
    Ok(total)
}

fn span_part(text: &str) -> Option<(Duration, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(digits);
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let seconds = match unit {
        "d" => 86_400.0,
        "h" => 3_600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "μs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Some((Duration::try_from_secs_f64(number * seconds).ok()?, rest))
}

fn list(value: &Value) -> Option<Vec<String>> {
    let elements = match value {
        Value::Array(elements) => elements.iter().map(text).collect::<Option<Vec<_>>>()?,
        Value::String(text) => text.split(',').map(str::to_owned).collect(),
        other => vec![text(other)?],
    };
    Some(
        elements
            .iter()
            .map(|element| element.trim().to_owned())
            .filter(|element| !element.is_empty())
            .collect(),
    )
}

/// Warnings for the sender of `body` about lists given as one text with commas. A text beyond its bounds gets none: it
/// is refused, and must not be split first.
pub(crate) fn split_texts(fields: &[Field], body: &Map<String, Value>) -> Vec<String> {
    fields
        .iter()
        .filter(|field| field.commas == Commas::MayBelong)
        .filter_map(|field| split_text(field, body.get(field.name)?))
        .collect()
}

fn split_text(field: &Field, value: &Value) -> Option<String> {
    let Value::String(text) = value else { return None };
    bounds::check(field, value).ok()?;
    let elements = list(value).filter(|elements| elements.len() > 1)?;
    let shown: Vec<String> = elements.iter().map(|element| quote(element)).collect();
    Some(format!(
        "{}: {} was taken as {} values, {}: a text is split at its commas, an element of a JSON list is not",
        field.name,
        quote(text),
        elements.len(),
        shown.join(" and ")
    ))
}

fn pairs(value: &Value) -> Option<BTreeMap<String, String>> {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| Some((key.clone(), text(value)?))).collect(),
        Value::Array(elements) => elements.iter().map(|element| pair(element.as_str()?)).collect(),
        Value::String(text) => Some(BTreeMap::from([pair(text)?])),
        _ => None,
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
}

fn pem(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let fits = text.contains("-----BEGIN ") && text.contains("-----END ");
    fits.then(|| format!("{text}\n"))
}

fn check_one_of(field: &Field, parsed: &Parsed) -> Result<(), Fault> {
    let given = match parsed {
        Parsed::Text(text) => vec![text.clone()],
        Parsed::Int(number) => vec![number.to_string()],
        Parsed::List(elements) => elements.clone(),
        Parsed::Bool(_) | Parsed::Span(_) | Parsed::Pairs(_) => return Ok(()),
    };
    let stranger =
        given.iter().find(|value| !field.one_of.is_empty() && !field.one_of.contains(&value.as_str()));
    match stranger {
        Some(value) => {
            let value = Value::String(value.clone());
            Err(Fault::caller(format!(
                "{}: {} is not one of {}",
                field.name,
                shown(field, &value),
                field.one_of.join(", ")
            )))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[Field] = &[Field::list("units", "Units.").prose()];

    fn warnings(text: &str) -> Vec<String> {
        split_texts(FIELDS, &Map::from_iter([("units".to_owned(), json!(text))]))
    }

    #[test]
    fn a_list_beyond_its_bounds_is_not_split_for_a_warning() {
        assert_eq!(warnings(&vec!["x"; 32].join(",")).len(), 1);

        assert_eq!(warnings(&vec!["x"; 33].join(",")), [""; 0]);
        assert_eq!(warnings(&format!("x,{}", "x".repeat(4097))), [""; 0]);
    }
}
