//! `allowed_role_arns` of the config: the IAM roles that roles may name, for operators who delegate the writing of roles.

use rolesanywhere::{RoleArn, Wildcards};
use vault_backend::Fault;

/// Checks that one of `globs` matches `role`, the value of `field`; an empty list allows every IAM role.
///
/// `*` stands for any run of characters, as in an IAM policy's `Resource`. No other character is special, not even `?`, which is
/// one in such a policy.
///
/// # Errors
/// The operator's: no glob matches.
pub(crate) fn check(globs: &[String], field: &str, role: &RoleArn) -> Result<(), Fault> {
    let text = role.to_string();
    if globs.is_empty() || globs.iter().any(|glob| matches(glob, &text)) {
        return Ok(());
    }
    Err(Fault::operator(format!(
        "{field}: {text:?} matches none of the config's allowed_role_arns ({})",
        globs.join(", ")
    ))
    .cure("name another IAM role, or add a glob for this one to allowed_role_arns of the config"))
}

/// Returns a warning where `after` lets roles name IAM roles that `before` did not; `None` where it is the same, narrower or new.
///
/// A glob of `after` must lie inside one glob of `before`. One that only several of them cover together counts as wider.
pub(crate) fn lifted(before: &[String], after: &[String]) -> Option<String> {
    if before.is_empty() {
        return None;
    }
    let until_now = before.join(", ");
    if after.is_empty() {
        return Some(format!(
            "allowed_role_arns: lifted; roles may now name every IAM role, until now only {until_now}"
        ));
    }
    let wider: Vec<_> = after
        .iter()
        .filter(|glob| !before.iter().any(|outer| matches(outer, glob)))
        .map(String::as_str)
        .collect();
    (!wider.is_empty()).then(|| {
        format!(
            "allowed_role_arns: widened by {}; until now roles could name only {until_now}",
            wider.join(", ")
        )
    })
}

/// Returns whether `glob` matches the whole `text`, which may be another glob. AWS's patterns have `?` too; these do not, because a
/// `?` may stand in the path of an IAM role.
fn matches(glob: &str, text: &str) -> bool {
    Wildcards::Star.fit(glob, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:iam::111122223333:role/pods/payments-api";

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for glob in ["*", "arn:aws:iam::111122223333:role/*", "*:role/pods/*", "arn:*:role/*/payments-*", ARN]
        {
            assert!(matches(glob, ARN), "{glob}");
        }
    }

    #[test]
    fn a_question_mark_is_itself_and_no_wildcard_as_it_is_in_a_policy_of_iam() {
        let (glob, text) =
            ("arn:aws:iam::111122223333:role/what?/*", "arn:aws:iam::111122223333:role/what?/app");

        assert!(matches(glob, text));
        assert!(!matches(glob, "arn:aws:iam::111122223333:role/whats/app"));
        assert!(Wildcards::StarAndQuestionMark.fit(glob, "arn:aws:iam::111122223333:role/whats/app"));
    }

    #[test]
    fn a_glob_without_its_ends_or_middles_does_not_match() {
        for glob in
            ["", "arn:aws:iam::111122223333:role/", "*:role/admin/*", "arn:*api-x", "role/*", "*pods*pods*"]
        {
            assert!(!matches(glob, ARN), "{glob}");
        }
    }

    #[test]
    fn overlapping_ends_do_not_match_twice() {
        assert!(!matches("arn:ab*ba", "arn:aba"));
    }

    /// The warning about a change from `before` to `after`.
    fn lifts(before: &[&str], after: &[&str]) -> Option<String> {
        let owned = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
        lifted(&owned(before), &owned(after))
    }

    #[test]
    fn a_guard_that_lets_more_through_says_what() {
        assert!(lifts(&["*:role/pods/*"], &[]).unwrap().contains("until now only *:role/pods/*"));
        for wider in ["*", "*:role/*", "*:role/pods*", "*:role/admin/*", "*:role/pods"] {
            let text = lifts(&["*:role/pods/*"], &["*:role/pods/*", wider]).unwrap();

            assert!(text.contains(&format!("widened by {wider};")), "{text}");
        }
    }

    #[test]
    fn a_guard_that_is_new_the_same_or_narrower_says_nothing() {
        for (before, after) in [
            (&[][..], &["*:role/pods/*"][..]),
            (&[], &[]),
            (&["*:role/pods/*"], &["*:role/pods/*"]),
            (&["*:role/pods/*"], &["*:role/pods/web-*", ARN]),
            (&["a", "b"], &["b"]),
        ] {
            assert_eq!(lifts(before, after), None, "{before:?} {after:?}");
        }
    }
}
