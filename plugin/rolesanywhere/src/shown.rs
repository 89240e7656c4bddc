//! Texts from AWS, made safe for logs and answers.

/// IAM's bound of an ARN.
const MAX_LINE: usize = 2048;

/// Returns the text without control characters, cut to `most` characters.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect();
    if text.chars().count() > most { shown + "…" } else { shown }
}

/// Returns `text` unchanged if it fits into logs and answers.
///
/// # Errors
/// It has control characters or more than [`MAX_LINE`] characters; the error has `name` and nothing of the text.
pub(crate) fn line(name: &str, text: String) -> Result<String, String> {
    if text.chars().count() > MAX_LINE || text.chars().any(char::is_control) {
        return Err(format!("{name} is not one line of at most {MAX_LINE} characters"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_on_one_line_and_cut_at_its_bound() {
        assert_eq!(bounded("a\nb\u{1b}c", 5), "a b c");
        assert_eq!(bounded("äöüß", 3), "äöü…");
    }

    #[test]
    fn a_line_is_taken_as_it_is_or_refused_without_being_repeated() {
        let longest = "ä".repeat(MAX_LINE);

        assert_eq!(line("arn", longest.clone()).unwrap(), longest);
        for odd in [longest + "ä", "a\nb".to_owned()] {
            assert_eq!(line("arn", odd).unwrap_err(), "arn is not one line of at most 2048 characters");
        }
    }
}
