//! Distinguished names: a requested subject, written as DER that keeps every repeated attribute, and any name as text.

use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::der;
use crate::error::Error;

/// A requested subject. Each value is one attribute: a comma or `CN=` inside it is only text.
///
/// Bounds are those of RFC 5280 appendix A.1 in characters: 64 for `CN`, `O` and `OU`, 128 for `L` and `ST`, two letters for `C`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    /// `CN`, at most 64 characters. AWS's source identity is built from it.
    pub common_name: Option<String>,
    /// `O`, in order.
    pub organization: Vec<String>,
    /// `OU`, in order; AWS joins several into one session tag with `/`.
    pub organizational_unit: Vec<String>,
    /// `C`, two letters each.
    pub country: Vec<String>,
    /// `L`, in order.
    pub locality: Vec<String>,
    /// `ST`, in order.
    pub province: Vec<String>,
}

/// An attribute type: the last byte of its OID under 2.5.4, the field users write, its short name and its longest value.
struct Attribute {
    id: u8,
    field: &'static str,
    short: &'static str,
    longest: usize,
}

const COUNTRY: Attribute = Attribute { id: 6, field: "country", short: "C", longest: 2 };
const PROVINCE: Attribute = Attribute { id: 8, field: "province", short: "ST", longest: 128 };
const LOCALITY: Attribute = Attribute { id: 7, field: "locality", short: "L", longest: 128 };
const ORGANIZATION: Attribute = Attribute { id: 10, field: "organization", short: "O", longest: 64 };
const UNIT: Attribute = Attribute { id: 11, field: "organizational_unit", short: "OU", longest: 64 };
const COMMON_NAME: Attribute = Attribute { id: 3, field: "common_name", short: "CN", longest: 64 };

/// Whether every byte of `name` belongs to a Name: a SEQUENCE of SETs of attributes, each an OBJECT IDENTIFIER and a
/// value.
///
/// x509-parser ends a name before the first part that it cannot read, and drops the bytes after a part.
pub(crate) fn is_whole(name: &[u8]) -> bool {
    let is_attribute = |part: &der::Element<'_>| {
        part.tag == der::SEQUENCE
            && der::children(part.content)
                .is_some_and(|parts| matches!(parts.as_slice(), [kind, _value] if kind.tag == der::OID))
    };
    let is_relative_name = |part: &der::Element<'_>| {
        part.tag == der::SET
            && der::children(part.content).is_some_and(|parts| parts.iter().all(is_attribute))
    };
    der::only(name, der::SEQUENCE)
        .and_then(|name| der::children(name.content))
        .is_some_and(|parts| parts.iter().all(is_relative_name))
}

const PRINTABLE_STRING: u8 = 0x13;
const UTF8_STRING: u8 = 0x0c;

impl Subject {
    /// A subject with a common name alone.
    pub fn named(common_name: impl Into<String>) -> Self {
        Self { common_name: Some(common_name.into()), ..Self::default() }
    }

    /// Refuses an empty subject (AWS supports none), empty or too long values, and control characters.
    pub fn check(&self) -> Result<(), Error> {
        if self.attributes().next().is_none() {
            return Err(Error::value(
                "common_name",
                "",
                "is an empty subject; AWS requires at least one attribute",
            ));
        }
        self.attributes().try_for_each(|(attribute, value)| attribute.check(value))
    }

    /// The Name in DER: one attribute to a relative name, in the order C, ST, L, O, OU, CN.
    pub(crate) fn der(&self) -> Vec<u8> {
        let names: Vec<Vec<u8>> = self.attributes().map(|(attribute, value)| attribute.der(value)).collect();
        der::element(der::SEQUENCE, &names.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Whether a name that was read back has exactly these attributes in this order, each in a relative name of its
    /// own.
    pub(crate) fn is(&self, name: &X509Name<'_>) -> bool {
        let mut asked = self.attributes();
        let same = name.iter_rdn().all(|rdn| {
            let mut found = rdn.iter();
            let (Some(one), None, Some((attribute, value))) = (found.next(), found.next(), asked.next())
            else {
                return false;
            };
            one.attr_type().as_bytes() == [0x55, 0x04, attribute.id]
                && one.as_str().is_ok_and(|text| text == value)
        });
        same && asked.next().is_none()
    }

    fn attributes(&self) -> impl Iterator<Item = (&'static Attribute, &str)> {
        fn all<'a>(
            attribute: &'static Attribute,
            values: &'a [String],
        ) -> impl Iterator<Item = (&'static Attribute, &'a str)> {
            values.iter().map(move |value| (attribute, value.as_str()))
        }
        all(&COUNTRY, &self.country)
            .chain(all(&PROVINCE, &self.province))
            .chain(all(&LOCALITY, &self.locality))
            .chain(all(&ORGANIZATION, &self.organization))
            .chain(all(&UNIT, &self.organizational_unit))
            .chain(self.common_name.as_deref().map(|value| (&COMMON_NAME, value)))
    }
}

impl Attribute {
    fn check(&self, value: &str) -> Result<(), Error> {
        let refuse = |bound: String| Err(Error::value(self.field, value, bound));
        if value.is_empty() {
            return refuse("is empty".to_owned());
        }
        if value.chars().any(char::is_control) {
            return refuse("holds a control character".to_owned());
        }
        if self.id == COUNTRY.id
            && !(value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic()))
        {
            return refuse("is not a two-letter country code".to_owned());
        }
        let length = value.chars().count();
        if length > self.longest {
            return refuse(format!("has {length} characters; at most {} fit {}", self.longest, self.short));
        }
        Ok(())
    }

    fn der(&self, value: &str) -> Vec<u8> {
        let string = if self.id == COUNTRY.id { PRINTABLE_STRING } else { UTF8_STRING };
        let oid = der::element(der::OID, &[&[0x55, 0x04, self.id]]);
        let pair = der::element(der::SEQUENCE, &[&oid, &der::element(string, &[value.as_bytes()])]);
        der::element(der::SET, &[&pair])
    }
}

/// Short names of the attribute types met in issuers' names.
const SHORT_NAMES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"),
];

/// A name as text in the order it is encoded: `DC=com, DC=example, CN=Issuing CA`; special characters are escaped as RFC 4514 does.
pub(crate) fn text(name: &X509Name<'_>) -> String {
    let mut out = String::new();
    for (index, rdn) in name.iter_rdn().enumerate() {
        for (position, attribute) in rdn.iter().enumerate() {
            out.push_str(if position > 0 {
                "+"
            } else if index > 0 {
                ", "
            } else {
                ""
            });
            let oid = attribute.attr_type();
            match SHORT_NAMES.iter().find(|(known, _)| *known == oid.as_bytes()) {
                Some((_, short)) => out.push_str(short),
                None => out.push_str(&oid.to_id_string()),
            }
            out.push('=');
            match attribute.as_str() {
                Ok(value) => escape(value, &mut out),
                Err(_) => out.extend(["#", &hex::encode(attribute.as_slice())]),
            }
        }
    }
    out
}

/// The attributes of a name in encoded order: the type as a dotted object identifier, and the value; `#` and hex if it is not text.
pub(crate) fn attributes(name: &X509Name<'_>) -> Vec<(String, String)> {
    let value = |attribute: &AttributeTypeAndValue<'_>| {
        attribute.as_str().map_or_else(|_| format!("#{}", hex::encode(attribute.as_slice())), str::to_owned)
    };
    name.iter_attributes().map(|attribute| (attribute.attr_type().to_id_string(), value(attribute))).collect()
}

fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => out.extend(['\\', character]),
            character if character.is_control() => {
                let mut bytes = [0; 4];
                let bytes = character.encode_utf8(&mut bytes).bytes();
                out.extend(bytes.map(|byte| format!("\\{byte:02X}")));
            }
            character => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

    use super::*;

    fn parse(der: &[u8]) -> X509Name<'_> {
        X509Name::from_der(der).unwrap().1
    }

    #[test]
    fn repeated_attributes_all_stay_in_order() {
        let subject =
            Subject { organizational_unit: vec!["One".into(), "Two".into()], ..Subject::named("x") };

        let der = subject.der();

        assert_eq!(text(&parse(&der)), "OU=One, OU=Two, CN=x");
        assert!(subject.is(&parse(&der)));
    }

    #[test]
    fn a_value_that_looks_like_attributes_stays_one_value() {
        let subject = Subject::named("a,CN=admin+O=x/OU=y");

        let der = subject.der();
        let name = parse(&der);

        assert_eq!(name.iter_attributes().count(), 1);
        assert_eq!(name.iter_common_name().next().unwrap().as_str().unwrap(), "a,CN=admin+O=x/OU=y");
        assert_eq!(text(&name), r"CN=a\,CN\=admin\+O\=x/OU\=y");
    }

    #[test]
    fn a_name_with_more_less_or_other_attributes_is_not_the_one_asked_for() {
        let asked = Subject { organization: vec!["O".into()], ..Subject::named("x") };

        for other in [
            Subject::named("x"),
            Subject { organizational_unit: vec!["O".into()], ..Subject::named("x") },
            Subject { organization: vec!["O".into(), "P".into()], ..Subject::named("x") },
            Subject { organization: vec!["O".into()], ..Subject::named("X") },
        ] {
            assert!(!asked.is(&parse(&other.der())), "{other:?}");
        }
    }

    #[test]
    fn control_characters_and_nul_are_refused() {
        for value in ["a\nCN=admin", "a\0", "\u{7f}", "a\u{85}b"] {
            let error = Subject::named(value).check().unwrap_err().to_string();

            assert!(
                error.starts_with("common_name: ") && error.ends_with("holds a control character"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_common_name_may_have_64_characters_and_no_more() {
        assert_eq!(Subject::named("ü".repeat(64)).check(), Ok(()));

        let error = Subject::named("ü".repeat(65)).check().unwrap_err().to_string();

        assert!(error.ends_with("has 65 characters; at most 64 fit CN"), "{error}");
    }

    #[test]
    fn an_empty_subject_and_an_empty_value_are_refused() {
        assert!(Subject::default().check().is_err());
        assert!(Subject { organization: vec![String::new()], ..Subject::named("x") }.check().is_err());
    }

    #[test]
    fn a_country_is_two_letters() {
        let country = |code: &str| Subject { country: vec![code.into()], ..Subject::named("x") }.check();

        assert_eq!(country("DE"), Ok(()));
        assert_eq!(
            country("DEU").unwrap_err().to_string(),
            r#"country: "DEU" is not a two-letter country code"#
        );
        assert!(country("Ü").is_err());
    }

    #[test]
    fn control_characters_in_a_foreign_name_are_escaped() {
        let der = Subject::named("a\nb").der();

        assert_eq!(text(&parse(&der)), r"CN=a\0Ab");
    }
}
