//! The instance properties of a role: what Roles Anywhere records with a certificate's subject.

use std::collections::BTreeMap;

use vault_backend::{Fault, Values, quote};

/// The most instance properties that CreateSession takes (API model, `InstancePropertyMap`).
const MAX_PROPERTIES: usize = 50;
/// The most characters of a key or a value of an instance property; the least is 1 (the same model).
const MAX_PROPERTY: usize = 200;

/// Reads the properties of a role write.
///
/// # Errors
/// The caller's: there are too many, or one is empty or too long.
pub(crate) fn instance_properties(values: &Values) -> Result<BTreeMap<String, String>, Fault> {
    let given = values.pairs("instance_properties")?.unwrap_or_default();
    if given.len() > MAX_PROPERTIES {
        return Err(Fault::caller(format!(
            "instance_properties: {} entries, at most {MAX_PROPERTIES} are allowed",
            given.len()
        )));
    }
    let lengths = 1..=MAX_PROPERTY;
    for (key, value) in &given {
        if !lengths.contains(&key.chars().count()) || !lengths.contains(&value.chars().count()) {
            return Err(Fault::caller(format!(
                "instance_properties: {} and its value must have 1 to {MAX_PROPERTY} characters",
                quote(key)
            )));
        }
    }
    Ok(given)
}
