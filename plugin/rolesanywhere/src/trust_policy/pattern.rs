//! IAM's patterns: `*` matches any text, `?` one character.

/// Whether `text` matches `pattern`.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // The position of the last star, and the position in the text from which it was tried.
    let (mut star, mut p, mut t) = (None, 0, 0);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(character) if *character == '?' || *character == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (pattern, text) in [("a*c", "abbc"), ("*", ""), ("a?c", "abc"), ("*b*b", "abab"), ("a**", "a")] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "abd"), ("a?c", "ac"), ("", "a"), ("*b", "ba"), ("A", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_long_time() {
        let (pattern, text) = ("*a".repeat(2_000) + "b", "a".repeat(4_000));

        assert!(!fits(&pattern, &text));
    }

    /// The definition, without regard to time.
    fn means(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => means(rest, text),
            (Some((b'*', rest)), Some((_, after))) => means(rest, text) || means(pattern, after),
            (Some((character, rest)), Some((first, after))) => {
                (*character == b'?' || character == first) && means(rest, after)
            }
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn a_pattern_fits_what_its_characters_mean(pattern in "[ab*?]{0,9}", text in "[ab]{0,9}") {
            proptest::prop_assert_eq!(fits(&pattern, &text), means(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
