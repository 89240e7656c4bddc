//! Which engine role a pod asks for: the one in the path, else the one of the pattern, else the fallback.

use std::fmt;
use std::str::FromStr;

use crate::refusal::Refusal;
use crate::token::Claims;

/// The longest name of a role, in bytes: the longest namespace, a dot, the longest service account, and room for a prefix.
pub const MAX_ROLE: usize = 384;

/// The name of an engine role: letters, digits and `_`, and inside also `.`, `-` and `@`, as Vault's `GenericNameWithAtRegex` takes
/// them; never two dots in a row. So it is one segment of a path in every spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EngineRole(Box<str>);

impl EngineRole {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EngineRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is no name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a role: at most {MAX_ROLE} letters, digits and _, and inside also . - and @, never two dots in a row"
)]
pub struct RoleError;

impl FromStr for EngineRole {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<EngineRole, RoleError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_inside = |byte: u8| is_word(byte) || b".-@".contains(&byte);
        let bytes = text.as_bytes();
        let is_name = bytes.len() <= MAX_ROLE
            && bytes.first().is_some_and(|first| is_word(*first))
            && bytes.last().is_some_and(|last| is_word(*last))
            && bytes.iter().all(|byte| is_inside(*byte))
            && !text.contains("..");
        if is_name { Ok(EngineRole(text.into())) } else { Err(RoleError) }
    }
}

/// How an engine role is named after a service account, such as `{namespace}.{service_account}`. A namespace has no dot, so with a
/// dot behind it no two service accounts have the same role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolePattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Namespace,
    ServiceAccount,
}

/// A pattern that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Another name between braces.
    #[error("{{{0}}} is unknown: a pattern has {{namespace}} and {{service_account}}")]
    Unknown(String),
    /// An opening brace alone.
    #[error("a {{ has no }}")]
    Open,
    /// What it gives can never be the name of a role.
    #[error("it gives {0:?}, which is {RoleError}")]
    NoRole(String),
}

impl RolePattern {
    /// The role of a service account; none where the token does not name what the pattern asks for, or the name is too long.
    pub fn role(&self, claims: &Claims) -> Option<EngineRole> {
        self.text(claims.namespace.as_deref(), claims.service_account.as_deref())?.parse().ok()
    }

    fn text(&self, namespace: Option<&str>, service_account: Option<&str>) -> Option<String> {
        let text_of = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Namespace => namespace.map(str::to_owned),
            Part::ServiceAccount => service_account.map(str::to_owned),
        };
        self.parts.iter().map(text_of).collect()
    }
}

impl FromStr for RolePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<RolePattern, PatternError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or(PatternError::Open)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name {
                "namespace" => Part::Namespace,
                "service_account" => Part::ServiceAccount,
                other => return Err(PatternError::Unknown(other.to_owned())),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let pattern = RolePattern { parts };
        let example = pattern.text(Some("namespace"), Some("account")).unwrap_or_default();
        if example.parse::<EngineRole>().is_err() {
            return Err(PatternError::NoRole(example));
        }
        Ok(pattern)
    }
}

/// The roles that are tried for one request, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleChoice {
    /// The first one.
    pub first: EngineRole,
    /// Asked for when the engine has no such role as the first.
    pub fallback: Option<EngineRole>,
}

/// How roles are chosen on this node.
#[derive(Clone, Debug)]
pub struct Roles {
    /// The pattern for pods that name no role.
    pub pattern: RolePattern,
    /// The role of pods for which the engine has none by the pattern.
    pub fallback: Option<EngineRole>,
}

impl Roles {
    /// The roles to try for a pod with these `claims`, which named `asked` in the path or nothing.
    ///
    /// # Errors
    /// The token does not say which service account it is of, and there is no fallback.
    pub fn choose(&self, asked: Option<EngineRole>, claims: &Claims) -> Result<RoleChoice, Refusal> {
        if let Some(first) = asked {
            return Ok(RoleChoice { first, fallback: None });
        }
        match (self.pattern.role(claims), self.fallback.clone()) {
            (Some(first), fallback) => {
                let other = fallback.filter(|fallback| *fallback != first);
                Ok(RoleChoice { first, fallback: other })
            }
            (None, Some(fallback)) => Ok(RoleChoice { first: fallback, fallback: None }),
            (None, None) => Err(Refusal::lasting(
                400,
                "NoServiceAccount",
                "the token does not name a namespace and a service account: send a projected service-account token",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn role(name: &str) -> EngineRole {
        name.parse().unwrap()
    }

    fn pod(namespace: &str, service_account: &str) -> Claims {
        Claims {
            namespace: Some(namespace.to_owned()),
            service_account: Some(service_account.to_owned()),
            ..Claims::default()
        }
    }

    fn roles(pattern: &str, fallback: Option<&str>) -> Roles {
        Roles { pattern: pattern.parse().unwrap(), fallback: fallback.map(role) }
    }

    const STANDARD: &str = "{namespace}.{service_account}";

    #[test]
    fn a_role_is_named_after_namespace_and_service_account() {
        let choice = roles(STANDARD, Some("prod-pods")).choose(None, &pod("payments", "api.v2")).unwrap();

        assert_eq!((choice.first, choice.fallback), (role("payments.api.v2"), Some(role("prod-pods"))));
    }

    #[test]
    fn a_role_in_the_path_is_asked_for_alone() {
        let choice = roles(STANDARD, Some("prod-pods")).choose(Some(role("other")), &pod("a", "b")).unwrap();

        assert_eq!(choice, RoleChoice { first: role("other"), fallback: None });
    }

    #[test]
    fn a_token_without_names_gets_the_fallback_or_is_refused() {
        let nobody = Claims::default();

        assert_eq!(roles(STANDARD, Some("x")).choose(None, &nobody).unwrap().first, role("x"));
        assert_eq!(roles(STANDARD, None).choose(None, &nobody).unwrap_err().code, "NoServiceAccount");
    }

    #[test]
    fn a_prefix_tells_two_clusters_apart() {
        assert_eq!(
            roles("stage-{namespace}.{service_account}", None).pattern.role(&pod("a", "b")).unwrap(),
            role("stage-a.b")
        );
    }

    #[test]
    fn a_pattern_that_can_name_no_role_is_refused() {
        for (pattern, words) in [
            ("{pod}", "{pod} is unknown"),
            ("{namespace", "has no }"),
            ("", "not the name of a role"),
            ("{namespace}/{service_account}", "not the name of a role"),
            (".{namespace}", "not the name of a role"),
        ] {
            let error = pattern.parse::<RolePattern>().unwrap_err().to_string();

            assert!(error.contains(words), "{pattern}: {error}");
        }
    }

    #[test]
    fn no_spelling_of_another_path_is_a_role() {
        for text in [
            "",
            ".",
            "..",
            "a/b",
            "a..b",
            "..%2fconfig",
            "a%2Fb",
            "a b",
            "a\\b",
            "a?b",
            "-a",
            "a.",
            "é",
            "a\n",
            &"a".repeat(MAX_ROLE + 1),
        ] {
            assert_eq!(text.parse::<EngineRole>(), Err(RoleError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn two_service_accounts_never_have_one_role(
            left in "[a-z]([a-z-]{0,3}[a-z])?", first in "[a-z](\\.?[a-z-]{0,2}[a-z])?",
            right in "[a-z]([a-z-]{0,3}[a-z])?", second in "[a-z](\\.?[a-z-]{0,2}[a-z])?",
        ) {
            let pattern: RolePattern = STANDARD.parse().unwrap();
            let roles = (pattern.role(&pod(&left, &first)), pattern.role(&pod(&right, &second)));

            prop_assert!(roles.0.is_some());
            prop_assert_eq!(roles.0 == roles.1, left == right && first == second);
        }
    }
}
