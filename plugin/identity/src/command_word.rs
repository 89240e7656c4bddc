//! Texts of whoever asks, as a command in an error may hold them.

/// Longest text that is taken as it is, in bytes.
const MAX_LENGTH: usize = 80;

/// `text` as a part of a command: as it is where every shell takes it so, else `placeholder`.
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
