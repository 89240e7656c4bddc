//! Values from a request, as a part of the command in an error.

/// The longest value that a command repeats, in bytes.
const MAX_LENGTH: usize = 80;

/// Returns `text` where every shell takes it without quotes (1 to 80 bytes of ASCII letters, digits and `_-./:@`), else
/// `placeholder`.
///
/// Operators paste these commands, so a value that a caller chose must never become shell syntax.
pub fn word<'a>(text: &'a str, placeholder: &'a str) -> &'a str {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "_-./:@".contains(character);
    if (1..=MAX_LENGTH).contains(&text.len()) && text.chars().all(is_plain) { text } else { placeholder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_shell_takes_as_it_is_gets_into_a_command() {
        for plain in ["cost", "kubernetes.io/name", "a-b_c", "auth_jwt_1"] {
            assert_eq!(word(plain, "<key>"), plain);
        }
        for odd in ["", "a b", "`id`", "$(id)", "a\nb", "a;b", "ä", "a=b", &"a".repeat(81)] {
            assert_eq!(word(odd, "<key>"), "<key>", "{odd}");
        }
    }
}
