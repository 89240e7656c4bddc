//! Unknown query parameters of a read: clients that were made for other engines send the parameters of those.

use serde_json::{Map, Value};

use crate::field::Field;
use crate::parse;
use crate::pattern::Parameters;
use crate::values;

/// The number of names that a warning repeats.
const NAMED: usize = 8;

/// Removes parameters from `query` that are neither fields nor part of the path, and returns a warning about them.
///
/// A read that refused them would fail for clients that cannot be changed: some send `version` or `role_arn` with every
/// read.
pub(crate) fn take_out(
    fields: &'static [Field],
    parameters: &Parameters,
    query: &mut Map<String, Value>,
) -> Option<String> {
    let is_known =
        |name: &str| parameters.contains_key(name) || fields.iter().any(|field| field.name == name);
    let unknown: Vec<String> = query.keys().filter(|name| !is_known(name)).cloned().collect();
    for name in &unknown {
        query.remove(name);
    }
    (!unknown.is_empty()).then(|| warning(&unknown, fields, parameters))
}

fn warning(unknown: &[String], fields: &'static [Field], parameters: &Parameters) -> String {
    let quoted: Vec<_> = unknown.iter().take(NAMED).map(|name| parse::quote(name)).collect();
    let more = match unknown.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let known = values::known_names(fields, parameters).unwrap_or_else(|| "none".to_owned());
    format!("ignored: {}{more}; the parameters of a read here: {known}", quoted.join(", "))
}
