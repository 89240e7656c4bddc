//! Session tags made from the certificate, as the profile's attribute mappings say.

use std::collections::BTreeMap;

use x509_cert::ext::pkix::name::GeneralName;

use crate::{
    pki::{Attribute, Certificate, attributes},
    rules::{Refusal, Rule},
    state::AttributeMappings,
};

/// `x509Subject/CN` and so on, with their values.
pub(crate) type Tags = BTreeMap<String, String>;

/// The outcome for the certificate's attributes.
pub(super) struct Mapped {
    pub(super) tags: Tags,
    pub(super) lost: Lost,
}

/// Attributes whose values STS does not take as tags; AWS omits such tags silently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    issuer: Vec<String>,
    subject: Vec<String>,
    san: Vec<String>,
}

impl Lost {
    /// For the log.
    pub(super) fn remark(&self) -> Option<String> {
        let all = [&self.issuer[..], &self.subject, &self.san].concat();
        (!all.is_empty()).then(|| format!("attributes lost on the way to session tags: {}", all.join(", ")))
    }

    /// The error of a false condition names the lost attributes, if there are any.
    pub(super) fn blame(&self, rule: Rule, refusal: Refusal, role_arn: &str) -> Refusal {
        if rule != Rule::Condition || self.remark().is_none() {
            return refusal;
        }
        Refusal::new(Rule::UnmappedAttributes, refusal.detail)
            .fill("role", role_arn)
            .fill("issuer", &self.issuer.join(", "))
            .fill("subject", &self.subject.join(", "))
            .fill("san", &self.san.join(", "))
    }
}

/// Maps the leaf's attributes; without mappings of its own, a profile has those of `CreateProfile`.
pub(super) fn map(leaf: &Certificate, mappings: Option<&AttributeMappings>) -> Mapped {
    let everything = AttributeMappings::everything();
    let mappings = mappings.unwrap_or(&everything);
    let mut tags = Tags::new();
    let lost = Lost {
        issuer: put("x509Issuer", &select(leaf.issuer_attributes(), &mappings.x509_issuer, ""), &mut tags),
        subject: put(
            "x509Subject",
            &select(leaf.subject_attributes(), &mappings.x509_subject, ""),
            &mut tags,
        ),
        san: put("x509SAN", &select(alternative_names(leaf), &mappings.x509_san, "Name/"), &mut tags),
    };
    Mapped { tags, lost }
}

/// Sets the tags that STS accepts, and returns the names of the others.
fn put(field: &str, attributes: &[Attribute], tags: &mut Tags) -> Vec<String> {
    let mut lost = Vec::new();
    for Attribute { name, value } in attributes {
        if is_tag_value(value) {
            tags.insert(format!("{field}/{name}"), value.clone());
        } else {
            lost.push(name.clone());
        }
    }
    lost
}

/// The attributes a mapping names, several values of one joined by `/` in certificate order. `*` means all, and
/// `Name/*` all of the directory name.
fn select(attributes: Vec<Attribute>, specifiers: &[String], group: &str) -> Vec<Attribute> {
    let wanted = |name: &str| {
        specifiers.iter().any(|specifier| {
            specifier == name
                || specifier == "*"
                || (name.starts_with(group) && *specifier == format!("{group}*"))
        })
    };
    let mut joined: Vec<Attribute> = Vec::new();
    for attribute in attributes.into_iter().filter(|attribute| wanted(&attribute.name)) {
        match joined.iter_mut().find(|known| known.name == attribute.name) {
            Some(known) => known.value = format!("{}/{}", known.value, attribute.value),
            None => joined.push(attribute),
        }
    }
    joined
}

/// The first name of each kind; e-mail addresses, IP addresses and other names are not mapped.
fn alternative_names(leaf: &Certificate) -> Vec<Attribute> {
    let names = leaf.alternative_names();
    let one = |name: &str, value: &str| vec![Attribute { name: name.to_owned(), value: value.to_owned() }];
    let dns = names.iter().find_map(|name| match name {
        GeneralName::DnsName(dns) => Some(one("DNS", dns.as_ref())),
        _ => None,
    });
    let uri = names.iter().find_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(one("URI", uri.as_ref())),
        _ => None,
    });
    let directory = names.iter().find_map(|name| match name {
        GeneralName::DirectoryName(name) => Some(attributes(name)),
        _ => None,
    });
    let directory = directory
        .into_iter()
        .flatten()
        .map(|Attribute { name, value }| Attribute { name: format!("Name/{name}"), value });
    dns.into_iter().chain(uri).flatten().chain(directory).collect()
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`, at most 256 characters.
pub(crate) fn is_tag_value(value: &str) -> bool {
    let allowed = |character: char| {
        character.is_alphabetic()
            || character.is_numeric()
            || is_separator(character)
            || "_.:/=+-@".contains(character)
    };
    value.chars().count() <= 256 && value.chars().all(allowed)
}

/// Unicode's category Z, which is white space without the control characters.
fn is_separator(character: char) -> bool {
    character.is_whitespace() && !character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<Attribute> {
        pairs
            .iter()
            .map(|(name, value)| Attribute { name: (*name).to_owned(), value: (*value).to_owned() })
            .collect()
    }

    #[test]
    fn several_values_of_one_attribute_are_joined_in_certificate_order() {
        let joined = select(pairs(&[("OU", "b"), ("CN", "x"), ("OU", "a")]), &["OU".to_owned()], "");

        assert_eq!(joined, pairs(&[("OU", "b/a")]));
    }

    #[test]
    fn a_value_sts_does_not_take_sets_no_tag_and_is_named() {
        let mut tags = Tags::new();

        let lost = put("x509SAN", &pairs(&[("DNS", "*.example.com"), ("URI", "spiffe://a/b")]), &mut tags);

        assert_eq!(lost, ["DNS"]);
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["x509SAN/URI"]);
    }

    #[test]
    fn name_star_maps_the_directory_name_and_nothing_else() {
        let all = pairs(&[("DNS", "a"), ("Name/CN", "b")]);

        assert_eq!(select(all, &["Name/*".to_owned()], "Name/"), pairs(&[("Name/CN", "b")]));
    }

    #[test]
    fn tag_values_have_unicode_letters_and_no_tabs() {
        assert!(is_tag_value("Zahlungen für München @1"));
        assert!(!is_tag_value("a\tb"));
        assert!(!is_tag_value("Smith, John"));
        assert!(!is_tag_value(&"x".repeat(257)));
    }
}
