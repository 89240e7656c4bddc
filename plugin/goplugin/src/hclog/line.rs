//! One line of go-hclog's JSON.
//!
//! The host's demands, each measured: `@level`, `@message` and `@timestamp` must be text, or the host's process ends;
//! `@timestamp` must have six fraction digits and an offset, or the host logs the whole line raw at debug; the line must be
//! shorter than 64 KiB, or the host cuts it and logs it raw.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::Level;

use super::fields::{Fields, text};

/// The largest size of all fields in bytes, with keys and punctuation. With message, module and the rest the line stays under
/// 64 KiB.
const FIELDS: usize = 40 * 1024;

/// The key of the number of fields that had no room.
const LEFT_OUT: &str = "fields_left_out";

const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// A line that is being written.
pub(super) struct LogLine {
    json: Map<String, Value>,
    room: usize,
    left_out: u64,
}

impl LogLine {
    /// A line with an event's own fields.
    pub(super) fn new(now: OffsetDateTime, level: Level, module: &str, fields: Fields) -> Self {
        let (message, values) = fields.into_parts();
        let mut json = Map::new();
        json.insert("@level".to_owned(), name(level).into());
        json.insert("@message".to_owned(), message.into());
        json.insert("@module".to_owned(), text(format_args!("{module}")).into());
        json.insert("@timestamp".to_owned(), timestamp(now).into());
        let mut line = Self { json, room: FIELDS, left_out: 0 };
        for (key, value) in values {
            line.add(key, value);
        }
        line
    }

    /// Adds the fields of a span around the event; inner spans come first and win.
    pub(super) fn surround(&mut self, fields: &Fields) {
        for (key, value) in fields.values() {
            self.add(key.clone(), value.clone());
        }
    }

    /// The line, with its line break.
    pub(super) fn finish(mut self) -> String {
        if self.left_out > 0 {
            self.json.insert(LEFT_OUT.to_owned(), self.left_out.into());
        }
        let mut line = Value::Object(self.json).to_string();
        line.push('\n');
        line
    }

    fn add(&mut self, key: String, value: Value) {
        if self.json.contains_key(&key) {
            return;
        }
        let cost = key.len() + value.to_string().len() + 4;
        match self.room.checked_sub(cost) {
            Some(room) => {
                self.room = room;
                self.json.insert(key, value);
            }
            None => self.left_out += 1,
        }
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// In UTC. A year beyond four digits cannot be written and becomes the epoch: a wrong time is better than a lost line.
fn timestamp(now: OffsetDateTime) -> String {
    let utc = now.to_offset(time::UtcOffset::UTC);
    let sayable = if (0..=9999).contains(&utc.year()) { utc } else { OffsetDateTime::UNIX_EPOCH };
    sayable.format(TIMESTAMP).unwrap_or_else(|error| text(format_args!("{error}")))
}
