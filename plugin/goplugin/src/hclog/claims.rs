//! Claims that hold for every line of the log, with any content in its fields.

#![allow(clippy::missing_panics_doc, reason = "a claim that does not hold panics: that is what it is for")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use tracing::subscriber::with_default;
use tracing::{info_span, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::{HclogLayer, fields};

/// The length in bytes from which the host cuts a line.
const HOSTS_LIMIT: usize = 64 * 1024;

/// The input: texts separated by zero bytes, which become the message and fields of an event and of the spans around it. The
/// event is one line of JSON below 64 KiB, whose `@` keys are text.
pub fn hclog(input: &[u8]) {
    let mut texts = input.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let mut next = || texts.next().unwrap_or_default().into_owned();
    let (message, a, b, c, d) = (next(), next(), next(), next(), next());
    let number = input.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let times = usize::try_from(number % 512).unwrap_or_default();
    let long: String = a.chars().cycle().take(times * 64).collect();

    let tape = Tape::default();
    let layer = HclogLayer::with_clock(tape.clone(), || OffsetDateTime::UNIX_EPOCH);
    with_default(Registry::default().with(layer), || {
        let _outer = info_span!("outer", a = ?long, b, c = number, "@level" = d).entered();
        let _inner = info_span!("inner", a, d = f64::from_bits(number), long).entered();
        warn!("@message" = number, b = ?c, e = number.cast_signed(), f = long, g = ?long, "{message}");
    });

    let line = one_line(&tape.text());
    assert_eq!(line["@level"], "warn");
    assert!(
        fields::key(&a)
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_.-".contains(character))
    );
}

/// Parses the one line that `raw` must be, and checks it against every demand of the host.
pub(super) fn one_line(raw: &str) -> Map<String, Value> {
    assert!(raw.len() < HOSTS_LIMIT, "{} bytes", raw.len());
    assert_eq!(raw.matches('\n').count(), 1, "one line");
    assert!(raw.ends_with('\n'));
    let Ok(Value::Object(line)) = serde_json::from_str(raw) else { panic!("no JSON object: {raw}") };
    for (key, value) in &line {
        assert!(!key.starts_with('@') || value.is_string(), "{key}: {value}");
        assert!(!value.as_str().is_some_and(|text| text.contains(char::is_control)), "{key}: {value}");
    }
    for key in ["@level", "@message", "@module", "@timestamp"] {
        assert!(line.contains_key(key), "{key} in {raw}");
    }
    line
}

/// Keeps all bytes that are written to it.
#[derive(Clone, Default)]
pub(super) struct Tape(Arc<Mutex<Vec<u8>>>);

impl Tape {
    pub(super) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kept_fields_hold_the_claim() {
        seeds::replay("hclog", super::hclog);
    }
}
