//! Attribute mappings of a profile: `/profiles/{profileId}/mappings` (plural, unlike the profile's other paths).

use serde_json::Value;

use super::{Account, Input, profiles::edit, wrong_type};
use crate::{
    http::Reply,
    rules::{Refusal, Rule},
    state::{AttributeMappings, Profile},
};

/// Replaces the specifiers of one certificate field.
pub(super) fn put(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let field = Field::parse(&input.required("certificateField")?)?;
    let rules = input.body.get("mappingRules").and_then(Value::as_array);
    let rules = rules.ok_or_else(|| Refusal::member(Rule::Missing, "mappingRules"))?;
    let specifiers: Option<Vec<String>> =
        rules.iter().map(|rule| rule["specifier"].as_str().map(str::to_owned)).collect();
    let specifiers = specifiers.ok_or_else(|| wrong_type("mappingRules", "a list of specifiers"))?;
    if let Some(bad) = specifiers.iter().find(|one| !(1..=60).contains(&one.len())) {
        let constraint = "Member must have length between 1 and 60";
        return Err(Refusal::constraint(Rule::ManagementBounds, "specifier", bad, constraint));
    }
    edit(account, &input.id, |profile| *field.of(profile) = specifiers)
}

/// Removes some specifiers of a field, or without `specifiers` the whole field.
pub(super) fn delete(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let values = |wanted: &str| -> Vec<String> {
        input.query.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.clone()).collect()
    };
    let field = values("certificateField").pop();
    let field = Field::parse(&field.ok_or_else(|| Refusal::member(Rule::Missing, "certificateField"))?)?;
    let gone = values("specifiers");
    edit(account, &input.id, |profile| {
        field.of(profile).retain(|specifier| !gone.is_empty() && !gone.contains(specifier));
    })
}

/// The part of the certificate a mapping reads.
#[derive(Clone, Copy)]
enum Field {
    Subject,
    Issuer,
    AlternativeName,
}

impl Field {
    fn parse(text: &str) -> Result<Field, Refusal> {
        match text {
            "x509Subject" => Ok(Field::Subject),
            "x509Issuer" => Ok(Field::Issuer),
            "x509SAN" => Ok(Field::AlternativeName),
            other => {
                let constraint = "Member must satisfy enum value set: [x509Subject, x509Issuer, x509SAN]";
                Err(Refusal::constraint(Rule::ManagementBounds, "certificateField", other, constraint))
            }
        }
    }

    fn of(self, profile: &mut Profile) -> &mut Vec<String> {
        let mappings = profile.attribute_mappings.get_or_insert_with(AttributeMappings::everything);
        match self {
            Field::Subject => &mut mappings.x509_subject,
            Field::Issuer => &mut mappings.x509_issuer,
            Field::AlternativeName => &mut mappings.x509_san,
        }
    }
}
