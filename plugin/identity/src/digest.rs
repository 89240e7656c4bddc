//! The template function `short`: a value that is too long for its field, or holds characters that the field does not take,
//! becomes a legal prefix and a digest of the whole value.

use aws_lc_rs::digest::{SHA256, digest};

/// Hex digits of the digest: 96 bits. A person who may choose names without end, such as those of branches, can try 2^48 of them.
/// With half as many digits, that is enough to find a name that is shortened to another caller's value.
const DIGITS: usize = 24;

/// The first byte of the digest's input for several values: each value follows its length as 8 bytes, big-endian, and no length
/// reaches 2^56. A single value that begins with this byte is hashed behind [`SINGLE`], so its digest is never that of several
/// values. Every other single value has its plain SHA-256.
const LENGTH: u8 = 0;
/// A byte that UTF-8 never contains, so no value begins with it.
const SINGLE: u8 = 0xff;

/// Returns whether `value` needs no shortening: the field takes all its characters, and it does not look like a shortened value.
/// One that looks so is shortened again, because its holder could otherwise take the name to which another caller's value is
/// shortened.
///
/// The length is not checked here.
pub(crate) fn may_stay(value: &str, takes: impl Fn(char) -> bool) -> bool {
    value.chars().all(takes) && !looks_short(value)
}

/// Returns `<legal prefix>-<24 hex digits of the value's SHA-256>` (see [`SINGLE`]) in at most `room` characters.
///
/// The prefix ends before the first character that the field does not take, and loses characters at its end that are neither
/// letter nor digit. Where no prefix fits, the digits stand alone; with a `room` below 24 they are longer than it, and the caller
/// must check that.
pub(crate) fn shorten(value: &str, room: usize, takes: impl Fn(char) -> bool) -> String {
    let mark: &[u8] = if value.as_bytes().first() == Some(&LENGTH) { &[SINGLE] } else { &[] };
    joined(value, digits_of(&[mark, value.as_bytes()]), room, takes)
}

/// As [`shorten`], for several values that become one: the prefix is of the first value, the digest of all of them. Each value is
/// hashed behind its length, so `ab`, `c` and `a`, `bc` differ.
pub(crate) fn shorten_all(values: &[&str], room: usize, takes: impl Fn(char) -> bool) -> String {
    let lengths: Vec<[u8; 8]> = values.iter().map(|value| (value.len() as u64).to_be_bytes()).collect();
    let parts: Vec<&[u8]> = lengths
        .iter()
        .zip(values)
        .flat_map(|(length, value)| [length.as_slice(), value.as_bytes()])
        .collect();
    joined(values.first().copied().unwrap_or_default(), digits_of(&parts), room, takes)
}

/// Joins the legal prefix of `value` to `digits`; one character of `room` is the dash between them.
fn joined(value: &str, digits: String, room: usize, takes: impl Fn(char) -> bool) -> String {
    let prefix: String = value
        .chars()
        .take_while(|character| takes(*character))
        .take(room.saturating_sub(DIGITS + 1))
        .collect();
    let prefix = prefix.trim_end_matches(|character: char| !character.is_alphanumeric());
    if prefix.is_empty() { digits } else { format!("{prefix}-{digits}") }
}

/// The first [`DIGITS`] hex digits, lowercase, of the SHA-256 of all `parts` in a row.
fn digits_of(parts: &[&[u8]]) -> String {
    let mut digits = hex::encode(digest(&SHA256, &parts.concat()));
    digits.truncate(DIGITS);
    digits
}

/// Returns whether `value` ends in [`DIGITS`] lowercase hex digits that stand alone or behind a dash, as a shortened value does.
fn looks_short(value: &str) -> bool {
    let Some(start) = value.len().checked_sub(DIGITS) else { return false };
    let (before, digits) = value.as_bytes().split_at(start);
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.iter().all(is_hex) && before.last().is_none_or(|character| *character == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the characters of a common name.
    fn word(character: char) -> bool {
        character.is_ascii_alphanumeric() || "_+=.@-".contains(character)
    }

    #[test]
    fn a_shortened_value_is_a_prefix_and_the_digest_of_the_whole() {
        let digits = "ba7816bf8f01cfea414140de";

        assert_eq!(shorten("abc", 61, word), format!("abc-{digits}"));
        assert_eq!(shorten("abc", 26, word), format!("a-{digits}"));
        assert_eq!(shorten("abc", 24, word), digits);
    }

    #[test]
    fn the_prefix_ends_with_the_first_illegal_character() {
        let path = "project_path:group/app:ref_type:branch:ref:main";

        let short = shorten(path, 61, word);

        assert!(short.starts_with("project_path-") && short.len() == "project_path-".len() + 24, "{short}");
    }

    #[test]
    fn values_that_are_shortened_together_keep_apart_however_they_are_split() {
        let short = |values: &[&str]| shorten_all(values, 61, word);

        let texts = [short(&["ab", "c"]), short(&["a", "bc"]), short(&["ab", "", "c"]), short(&["abc"])];

        assert!(texts[0].starts_with("ab-") && texts[0].len() == 3 + 24, "{texts:?}");
        let digits: std::collections::BTreeSet<_> =
            texts.iter().map(|text| text.rsplit('-').next()).collect();
        assert_eq!(digits.len(), texts.len(), "{texts:?}");
    }

    #[test]
    fn one_value_that_reads_like_several_is_not_shortened_as_they_are() {
        let like_several = "\0\0\0\0\0\0\0\x02/b\0\0\0\0\0\0\0\x01c";

        assert_ne!(shorten(like_several, 61, word), shorten_all(&["/b", "c"], 61, word));
    }

    #[test]
    fn what_looks_shortened_may_not_stay() {
        assert!(may_stay("kube-state-metrics", word));
        assert!(may_stay("0123456789abcdef012345678", word));
        assert!(may_stay("api-7d4b9c6f58-0123456789ab", word));
        for value in ["abc-ba7816bf8f01cfea414140de", "ba7816bf8f01cfea414140de", "a/b", "ä"] {
            assert!(!may_stay(value, word), "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_stays_equals_anything_shortened(stays in "[a-f0-9-]{1,40}", other in ".{0,80}", room in 24_usize..70) {
            let short = shorten(&other, room, word);

            proptest::prop_assert!(short.chars().all(word) && short.len() <= room);
            proptest::prop_assert!(!may_stay(&short, word));
            proptest::prop_assert!(stays != short || !may_stay(&stays, word));
        }
    }
}
