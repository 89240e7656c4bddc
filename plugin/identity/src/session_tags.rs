//! The session tags and the source identity that AWS derives from a certificate under a profile's default attribute mappings.
//!
//! Sources: IAM Roles Anywhere User Guide, "Trust model in IAM Roles Anywhere" and "Attribute mapping".

use std::collections::BTreeMap;

use ca::LeafProfile;

use crate::subject_field::{MAX_TAG, is_tag_character};

/// The names that AWS uses for attribute types, by dotted object identifier. Any other attribute keeps its object identifier as
/// its name.
const NAMES: [(&str, &str); 17] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SURNAME"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "T"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATION"),
    ("2.5.4.46", "DNQUALIFIER"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// Returns the session tags of a leaf whose issuer has these attributes (dotted object identifier and value, in encoded order).
///
/// AWS joins several values of one attribute with `/`. Of each kind of alternative name only the first counts. The engine's own
/// values fit a tag; an issuer's may not, and AWS omits such a tag ([`lost`] names it).
pub fn session_tags(leaf: &LeafProfile, issuer: &[(String, String)]) -> BTreeMap<String, String> {
    let mut tags = all(leaf, issuer);
    tags.retain(|_, value| fits(value));
    tags
}

/// The tags as AWS joins them, before it checks their characters and length.
fn all(leaf: &LeafProfile, issuer: &[(String, String)]) -> BTreeMap<String, String> {
    let subject = &leaf.subject;
    let mut tags = BTreeMap::new();
    for (name, values) in [
        ("C", subject.country.as_slice()),
        ("ST", &subject.province),
        ("L", &subject.locality),
        ("O", &subject.organization),
        ("OU", &subject.organizational_unit),
        ("CN", subject.common_name.as_slice()),
    ] {
        for value in values {
            put(&mut tags, format!("x509Subject/{name}"), value);
        }
    }
    for (oid, value) in issuer {
        let name = NAMES.iter().find(|(known, _)| known == oid).map_or(oid.as_str(), |(_, name)| name);
        put(&mut tags, format!("x509Issuer/{name}"), value);
    }
    for (name, values) in [("URI", &leaf.uri_sans), ("DNS", &leaf.dns_sans)] {
        if let Some(first) = values.first() {
            put(&mut tags, format!("x509SAN/{name}"), first);
        }
    }
    tags
}

/// Returns the names of the session tags that AWS omits, because a value holds characters that tags cannot hold or has over 256
/// characters. Conditions of a policy on such a tag then meet no value.
pub fn lost(leaf: &LeafProfile, issuer: &[(String, String)]) -> Vec<String> {
    let whole = all(leaf, issuer);
    whole.into_iter().filter(|(_, value)| !fits(value)).map(|(name, _)| name).collect()
}

/// Whether a session tag can have this value: at most [`MAX_TAG`] characters, all of them those of a tag.
fn fits(value: &str) -> bool {
    value.chars().all(is_tag_character) && value.chars().count() <= MAX_TAG
}

/// Returns the source identity of a leaf with this common name. STS takes 64 characters, so the name must have at most 61.
pub fn source_identity(common_name: &str) -> String {
    format!("CN={common_name}")
}

/// Adds `value` to the tag `key`, behind a `/` where the tag has one already.
fn put(tags: &mut BTreeMap<String, String>, key: String, value: &str) {
    tags.entry(key)
        .and_modify(|joined| {
            joined.push('/');
            joined.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ca::{KeySpec, Subject};

    use super::*;

    #[test]
    fn several_values_are_joined_and_of_alternative_names_the_first_counts() {
        let leaf = LeafProfile {
            subject: Subject { organizational_unit: vec!["a".into(), "b".into()], ..Subject::named("x") },
            uri_sans: vec!["spiffe://a/b".into(), "spiffe://c/d".into()],
            dns_sans: Vec::new(),
            key: KeySpec::EcP256,
            ttl: Duration::from_secs(60),
        };
        let issuer = [("2.5.4.10", "Smith, Jones"), ("2.5.4.3", "ca"), ("1.2.3", "odd")]
            .map(|(oid, value)| (oid.to_owned(), value.to_owned()));

        let tags = session_tags(&leaf, &issuer);

        let expected = [
            ("x509Issuer/1.2.3", "odd"),
            ("x509Issuer/CN", "ca"),
            ("x509SAN/URI", "spiffe://a/b"),
            ("x509Subject/CN", "x"),
            ("x509Subject/OU", "a/b"),
        ];
        assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }
}
