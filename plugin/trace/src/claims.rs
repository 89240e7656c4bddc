//! A claim that holds for every file. `fuzz/` searches for an input that breaks it; the test below replays the inputs that it kept.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a claim that does not hold panics: that is what it is for"
)]

use crate::{Selection, Trace};

/// The longest message about a line or a file in bytes.
const MAX_MESSAGE: usize = 2_048;

/// A log file of strangers.
///
/// Reading ends with a report or a short error. A report as text has no character that a terminal obeys but the ends of lines, and
/// as JSON it is JSON. Sessions are in the order of their time, each once.
pub fn trace(input: &[u8]) {
    let mut trace = Trace::new(Selection::default());
    if let Err(error) = trace.read("events", input) {
        let shown = error.to_string();
        assert!(shown.len() <= MAX_MESSAGE && !shown.contains(char::is_control), "{shown:?}");
    }
    let report = trace.report();
    for message in &report.skipped.first {
        assert!(message.len() <= MAX_MESSAGE, "{message:?}");
    }
    let text = report.to_string();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    let json = serde_json::to_string(&report).expect("a report is JSON");
    let back: serde_json::Value = serde_json::from_str(&json).expect("a report is JSON");
    assert!(back["sessions"].is_array(), "{json}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kept_files_hold_the_claim() {
        seeds::replay("trace", super::trace);
    }
}
