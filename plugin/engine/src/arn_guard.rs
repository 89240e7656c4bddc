//! `allowed_role_arns`: the guard rail for operators who delegate the writing of roles.

use rolesanywhere::RoleArn;
use vault_backend::Fault;

/// Refuses `role` unless one of `globs` matches it; no globs allow every role.
///
/// `*` stands for any run of characters, as in an IAM policy's `Resource`; there is no other sign.
pub(crate) fn check(globs: &[String], role: &RoleArn) -> Result<(), Fault> {
    let text = role.to_string();
    if globs.is_empty() || globs.iter().any(|glob| matches(glob, &text)) {
        return Ok(());
    }
    Err(Fault::operator(format!(
        "role_arn: {text:?} matches none of the config's allowed_role_arns ({})",
        globs.join(", ")
    )))
}

fn matches(glob: &str, text: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let (middles, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for middle in middles.split('*') {
        match left.find(middle) {
            Some(at) => left = &left[at + middle.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
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
}
