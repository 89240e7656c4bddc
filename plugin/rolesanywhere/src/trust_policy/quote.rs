//! Keys and values of a policy in a line of ours.

use crate::shown::bounded;

/// Characters of a key or value, and how many values, a line shows: IAM's bounds are far above those of a line.
const MAX_SHOWN: usize = 256;
const MOST_LISTED: usize = 5;

/// A text of the document in a line of ours.
pub(super) fn shown(text: &str) -> String {
    bounded(text, MAX_SHOWN)
}

pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", shown(text))
}

/// The first of the values, and how many there are beside them.
pub(super) fn listed(values: &[String], separator: &str, shown: fn(&str) -> String) -> String {
    let first: Vec<String> = values.iter().take(MOST_LISTED).map(|value| shown(value)).collect();
    let others = values.len() - first.len();
    let and_others = if others > 0 { format!(" and {others} more") } else { String::new() };
    first.join(separator) + &and_others
}
