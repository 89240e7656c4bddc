//! Keys and values of a policy, quoted for one line.

use crate::shown::bounded;

/// The characters of a key or value, and the number of values, that a line shows: IAM's own bounds are far higher.
const MAX_SHOWN: usize = 256;
const MAX_LISTED: usize = 5;

/// Cuts a text of the document for one line.
pub(super) fn shown(text: &str) -> String {
    bounded(text, MAX_SHOWN)
}

pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", shown(text))
}

/// Lists the first values, and the number of the others.
pub(super) fn listed(values: &[String], separator: &str, shown: fn(&str) -> String) -> String {
    let first: Vec<String> = values.iter().take(MAX_LISTED).map(|value| shown(value)).collect();
    let others = values.len() - first.len();
    let and_others = if others > 0 { format!(" and {others} more") } else { String::new() };
    first.join(separator) + &and_others
}
