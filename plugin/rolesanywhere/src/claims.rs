//! Claims that hold for every answer, from AWS or from another party in its place. `fuzz/` searches for an input that breaks a
//! claim; the tests below replay the inputs that it kept.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a claim that does not hold panics: that is what it is for"
)]

mod aws;
mod documents;

pub use aws::aws_answer;
pub use documents::{denials, trust_policy};

/// The longest error in bytes, for any answer: an error goes into answers, logs and the audit log.
const MAX_ERROR: usize = 4_096;

fn one_short_line(text: &str) {
    assert!(text.len() <= MAX_ERROR, "{} bytes: {text}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_answers_of_aws_hold_the_claim() {
        seeds::replay("aws_answer", aws_answer);
    }

    #[test]
    fn the_kept_trust_policies_hold_the_claim() {
        seeds::replay("trust_policy", trust_policy);
    }

    #[test]
    fn the_kept_denials_hold_the_claim() {
        seeds::replay("denials", denials);
    }
}
