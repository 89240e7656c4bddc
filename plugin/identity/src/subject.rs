//! A role's subject fields, and the certificate profile that they give for one caller.

use std::time::Duration;

use ca::{KeySpec, LeafProfile, Subject};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values};

use crate::caller::Caller;
use crate::subject_field::{MAX_TAG, SubjectField};
use crate::template::{ResolvedReference, Template};

/// The fields of a role that become its certificates' subject and alternative names. They are stored among the role's other
/// fields.
///
/// Lists keep the order of the role write: AWS joins several values of one attribute with `/`, and uses the first alternative
/// name of each kind alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectTexts {
    /// Default: the role's name, which is the same for every caller.
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
    ///
    /// # Errors
    /// The caller's: a value is malformed, or its field can never take it, whatever the caller.
    pub fn from_values(values: &Values) -> Result<Self, Fault> {
        let common_name = values.string(SubjectField::CommonName.name())?;
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

    /// Returns all templates with their fields, in the order of a role's fields; an unset common name is left out.
    pub fn all(&self) -> impl Iterator<Item = (SubjectField, &Template)> {
        let lists = self.lists();
        let common_name = self.common_name.iter().map(|text| (SubjectField::CommonName, text));
        common_name
            .chain(lists.into_iter().flat_map(|(field, texts)| texts.iter().map(move |text| (field, text))))
    }

    /// Returns the profile of the leaf that `caller` gets from the role `role_name`. `ttl` is the leaf's life.
    ///
    /// # Errors
    /// A reference has no value for this caller, or a resolved value does not fit its field or its session tag.
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

    /// Returns each reference of the subject with its value for `caller`, for `preview`.
    ///
    /// # Errors
    /// As [`Self::profile`], for the first reference that has no value.
    pub fn uses(&self, caller: &Caller<'_>) -> Result<Vec<(SubjectField, ResolvedReference)>, Fault> {
        let mut uses = Vec::new();
        for (field, text) in self.all() {
            uses.extend(text.uses(field, caller)?.into_iter().map(|found| (field, found)));
        }
        Ok(uses)
    }

    /// Returns the profile of a leaf for checks of a role write, when there is no caller.
    ///
    /// Subject attributes that depend on the caller are left out. Alternative names hold `a` for each reference; those that begin
    /// with a reference are left out, because their form is the caller's.
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

    /// The fields that take several values, in the order of a role's fields.
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

/// Reads the list of one field; an unset field is an empty list.
fn texts(values: &Values, field: SubjectField) -> Result<Vec<Template>, Fault> {
    let given = values.list(field.name())?.unwrap_or_default();
    given.iter().map(|text| Template::parse(field, text)).collect()
}

/// Resolves every template of one field; the first that fails is the error.
fn resolve_all(field: SubjectField, texts: &[Template], caller: &Caller<'_>) -> Result<Vec<String>, Fault> {
    texts.iter().map(|text| text.resolve(field, caller)).collect()
}

/// Resolves the values of one attribute of the subject. AWS joins several with `/` into one session tag, so no value that depends
/// on the caller may hold a `/`: it would look like two values.
///
/// # Errors
/// The caller's: a value holds `/`, or the joined tag has over 256 characters ([`MAX_TAG`]).
fn joinable(field: SubjectField, texts: &[Template], caller: &Caller<'_>) -> Result<Vec<String>, Fault> {
    let values = resolve_all(field, texts, caller)?;
    if values.len() < 2 {
        return Ok(values);
    }
    for (value, text) in values.iter().zip(texts) {
        if text.asks_who() && value.contains('/') {
            return Err(
                field.refuse(value, "holds a /, with which AWS joins several values into one session tag")
            );
        }
    }
    let joined = values.join("/");
    let length = joined.chars().count();
    if length > MAX_TAG {
        let why = format!(
            "has {length} characters when AWS joins the values into one session tag, {MAX_TAG} are allowed"
        );
        return Err(field.refuse(&joined, &why));
    }
    Ok(values)
}
