//! Patterns with wildcards.

/// The wildcards of a pattern. Each other character stands for itself, and upper and lower case differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wildcards {
    /// `*` stands for any run of characters, also for none. A `?` stands for itself, as in the path of an IAM role.
    ///
    /// The text may be such a pattern too: only a `*` matches its `*`, so a pattern that fits another one fits every text that
    /// the other one fits.
    Star,
    /// As [`Wildcards::Star`], and `?` stands for one character: the patterns of IAM's policies, such as those of `StringLike`.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
    StarAndQuestionMark,
}

impl Wildcards {
    /// Returns whether the whole `text` matches `pattern`.
    pub fn fit(self, pattern: &str, text: &str) -> bool {
        let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        // The position of the last star, and the position in the text from which it was tried.
        let (mut star, mut p, mut t) = (None, 0, 0);
        while t < text.len() {
            match pattern.get(p) {
                Some('*') => {
                    star = Some((p, t));
                    p += 1;
                }
                Some(character) if self.is_one(*character) || *character == text[t] => {
                    (p, t) = (p + 1, t + 1);
                }
                _ => {
                    let Some((at, from)) = star else { return false };
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
            }
        }
        pattern[p..].iter().all(|character| *character == '*')
    }

    /// Whether `character` of a pattern stands for any one character.
    fn is_one(self, character: char) -> bool {
        self == Self::StarAndQuestionMark && character == '?'
    }
}

#[cfg(test)]
mod tests {
    use super::Wildcards::{self, Star, StarAndQuestionMark};

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (pattern, text) in [("a*c", "abbc"), ("*", ""), ("a?c", "abc"), ("*b*b", "abab"), ("a**", "a")] {
            assert!(StarAndQuestionMark.fit(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "abd"), ("a?c", "ac"), ("", "a"), ("*b", "ba"), ("A", "a")] {
            assert!(!StarAndQuestionMark.fit(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_question_mark_stands_for_one_character_to_iam_and_else_for_itself() {
        let fits = |wildcards: Wildcards| ["a?c", "abc"].map(|text| wildcards.fit("a?c", text));

        assert_eq!(fits(StarAndQuestionMark), [true, true]);
        assert_eq!(fits(Star), [true, false]);
    }

    #[test]
    fn many_stars_take_no_long_time() {
        let (pattern, text) = ("*a".repeat(2_000) + "b", "a".repeat(4_000));

        assert!(!StarAndQuestionMark.fit(&pattern, &text));
    }

    /// The definition, without regard to time.
    fn means(wildcards: Wildcards, pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => means(wildcards, rest, text),
            (Some((b'*', rest)), Some((_, after))) => {
                means(wildcards, rest, text) || means(wildcards, pattern, after)
            }
            (Some((character, rest)), Some((first, after))) => {
                let is_one = *character == b'?' && wildcards == StarAndQuestionMark;
                (is_one || character == first) && means(wildcards, rest, after)
            }
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn a_pattern_fits_what_its_characters_mean(pattern in "[ab*?]{0,9}", text in "[ab?]{0,9}") {
            for wildcards in [Star, StarAndQuestionMark] {
                let meant = means(wildcards, pattern.as_bytes(), text.as_bytes());

                proptest::prop_assert_eq!(wildcards.fit(&pattern, &text), meant, "{:?}", wildcards);
            }
        }

        #[test]
        fn a_pattern_of_stars_that_fits_another_fits_all_that_the_other_fits(
            outer in "[a*?]{0,4}",
            inner in "[a*?]{0,4}",
            text in "[a?]{0,5}",
        ) {
            let is_inside = Star.fit(&outer, &inner) && Star.fit(&inner, &text);

            proptest::prop_assert!(!is_inside || Star.fit(&outer, &text));
        }
    }
}
