//! Profiles, read through Roles Anywhere's own API.

use serde::Deserialize;
use time::OffsetDateTime;

use super::SignedClient;
use super::anchors::{MAX_NAME, at, identifier};
use super::error::CallError;
use super::operation::ApiOperation;
use super::request::UnsignedRequest;
use crate::answer::Answer;
use crate::arn::{ProfileArn, RoleArn};
use crate::service::Service;
use crate::shown::bounded;

/// A profile as AWS stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The profile's ARN, with its id also if it was requested by an alias.
    pub arn: ProfileArn,
    /// The last part of the ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The longest session in seconds, 900 to 43200. AWS silently shortens longer requests to it.
    pub duration_seconds: Option<u32>,
    /// The roles it lists, at most 250.
    pub role_arns: Vec<String>,
    /// Whether the caller may choose the session's name.
    pub accept_role_session_name: bool,
    /// The attributes of the certificate that become session tags. None if AWS reported nothing, as it does if nobody
    /// ever set them.
    pub attribute_mappings: Option<Vec<AttributeMapping>>,
    /// The JSON of an inline session policy, which restricts every session.
    pub session_policy: Option<String>,
    /// Managed policies that restrict every session.
    pub managed_policy_arns: Vec<String>,
    /// Whether a session request must have instance properties.
    pub require_instance_properties: bool,
    /// When it was last changed.
    pub updated_at: Option<OffsetDateTime>,
}

/// The mapping of one field of the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "MappingWire")]
pub struct AttributeMapping {
    /// `x509Subject`, `x509Issuer` or `x509SAN`.
    pub certificate_field: String,
    /// Such as `CN`, `URI`, `Name/*`, or `*` for all.
    pub specifiers: Vec<String>,
}

impl Profile {
    /// Whether a session of this role may be made through the profile.
    pub fn lists(&self, role: &RoleArn) -> bool {
        self.role_arns.iter().any(|listed| listed == role.as_str())
    }
}

impl SignedClient {
    /// Reads a profile.
    pub async fn get_profile(&self, arn: &ProfileArn) -> Result<Profile, CallError> {
        let service = Service::roles_anywhere(&self.channel.settings, arn.region(), arn.partition());
        let unsigned = UnsignedRequest::get(format!("/profile/{}", identifier(arn.as_str())), arn.account());
        self.call(ApiOperation::GetProfile, service, unsigned, read).await
    }
}

fn read(answer: &Answer<'_>) -> Result<Profile, String> {
    let wire: ProfileResponseWire = answer.parse()?;
    let detail = wire.profile;
    let arn: ProfileArn = detail.profile_arn.parse().map_err(|err| format!("profileArn {err}"))?;
    Ok(Profile {
        id: detail.profile_id.unwrap_or_else(|| identifier(arn.as_str())),
        name: bounded(&detail.name.unwrap_or_default(), MAX_NAME),
        enabled: detail.enabled.unwrap_or_default(),
        duration_seconds: detail.duration_seconds,
        role_arns: detail.role_arns.unwrap_or_default(),
        accept_role_session_name: detail.accept_role_session_name.unwrap_or_default(),
        attribute_mappings: detail.attribute_mappings,
        session_policy: detail.session_policy.filter(|text| !text.is_empty()),
        managed_policy_arns: detail.managed_policy_arns.unwrap_or_default(),
        require_instance_properties: detail.require_instance_properties.unwrap_or_default(),
        updated_at: detail.updated_at.as_deref().and_then(at),
        arn,
    })
}

#[derive(Deserialize)]
struct ProfileResponseWire {
    profile: ProfileWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileWire {
    profile_arn: String,
    profile_id: Option<String>,
    name: Option<String>,
    enabled: Option<bool>,
    duration_seconds: Option<u32>,
    role_arns: Option<Vec<String>>,
    accept_role_session_name: Option<bool>,
    attribute_mappings: Option<Vec<AttributeMapping>>,
    session_policy: Option<String>,
    managed_policy_arns: Option<Vec<String>>,
    require_instance_properties: Option<bool>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MappingWire {
    certificate_field: String,
    #[serde(default)]
    mapping_rules: Vec<RuleWire>,
}

#[derive(Deserialize)]
struct RuleWire {
    specifier: String,
}

impl From<MappingWire> for AttributeMapping {
    fn from(wire: MappingWire) -> Self {
        let specifiers = wire.mapping_rules.into_iter().map(|rule| rule.specifier).collect();
        Self { certificate_field: wire.certificate_field, specifiers }
    }
}
