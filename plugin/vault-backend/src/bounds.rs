//! Bounds of what a caller may send. They are checked before a value is parsed, because otherwise one writer could
//! occupy the process.

use serde_json::Value;

use crate::fault::Fault;
use crate::field::{Field, FieldKind};

/// The largest body of a request as JSON, in bytes.
const BODY: usize = 1 << 20;
/// The largest text, entry of a list, and key or value of a pair, in bytes.
const TEXT: usize = 4 << 10;
/// The largest PEM text, in bytes: five certificates and a key of any kind, with room for text between them. It also
/// bounds fields that only reads show, because those were made from one.
const PEM: usize = 64 << 10;
/// The largest number of entries of a list, and of pairs.
const ENTRIES: usize = 32;

/// Refuses a body that is too large to be read.
pub(crate) fn check_body(json: &str) -> Result<(), Fault> {
    if json.len() <= BODY {
        return Ok(());
    }
    Err(Fault::caller(format!("the body has {} bytes, at most {BODY} are taken", json.len())))
}

/// Refuses a value of more bytes or entries than `field` takes.
pub(crate) fn check(field: &Field, value: &Value) -> Result<(), Fault> {
    let most = field.most.unwrap_or(ENTRIES);
    let entries = entries(field.kind, value);
    if entries > most {
        return Err(Fault::caller(format!("{}: {entries} entries, at most {most} are taken", field.name)));
    }
    let is_of_pem = field.kind == FieldKind::Pem || field.is_read_only();
    let longest = field.longest.unwrap_or(if is_of_pem { PEM } else { TEXT });
    let bytes = bytes_of_longest(field.kind, value);
    if bytes > longest {
        let what = if entries > 1 { "an entry of " } else { "" };
        return Err(Fault::caller(format!(
            "{}: {what}{bytes} bytes, at most {longest} are taken",
            field.name
        )));
    }
    Ok(())
}

fn entries(kind: FieldKind, value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements.len(),
        Value::Object(pairs) => pairs.len(),
        Value::String(text) if kind == FieldKind::List => text.split(',').count(),
        _ => 1,
    }
}

fn bytes_of_longest(kind: FieldKind, value: &Value) -> usize {
    match value {
        Value::String(text) if kind == FieldKind::List => text.split(',').map(str::len).max().unwrap_or(0),
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(text_bytes).max().unwrap_or(0),
        Value::Object(pairs) => {
            pairs.iter().map(|(key, value)| key.len().max(text_bytes(value))).max().unwrap_or(0)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn text_bytes(value: &Value) -> usize {
    value.as_str().map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXTS: Field = Field::string("text", "A text.");
    const LIST: Field = Field::list("list", "A list.");
    const PAIRS: Field = Field::pairs("pairs", "Pairs.");
    const BUNDLE: Field = Field::pem("bundle", "A bundle.");

    fn refusal(field: &Field, value: &Value) -> String {
        check(field, value).unwrap_err().to_string()
    }

    #[test]
    fn a_value_at_its_bound_is_taken_and_one_beyond_is_refused_with_size_and_bound() {
        let (fits, over) = ("x".repeat(4096), "x".repeat(4097));
        for (field, value) in [
            (TEXTS, json!(fits)),
            (LIST, json!(vec!["x"; 32])),
            (LIST, json!(vec!["x"; 32].join(","))),
            (LIST, json!([fits, fits])),
            (LIST, json!(format!("{fits},{fits}"))),
            (PAIRS, json!({ "a": fits })),
            (BUNDLE, json!("x".repeat(65_536))),
        ] {
            check(&field, &value).unwrap();
        }

        assert_eq!(refusal(&TEXTS, &json!(over)), "text: 4097 bytes, at most 4096 are taken");
        assert_eq!(refusal(&LIST, &json!(vec!["x"; 33])), "list: 33 entries, at most 32 are taken");
        assert_eq!(refusal(&LIST, &json!(vec!["x"; 33].join(","))), "list: 33 entries, at most 32 are taken");
        assert_eq!(
            refusal(&LIST, &json!(["x", over])),
            "list: an entry of 4097 bytes, at most 4096 are taken"
        );
        assert_eq!(refusal(&PAIRS, &json!({ over: "x" })), "pairs: 4097 bytes, at most 4096 are taken");
        assert_eq!(
            refusal(&BUNDLE, &json!("x".repeat(65_537))),
            "bundle: 65537 bytes, at most 65536 are taken"
        );
    }

    #[test]
    fn a_field_may_have_bounds_of_its_own() {
        check(&LIST.at_most(256), &json!(vec!["x"; 256])).unwrap();
        check(&BUNDLE.longest(1 << 19), &json!("x".repeat(1 << 19))).unwrap();

        assert_eq!(
            refusal(&LIST.at_most(2), &json!(["x", "x", "x"])),
            "list: 3 entries, at most 2 are taken"
        );
    }

    #[test]
    fn what_a_read_shows_of_a_pem_text_is_taken_back() {
        let longest = "x".repeat(65_536);

        check(&TEXTS.read_only(), &json!(longest)).unwrap();
        check(&LIST.read_only(), &json!([longest, longest])).unwrap();

        let refused = refusal(&LIST.read_only(), &json!([longest, longest + "x"]));
        assert_eq!(refused, "list: an entry of 65537 bytes, at most 65536 are taken");
    }

    #[test]
    fn a_body_is_refused_before_it_is_parsed() {
        check_body(&" ".repeat(1 << 20)).unwrap();

        let fault = check_body(&" ".repeat((1 << 20) + 1)).unwrap_err();

        assert_eq!(fault.to_string(), "the body has 1048577 bytes, at most 1048576 are taken");
    }
}
