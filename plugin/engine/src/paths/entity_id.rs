//! The id of a Vault entity, as operators give it.

use vault_backend::{Fault, quote};

/// The longest id in characters. Vault's ids are UUIDs of 36 characters; the rest is room for another form.
const MAX_LENGTH: usize = 64;

/// Takes `text` as an id. The id goes into errors and into commands that an operator pastes, so nothing but letters, digits and
/// dashes is let through.
///
/// # Errors
/// The caller's fault if it is not 1 to [`MAX_LENGTH`] letters, digits and dashes.
pub(crate) fn parse(text: String) -> Result<String, Fault> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed) {
        return Ok(text);
    }
    Err(Fault::caller(format!(
        "entity_id: {} is not an entity id (1 to {MAX_LENGTH} letters, digits and dashes; vault token lookup shows a token's)",
        quote(&text)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entitys_id_is_letters_digits_and_dashes() {
        let longest = "a".repeat(MAX_LENGTH);
        for good in ["0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01", "entity-1", &longest] {
            assert_eq!(parse(good.to_owned()).unwrap(), good);
        }
        let too_long = "a".repeat(MAX_LENGTH + 1);
        for bad in ["", "a b", "a/../b", "`id`", "a\n", "ä", &too_long] {
            let error = parse(bad.to_owned()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("entity_id: {bad:.80?} is not an entity id")), "{error}");
        }
    }
}
