//! The fields of a role that AWS gets to see: which characters each may hold, and how long it may be.

use std::sync::LazyLock;

use regex::Regex;
use vault_backend::{Fault, quote};

/// Characters of a common name. The source identity `CN=<common name>` must fit the 64 characters of STS.
const MAX_COMMON_NAME: usize = 61;
/// Characters of O and OU (RFC 5280, appendix A.1).
const MAX_ORGANIZATION: usize = 64;
/// Characters of L (RFC 5280, appendix A.1).
const MAX_LOCALITY: usize = 128;
/// The longest value of a session tag, in characters, and so the bound of alternative names. Source: STS API reference, `Tag`.
pub(crate) const MAX_TAG: usize = 256;
/// Characters of a role session name. Source: STS API reference, `AssumeRole`.
const MAX_SESSION_NAME: usize = 64;
/// The subject O of the identity with which the engine itself calls AWS. No role may issue certificates for it, because a caller
/// of that role would then have the engine's own permissions.
pub const MANAGEMENT: &str = "iamra-management";

/// The refusal of tenant-written metadata in a common name. The common name is the source identity, by which AWS's audit log and
/// trust policies know a caller, so `allow_tenant_metadata` does not lift the refusal.
pub(crate) const TENANT_IN_CN: &str =
    "holds metadata that anyone who may edit the service account writes; it never becomes a common name";

/// A field of a role whose value AWS gets to see. Its name in the API is the variant's, in snake case, unless it says another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum SubjectField {
    /// Subject CN: a session tag, and the source identity.
    CommonName,
    /// Subject O.
    Organization,
    /// Subject OU.
    OrganizationalUnit,
    /// Subject C, two letters.
    Country,
    /// Subject L.
    Locality,
    /// The URI subject alternative names; the first is a session tag.
    #[strum(serialize = "uri_sans")]
    UriSan,
    /// The DNS subject alternative names; the first is a session tag.
    #[strum(serialize = "dns_sans")]
    DnsSan,
    /// The role session name.
    #[strum(serialize = "role_session_name")]
    SessionName,
    /// The value of a session tag of a hop into another role.
    #[strum(serialize = "session_tags")]
    SessionTag,
}

impl SubjectField {
    /// Returns the name of the role's field.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the largest length of a value, in characters.
    pub fn longest(self) -> usize {
        match self {
            Self::CommonName => MAX_COMMON_NAME,
            Self::Organization | Self::OrganizationalUnit => MAX_ORGANIZATION,
            Self::Country => 2,
            Self::Locality => MAX_LOCALITY,
            Self::UriSan | Self::DnsSan | Self::SessionTag => MAX_TAG,
            Self::SessionName => MAX_SESSION_NAME,
        }
    }

    /// Returns whether a value may hold `character`. AWS silently drops a session tag with any other character, and a condition
    /// with `StringNotEquals` on that tag then holds.
    ///
    /// Sources: STS API reference, `Tag` (`[\p{L}\p{Z}\p{N}_.:/=+\-@]`) and `AssumeRole` (`[\w+=,.@-]` for the source identity
    /// and the session name). A common name is both tag and source identity, so it takes no comma.
    pub fn takes(self, character: char) -> bool {
        let word = |character: char| character.is_ascii_alphanumeric() || "_+=.@-".contains(character);
        match self {
            Self::CommonName => word(character),
            Self::SessionName => word(character) || character == ',',
            _ => is_tag_character(character),
        }
    }

    /// The characters that [`Self::takes`] allows, for an error.
    fn characters(self) -> &'static str {
        match self {
            Self::CommonName => "letters from a to z, digits and _+=.@-",
            Self::SessionName => "letters from a to z, digits and _+=,.@-",
            _ => "letters, digits, spaces and _.:/=+-@",
        }
    }

    /// Checks a whole value: its characters and its length. A country must be two letters, and O must not be [`MANAGEMENT`] in
    /// any case, because IAM conditions may compare without case.
    ///
    /// # Errors
    /// The caller's, with field, value and bound.
    pub fn check(self, text: &str) -> Result<(), Fault> {
        self.check_characters(text)?;
        self.check_length(text)?;
        if self == Self::Country && !is_country(text) {
            return Err(self.refuse(text, "is not a code of two letters, such as DE"));
        }
        if self == Self::Organization && text.eq_ignore_ascii_case(MANAGEMENT) {
            return Err(self.refuse(text, "is reserved for the engine's own calls to AWS"));
        }
        Ok(())
    }

    /// Lengths are from 1 character, for a session name from 2 (STS API reference, `AssumeRole`).
    fn check_length(self, text: &str) -> Result<(), Fault> {
        let length = text.chars().count();
        let lengths = if self == Self::SessionName { 2 } else { 1 }..=self.longest();
        if !lengths.contains(&length) {
            let (least, most) = (lengths.start(), lengths.end());
            return Err(self.refuse(text, &format!("has {length} characters, {least} to {most} are allowed")));
        }
        Ok(())
    }

    /// Checks the characters of a value, or of a plain part of a template, and not its length.
    ///
    /// # Errors
    /// The caller's, with the first character that the field does not take and its position, counted from 1.
    pub fn check_characters(self, text: &str) -> Result<(), Fault> {
        match text.chars().position(|character| !self.takes(character)) {
            None => Ok(()),
            Some(at) => {
                let character = text.chars().nth(at).unwrap_or_default();
                let rule =
                    format!("may hold only {}, not {character:?} (character {})", self.characters(), at + 1);
                Err(self.refuse(text, &rule))
            }
        }
    }

    /// Returns the caller's fault `<field>: "<text>" <why>`. Long values are cut and control characters escaped.
    pub fn refuse(self, text: &str, why: &str) -> Fault {
        Fault::caller(format!("{}: {} {why}", self.name(), quote(text)))
    }
}

/// Whether `text` has the form of an ISO 3166 code of two letters. No list of countries is kept.
fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Returns whether a session tag may hold `character`. ASCII is decided without the regular expression.
pub fn is_tag_character(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || "_.:/=+-@ ".contains(character)
        || (!character.is_ascii() && is_letter_number_or_separator(character))
}

#[expect(clippy::expect_used, reason = "the pattern is a constant")]
fn is_letter_number_or_separator(character: char) -> bool {
    static CLASS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^[\p{L}\p{Z}\p{N}]$").expect("the pattern is a constant"));
    CLASS.is_match(character.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(field: SubjectField, text: &str) -> String {
        field.check(text).unwrap_err().to_string()
    }

    #[test]
    fn a_tag_takes_letters_of_any_script_and_the_characters_of_sts() {
        SubjectField::Organization.check("Zürich 東京 spiffe://a.b/c=d+e-f@g_9").unwrap();
    }

    #[test]
    fn a_tag_with_a_character_that_sts_refuses_is_refused() {
        for text in ["a,b", "*.example.com", "a\nb", "a\0b", "R&D", "a'b", "a\tb", "{{x}}", "a\u{200b}b"] {
            assert!(refusal(SubjectField::OrganizationalUnit, text).contains("may hold only"), "{text:?}");
        }
    }

    #[test]
    fn a_combining_mark_is_no_letter_for_sts() {
        assert!(refusal(SubjectField::Locality, "e\u{301}").contains("may hold only"));
    }

    #[test]
    fn a_common_name_of_61_characters_is_taken_and_of_62_refused() {
        SubjectField::CommonName.check(&"a".repeat(61)).unwrap();

        let text = refusal(SubjectField::CommonName, &"a".repeat(62));
        assert!(text.contains("62 characters, 1 to 61 are allowed"), "{text}");
    }

    #[test]
    fn a_common_name_has_the_characters_of_source_identity_and_tag_alike() {
        for text in ["a b", "a:b", "a/b", "ä", "a,b", "pаyments", "ｐ"] {
            assert!(refusal(SubjectField::CommonName, text).contains("may hold only"), "{text:?}");
        }
    }

    #[test]
    fn a_refused_text_of_ten_kilobytes_is_quoted_short_and_escaped() {
        let text = refusal(SubjectField::CommonName, &"\n".repeat(10_000));

        assert!(text.len() < 400 && text.starts_with(r#"common_name: "\n\n"#), "{text}");
    }

    #[test]
    fn a_session_name_of_one_character_is_refused() {
        assert!(refusal(SubjectField::SessionName, "a").contains("2 to 64"));
    }

    #[test]
    fn a_country_is_two_letters() {
        SubjectField::Country.check("DE").unwrap();

        for text in ["D", "DEU", "D1", "ÄÖ"] {
            assert!(SubjectField::Country.check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nobody_becomes_the_management_identity() {
        for text in ["iamra-management", "IAMRA-Management"] {
            assert!(refusal(SubjectField::Organization, text).contains("reserved"));
        }
    }
}
