//! Text of a role that ends up in a certificate, and who is asking for it.
//!
//! Today a [`Text`] is plain: every caller of a role gets the same. Identity templates (`{{…}}` over the caller's entity) will be
//! parsed in [`Text::parse`] and resolved in [`Text::resolve`]; until then a template is refused when the role is written, so
//! that braces never reach a certificate.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Request};

/// What STS accepts in the value of a session tag; AWS drops other values silently, and a `StringNotEquals` policy then passes.
/// Source: STS API reference, `Tag`.
static TAG_VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$").expect("the pattern is a constant"));
/// What STS accepts in a source identity and a role session name. Source: STS API reference, `AssumeRole`.
static STS_NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z0-9_+=,.@-]+$").expect("the pattern is a constant"));

/// Longest common name whose source identity `CN=<common name>` still fits the 64 characters of STS.
const LONGEST_COMMON_NAME: usize = 61;
const LONGEST_TAG_VALUE: usize = 256;
const SESSION_NAME_LENGTHS: std::ops::RangeInclusive<usize> = 2..=64;

/// Where a text goes, and so what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The subject's common name: also the source identity of the session.
    CommonName,
    /// Any other part of the subject, or a subject alternative name: a session tag.
    Tag,
    /// The role session name.
    SessionName,
}

impl Place {
    /// `text`, or a fault that names `field`, the value and the rule.
    fn check(self, field: &str, text: &str) -> Result<(), Fault> {
        let length = text.chars().count();
        let (pattern, signs, lengths) = match self {
            Self::CommonName => (&STS_NAME, "letters, digits and _+=,.@-", 1..=LONGEST_COMMON_NAME),
            Self::Tag => (&TAG_VALUE, "letters, digits, spaces and _.:/=+-@", 1..=LONGEST_TAG_VALUE),
            Self::SessionName => (&STS_NAME, "letters, digits and _+=,.@-", SESSION_NAME_LENGTHS),
        };
        if !lengths.contains(&length) {
            let (least, most) = (lengths.start(), lengths.end());
            return Err(Fault::caller(format!(
                "{field}: {text:?} has {length} characters, {least} to {most} are allowed"
            )));
        }
        if !pattern.is_match(text) {
            return Err(Fault::caller(format!("{field}: {text:?} may hold only {signs}")));
        }
        Ok(())
    }
}

/// A role's text for the certificate or the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text(String);

impl Text {
    /// Reads `text` of `field`, once, when the role is written.
    pub(crate) fn parse(place: Place, field: &str, text: &str) -> Result<Self, Fault> {
        if text.contains("{{") || text.contains("}}") {
            return Err(Fault::caller(format!(
                "{field}: {text:?} is an identity template, which this version does not support yet; use plain text"
            )));
        }
        place.check(field, text)?;
        Ok(Self(text.to_owned()))
    }

    /// The text for `caller`.
    #[expect(clippy::unnecessary_wraps, reason = "a template's entity, alias or key may be missing")]
    pub(crate) fn resolve(&self, _caller: Caller) -> Result<String, Fault> {
        Ok(self.0.clone())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who is asking, as Vault knows it. Plain texts do not need to know; templates will ask for the entity and its aliases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller;

impl Caller {
    pub(crate) fn of(_request: &Request) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(place: Place, text: &str) -> String {
        Text::parse(place, "organization", text).unwrap_err().to_string()
    }

    #[test]
    fn a_tag_takes_letters_of_any_script_and_the_signs_of_sts() {
        Text::parse(Place::Tag, "organization", "Zürich 東京 spiffe://a.b/c=d+e-f@g").unwrap();
    }

    #[test]
    fn a_tag_with_a_sign_that_sts_refuses_is_refused() {
        for text in ["a,b", "*.example.com", "a\nb", "a\0b", "R&D", "a'b"] {
            assert!(refusal(Place::Tag, text).contains("may hold only"), "{text:?}");
        }
    }

    #[test]
    fn a_combining_mark_is_no_letter_for_sts() {
        assert!(refusal(Place::Tag, "e\u{301}").contains("may hold only"));
    }

    #[test]
    fn a_common_name_of_61_characters_is_taken_and_of_62_refused() {
        Text::parse(Place::CommonName, "common_name", &"a".repeat(61)).unwrap();

        assert!(refusal(Place::CommonName, &"a".repeat(62)).contains("62 characters, 1 to 61 are allowed"));
    }

    #[test]
    fn a_common_name_outside_the_signs_of_a_source_identity_is_refused() {
        for text in ["a b", "a:b", "a/b", "ä"] {
            assert!(refusal(Place::CommonName, text).contains("may hold only"), "{text:?}");
        }
    }

    #[test]
    fn a_template_is_refused_until_templates_exist() {
        let text = refusal(Place::Tag, "{{kubernetes.namespace}}");

        assert!(text.contains("does not support yet"), "{text}");
    }

    #[test]
    fn a_session_name_of_one_character_is_refused() {
        assert!(refusal(Place::SessionName, "a").contains("2 to 64"));
    }
}
