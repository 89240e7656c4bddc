//! A role's subject fields, and the certificate profile they give for one caller.

use std::time::Duration;

use ca::{KeySpec, LeafProfile, Subject};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values};

use crate::identity::{Caller, Place, Text};

/// The parts of a role that say what its certificates hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubjectTexts {
    /// Default: the role's name, the same for every caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) common_name: Option<Text>,
    organization: Vec<Text>,
    organizational_unit: Vec<Text>,
    country: Vec<Text>,
    locality: Vec<Text>,
    uri_sans: Vec<Text>,
    dns_sans: Vec<Text>,
}

impl SubjectTexts {
    /// Reads the subject fields of a role write.
    pub(crate) fn take(values: &Values) -> Result<Self, Fault> {
        let common_name = values.string("common_name")?;
        let country = texts(values, "country")?;
        if let Some(odd) = country.iter().map(Text::to_string).find(|c| !is_country(c)) {
            return Err(Fault::caller(format!("country: {odd:?} is no code of two letters, such as DE")));
        }
        Ok(Self {
            common_name: common_name
                .map(|text| Text::parse(Place::CommonName, "common_name", &text))
                .transpose()?,
            organization: texts(values, "organization")?,
            organizational_unit: texts(values, "organizational_unit")?,
            country,
            locality: texts(values, "locality")?,
            uri_sans: texts(values, "uri_sans")?,
            dns_sans: texts(values, "dns_sans")?,
        })
    }

    /// The leaf that `caller` gets from the role `role_name`.
    pub(crate) fn profile(
        &self,
        role_name: &str,
        caller: Caller,
        key: KeySpec,
        ttl: Duration,
    ) -> Result<LeafProfile, Fault> {
        let all =
            |texts: &[Text]| texts.iter().map(|text| text.resolve(caller)).collect::<Result<Vec<_>, _>>();
        let common_name = match &self.common_name {
            Some(text) => text.resolve(caller)?,
            None => role_name.to_owned(),
        };
        let subject = Subject {
            common_name: Some(common_name),
            organization: all(&self.organization)?,
            organizational_unit: all(&self.organizational_unit)?,
            country: all(&self.country)?,
            locality: all(&self.locality)?,
            ..Subject::default()
        };
        Ok(LeafProfile { subject, uri_sans: all(&self.uri_sans)?, dns_sans: all(&self.dns_sans)?, key, ttl })
    }
}

fn texts(values: &Values, field: &str) -> Result<Vec<Text>, Fault> {
    let given = values.list(field)?.unwrap_or_default();
    given.iter().map(|text| Text::parse(Place::Tag, field, text)).collect()
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}
