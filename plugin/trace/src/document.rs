//! Documents of JSON, read value by value: `{"Records":[…]}` as `CloudTrail` exports and stores it, `{"Events":[…]}` of
//! `aws cloudtrail lookup-events`, an array, or values one after the other as jq prints them.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The keys of a list of events.
const LISTS: [&str; 2] = ["Records", "Events"];

/// Whether a file that begins with this line is a document, and not a line for each value.
pub(crate) fn begins_with(line: &[u8]) -> bool {
    let Some(inside) = line.trim_ascii().strip_prefix(b"{") else {
        return line.trim_ascii().starts_with(b"[");
    };
    let inside = inside.trim_ascii();
    let is_list =
        |key: &&str| inside.strip_prefix(b"\"").is_some_and(|rest| rest.starts_with(key.as_bytes()));
    inside.is_empty() || LISTS.iter().any(is_list)
}

/// Hands each value of a document to `each`. One value is in memory at a time.
///
/// # Errors
/// The document is not JSON from some place on. What came before was handed over.
pub(crate) fn read(reader: impl Read, each: &mut dyn FnMut(Value)) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    while deserializer.end().is_err() {
        Elements { each }.deserialize(&mut deserializer)?;
    }
    Ok(())
}

/// One value at the outermost level: a list of events, or an event.
struct Elements<'a> {
    each: &'a mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object or a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            (self.each)(value);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut own, mut is_list) = (Map::new(), false);
        while let Some(key) = map.next_key::<String>()? {
            if LISTS.contains(&key.as_str()) {
                is_list = true;
                map.next_value_seed(Elements { each: &mut *self.each })?;
            } else {
                own.insert(key, map.next_value()?);
            }
        }
        if !is_list {
            (self.each)(Value::Object(own));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(text: &str) -> Vec<Value> {
        let mut values = Vec::new();
        read(text.as_bytes(), &mut |value| values.push(value)).unwrap();
        values
    }

    #[test]
    fn each_form_of_a_list_gives_its_elements() {
        for text in [
            r#"{"Records":[{"a":1},{"a":2}]}"#,
            r#"{"Records":[{"a":1}]}{"Records":[{"a":2}]}"#,
            r#"{"Events":[{"a":1},{"a":2}],"NextToken":"x"}"#,
            r#"[{"a":1},{"a":2}]"#,
            "{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n",
        ] {
            assert!(begins_with(text.lines().next().unwrap().as_bytes()), "{text}");
            assert_eq!(values(text), [json!({"a": 1}), json!({"a": 2})], "{text}");
        }
    }

    #[test]
    fn a_line_that_is_a_whole_value_begins_no_document() {
        for line in [r#"{"eventSource":"s3.amazonaws.com"}"#, r#"{"a": "Records"}"#, "text", ""] {
            assert!(!begins_with(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn what_came_before_a_break_is_handed_over() {
        let mut values = Vec::new();

        let error = read(&br#"{"Records":[{"a":1},{"a""#[..], &mut |value| values.push(value)).unwrap_err();

        assert_eq!((values, error.line()), (vec![json!({"a": 1})], 1));
    }
}
