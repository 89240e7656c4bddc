//! A role's subject fields, and the certificate profile they give for one caller.

use std::time::Duration;

use ca::{KeySpec, LeafProfile, Subject};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values};

use crate::caller::Caller;
use crate::subject_field::{MAX_TAG, SubjectField};
use crate::template::{ResolvedReference, Template};

/// The parts of a role that say what its certificates hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectTexts {
    /// Default: the role's name, the same for every caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<Template>,
    organization: Vec<Template>,
    organizational_unit: Vec<Template>,
    country: Vec<Template>,
    locality: Vec<Template>,
    uri_sans: Vec<Template>,
    dns_sans: Vec<Template>,
}

impl SubjectTexts {
    /// Reads the subject fields of a role write.
    pub fn from_values(values: &Values) -> Result<Self, Fault> {
        let common_name = values.string(SubjectField::CommonName.field())?;
        Ok(Self {
            common_name: common_name
                .map(|text| Template::parse(SubjectField::CommonName, &text))
                .transpose()?,
            organization: texts(values, SubjectField::Organization)?,
            organizational_unit: texts(values, SubjectField::OrganizationalUnit)?,
            country: texts(values, SubjectField::Country)?,
            locality: texts(values, SubjectField::Locality)?,
            uri_sans: texts(values, SubjectField::UriSan)?,
            dns_sans: texts(values, SubjectField::DnsSan)?,
        })
    }

    /// All texts with their places, in the order of a role's fields.
    pub fn all(&self) -> impl Iterator<Item = (SubjectField, &Template)> {
        let lists = self.lists();
        let common_name = self.common_name.iter().map(|text| (SubjectField::CommonName, text));
        common_name
            .chain(lists.into_iter().flat_map(|(place, texts)| texts.iter().map(move |text| (place, text))))
    }

    /// The leaf that `caller` gets from the role `role_name`.
    pub fn profile(
        &self,
        role_name: &str,
        caller: &Caller<'_>,
        key: KeySpec,
        ttl: Duration,
    ) -> Result<LeafProfile, Fault> {
        let common_name = match &self.common_name {
            Some(text) => text.resolve(SubjectField::CommonName, caller)?,
            None => role_name.to_owned(),
        };
        let subject = Subject {
            common_name: Some(common_name),
            organization: joinable(SubjectField::Organization, &self.organization, caller)?,
            organizational_unit: joinable(
                SubjectField::OrganizationalUnit,
                &self.organizational_unit,
                caller,
            )?,
            country: joinable(SubjectField::Country, &self.country, caller)?,
            locality: joinable(SubjectField::Locality, &self.locality, caller)?,
            ..Subject::default()
        };
        let uri_sans = resolve_all(SubjectField::UriSan, &self.uri_sans, caller)?;
        let dns_sans = resolve_all(SubjectField::DnsSan, &self.dns_sans, caller)?;
        Ok(LeafProfile { subject, uri_sans, dns_sans, key, ttl })
    }

    /// What each reference of the subject stands for.
    pub fn uses(&self, caller: &Caller<'_>) -> Result<Vec<(SubjectField, ResolvedReference)>, Fault> {
        let mut uses = Vec::new();
        for (place, text) in self.all() {
            uses.extend(text.uses(place, caller)?.into_iter().map(|found| (place, found)));
        }
        Ok(uses)
    }

    /// A leaf of the texts as far as their form does not depend on the caller.
    pub fn sample(&self, role_name: &str, key: KeySpec, ttl: Duration) -> LeafProfile {
        let plain = |texts: &[Template]| -> Vec<String> {
            texts.iter().filter(|text| !text.asks_who()).filter_map(Template::sample).collect()
        };
        let common_name = match &self.common_name {
            Some(text) => text.sample().unwrap_or_else(|| "a".to_owned()),
            None => role_name.to_owned(),
        };
        let formed =
            |texts: &[Template]| -> Vec<String> { texts.iter().filter_map(Template::sample).collect() };
        let subject = Subject {
            organization: plain(&self.organization),
            organizational_unit: plain(&self.organizational_unit),
            country: plain(&self.country),
            locality: plain(&self.locality),
            ..Subject::named(common_name)
        };
        LeafProfile { subject, uri_sans: formed(&self.uri_sans), dns_sans: formed(&self.dns_sans), key, ttl }
    }

    fn lists(&self) -> [(SubjectField, &[Template]); 6] {
        [
            (SubjectField::Organization, self.organization.as_slice()),
            (SubjectField::OrganizationalUnit, &self.organizational_unit),
            (SubjectField::Country, &self.country),
            (SubjectField::Locality, &self.locality),
            (SubjectField::UriSan, &self.uri_sans),
            (SubjectField::DnsSan, &self.dns_sans),
        ]
    }
}

fn texts(values: &Values, place: SubjectField) -> Result<Vec<Template>, Fault> {
    let given = values.list(place.field())?.unwrap_or_default();
    given.iter().map(|text| Template::parse(place, text)).collect()
}

fn resolve_all(place: SubjectField, texts: &[Template], caller: &Caller<'_>) -> Result<Vec<String>, Fault> {
    texts.iter().map(|text| text.resolve(place, caller)).collect()
}

/// The values of one attribute of the subject. AWS joins several with `/` into one session tag, so that none of them may look like
/// two, and all together have to fit a tag.
fn joinable(place: SubjectField, texts: &[Template], caller: &Caller<'_>) -> Result<Vec<String>, Fault> {
    let values = resolve_all(place, texts, caller)?;
    if values.len() < 2 {
        return Ok(values);
    }
    for (value, text) in values.iter().zip(texts) {
        if text.asks_who() && value.contains('/') {
            return Err(
                place.refuse(value, "holds a /, with which AWS joins several values into one session tag")
            );
        }
    }
    let joined = values.join("/");
    let length = joined.chars().count();
    if length > MAX_TAG {
        let why =
            format!("has {length} characters as AWS joins it into one session tag, {MAX_TAG} are allowed");
        return Err(place.refuse(&joined, &why));
    }
    Ok(values)
}
