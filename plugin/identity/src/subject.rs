//! A role's subject fields, and the certificate profile that they give for one caller.

use std::time::Duration;

use ca::{KeySpec, LeafProfile, Subject};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values};

use crate::caller::Caller;
use crate::standard_texts::StandardTexts;
use crate::subject_field::{MAX_TAG, SubjectField};
use crate::template::{ResolvedReference, Template};

/// The fields of a role that become its certificates' subject and alternative names. They are stored among the role's other
/// fields.
///
/// A field without a text of its own has that of `subject`, the standard subject; without one a role's common name is its own name,
/// and its other fields are empty. Lists keep the order of the role write: AWS joins several values of one attribute with `/`, and
/// uses the first alternative name of each kind alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectTexts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<StandardTexts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<Template>,
    organization: Vec<Template>,
    organizational_unit: Vec<Template>,
    country: Vec<Template>,
    locality: Vec<Template>,
    uri_sans: Vec<Template>,
    dns_sans: Vec<Template>,
}

/// The fields of [`SubjectTexts`], in the order of a role's fields.
const FIELDS: [SubjectField; 7] = [
    SubjectField::CommonName,
    SubjectField::Organization,
    SubjectField::OrganizationalUnit,
    SubjectField::Country,
    SubjectField::Locality,
    SubjectField::UriSan,
    SubjectField::DnsSan,
];

impl SubjectTexts {
    /// Reads the subject fields of a role write. A text that only repeats the standard one is not kept, so a role that was read and
    /// is written again stays as it was.
    ///
    /// # Errors
    /// The caller's: a value is malformed, or its field can never take it, whatever the caller.
    pub fn from_values(values: &Values) -> Result<Self, Fault> {
        let subject = values.parse("subject")?;
        let list =
            |field| texts(subject, field, &values.list(SubjectField::name(field))?.unwrap_or_default());
        let common_name = values.string(SubjectField::CommonName.name())?;
        let common_name = texts(subject, SubjectField::CommonName, common_name.as_slice())?;
        Ok(Self {
            subject,
            common_name: common_name.into_iter().next(),
            organization: list(SubjectField::Organization)?,
            organizational_unit: list(SubjectField::OrganizationalUnit)?,
            country: list(SubjectField::Country)?,
            locality: list(SubjectField::Locality)?,
            uri_sans: list(SubjectField::UriSan)?,
            dns_sans: list(SubjectField::DnsSan)?,
        })
    }

    /// Returns the standard subject of the fields without texts of their own.
    pub fn standard(&self) -> Option<StandardTexts> {
        self.subject
    }

    /// Returns the standard subject that gives `field` its texts; `None` where the role writes them, or where there are none.
    pub fn standard_of(&self, field: SubjectField) -> Option<StandardTexts> {
        self.subject.filter(|standard| self.own(field).is_empty() && !standard.texts(field).is_empty())
    }

    /// Returns the common name's template; `None` where it is the role's name, which is the same for every caller.
    pub fn common_name(&self) -> Option<&Template> {
        self.texts(SubjectField::CommonName).first()
    }

    /// Returns all templates with their fields, in the order of a role's fields; a common name that is the role's is left out.
    pub fn all(&self) -> impl Iterator<Item = (SubjectField, &Template)> {
        FIELDS.into_iter().flat_map(|field| self.texts(field).iter().map(move |text| (field, text)))
    }

    /// Returns the texts with the standard ones written out, without the standard's name. Equal ones make equal certificates.
    #[must_use]
    pub fn in_force(&self) -> Self {
        let texts = |field| self.texts(field).to_vec();
        Self {
            subject: None,
            common_name: self.common_name().cloned(),
            organization: texts(SubjectField::Organization),
            organizational_unit: texts(SubjectField::OrganizationalUnit),
            country: texts(SubjectField::Country),
            locality: texts(SubjectField::Locality),
            uri_sans: texts(SubjectField::UriSan),
            dns_sans: texts(SubjectField::DnsSan),
        }
    }

    /// Returns the texts as a read shows them: the standard's name, and what it amounts to.
    #[must_use]
    pub fn shown(&self) -> Self {
        Self { subject: self.subject, ..self.in_force() }
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
        let common_name = match self.common_name() {
            Some(text) => text.resolve(SubjectField::CommonName, caller)?,
            None => role_name.to_owned(),
        };
        let values = |field| joinable(field, self.texts(field), caller);
        let subject = Subject {
            common_name: Some(common_name),
            organization: values(SubjectField::Organization)?,
            organizational_unit: values(SubjectField::OrganizationalUnit)?,
            country: values(SubjectField::Country)?,
            locality: values(SubjectField::Locality)?,
            ..Subject::default()
        };
        let uri_sans = resolve_all(SubjectField::UriSan, self.texts(SubjectField::UriSan), caller)?;
        let dns_sans = resolve_all(SubjectField::DnsSan, self.texts(SubjectField::DnsSan), caller)?;
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
        let plain = |field| -> Vec<String> {
            self.texts(field).iter().filter(|text| !text.asks_who()).filter_map(Template::sample).collect()
        };
        let formed =
            |field| -> Vec<String> { self.texts(field).iter().filter_map(Template::sample).collect() };
        let common_name = match self.common_name() {
            Some(text) => text.sample().unwrap_or_else(|| "a".to_owned()),
            None => role_name.to_owned(),
        };
        let subject = Subject {
            organization: plain(SubjectField::Organization),
            organizational_unit: plain(SubjectField::OrganizationalUnit),
            country: plain(SubjectField::Country),
            locality: plain(SubjectField::Locality),
            ..Subject::named(common_name)
        };
        LeafProfile {
            subject,
            uri_sans: formed(SubjectField::UriSan),
            dns_sans: formed(SubjectField::DnsSan),
            key,
            ttl,
        }
    }

    /// The texts of `field`: its own, or those of the standard subject.
    fn texts(&self, field: SubjectField) -> &[Template] {
        match (self.own(field), self.subject) {
            ([], Some(standard)) => standard.texts(field),
            (own, _) => own,
        }
    }

    /// The texts that the role writes for `field`.
    fn own(&self, field: SubjectField) -> &[Template] {
        match field {
            SubjectField::CommonName => self.common_name.as_slice(),
            SubjectField::Organization => &self.organization,
            SubjectField::OrganizationalUnit => &self.organizational_unit,
            SubjectField::Country => &self.country,
            SubjectField::Locality => &self.locality,
            SubjectField::UriSan => &self.uri_sans,
            SubjectField::DnsSan => &self.dns_sans,
            SubjectField::SessionName | SubjectField::SessionTag => &[],
        }
    }
}

/// Parses the texts `given` for one field; none where they are those of the `standard` subject.
fn texts(
    standard: Option<StandardTexts>,
    field: SubjectField,
    given: &[String],
) -> Result<Vec<Template>, Fault> {
    let given: Vec<_> = given.iter().map(|text| Template::parse(field, text)).collect::<Result<_, _>>()?;
    let repeats = standard.is_some_and(|standard| standard.texts(field) == given);
    Ok(if repeats { Vec::new() } else { given })
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
