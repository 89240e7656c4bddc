//! The fields of one event or span, as JSON values that are safe to log.

use std::fmt::{self, Debug, Write};

use serde_json::{Number, Value};
use tracing::field::{Field, Visit};

/// The largest size of one text as JSON, in bytes. A longer text is cut and ends in an ellipsis.
const TEXT: usize = 8 * 1024;

/// Numbers from this one on become text, because the host reads every number as a double and would round them.
const EXACT: u64 = 1 << 53;

/// Field names and values in the order in which they were recorded, and separately the message.
#[derive(Debug, Default)]
pub(super) struct Fields {
    message: String,
    values: Vec<(String, Value)>,
}

impl Fields {
    pub(super) fn into_parts(self) -> (String, Vec<(String, Value)>) {
        (self.message, self.values)
    }

    pub(super) fn values(&self) -> &[(String, Value)] {
        &self.values
    }

    fn put(&mut self, field: &Field, value: Value) {
        let key = key(field.name());
        match self.values.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.values.push((key, value)),
        }
    }

    fn put_text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            self.message = text(value);
        } else {
            self.put(field, Value::String(text(value)));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put_text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "message" {
            self.message = value.to_string();
        } else {
            self.put(field, Value::Bool(value));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_number(field, value.unsigned_abs() < EXACT, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_number(field, value < EXACT, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match Number::from_f64(value) {
            Some(number) if field.name() != "message" => self.put(field, Value::Number(number)),
            _ => self.put_text(field, format_args!("{value}")),
        }
    }
}

impl Fields {
    fn put_number(&mut self, field: &Field, exact: bool, value: impl Into<Number> + fmt::Display) {
        if exact && field.name() != "message" {
            self.put(field, Value::Number(value.into()));
        } else {
            self.put_text(field, format_args!("{value}"));
        }
    }
}

/// A field's name as a key. Only letters, digits and `_ . -` stay, so that none can pass for one of the host's `@` keys or
/// break a line of the host's own log.
pub(super) fn key(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    name.chars().map(safe).take(128).collect()
}

/// Text for one line of a log: control characters written out (a line break as `\n`), and cut at [`TEXT`].
pub(super) fn text(value: fmt::Arguments<'_>) -> String {
    let mut bounded = Bounded { text: String::new(), cost: 0 };
    if bounded.write_fmt(value).is_err() {
        bounded.text.push('…');
    }
    bounded.text
}

/// Takes text until its JSON would be too long, then fails, which ends the formatting.
struct Bounded {
    text: String,
    cost: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        piece.chars().try_for_each(|c| self.push(c))
    }
}

impl Bounded {
    fn push(&mut self, c: char) -> fmt::Result {
        if c.is_control() {
            return c.escape_default().try_for_each(|c| self.push(c));
        }
        self.cost += if matches!(c, '"' | '\\') { 2 } else { c.len_utf8() };
        if self.cost > TEXT {
            return Err(fmt::Error);
        }
        self.text.push(c);
        Ok(())
    }
}
