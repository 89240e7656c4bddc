//! IAM's patterns: `*` for any text, `?` for one character.

/// Whether `text` fits `pattern`.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Where the last star stands, and from where in the text it was tried.
    let (mut star, mut p, mut t) = (None, 0, 0);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(sign) if *sign == '?' || *sign == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|sign| *sign == '*')
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

    /// What the words mean, without any thought of time.
    fn means(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => means(rest, text),
            (Some((b'*', rest)), Some((_, after))) => means(rest, text) || means(pattern, after),
            (Some((sign, rest)), Some((first, after))) => {
                (*sign == b'?' || sign == first) && means(rest, after)
            }
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn a_pattern_fits_what_its_signs_mean(pattern in "[ab*?]{0,9}", text in "[ab]{0,9}") {
            proptest::prop_assert_eq!(fits(&pattern, &text), means(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
