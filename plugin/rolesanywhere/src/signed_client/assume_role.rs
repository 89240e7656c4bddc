//! `AssumeRole`: from a session to a session of another role, in the same account or in another one.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use super::error::CallError;
use super::operation::ApiOperation;
use super::request::UnsignedRequest;
use super::{SignedClient, xml};
use crate::answer::{Answer, CredentialsWire, session_name};
use crate::arn::RoleArn;
use crate::duration::SessionDuration;
use crate::error::Error;
use crate::partition::Region;
use crate::service::Service;
use crate::session::Session;

const VERSION: &str = "2011-06-15";

/// The parameters of one call. The source identity is not among them: the signer's goes along, and cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AssumeRole {
    /// The role to assume.
    pub role: RoleArn,
    /// The name of the new session, 2 to 64 characters.
    pub session_name: String,
    /// The length to request. AWS grants a session's session an hour at most.
    pub duration: SessionDuration,
    /// The text that the role's trust policy may ask for (`sts:ExternalId`).
    pub external_id: Option<String>,
    /// An inline policy that the session's permissions are cut to.
    pub session_policy: Option<String>,
    /// Managed policies that the session's permissions are cut to, by ARN.
    pub session_policy_arns: Vec<String>,
    /// The session's tags.
    pub tags: BTreeMap<String, String>,
    /// The keys of tags that go along with further hops.
    pub transitive_tag_keys: Vec<String>,
}

impl AssumeRole {
    /// The longest session that AWS grants a session, one hour.
    pub const MAX_DURATION: SessionDuration = SessionDuration::DEFAULT;

    /// The parameters as the query protocol names them.
    fn parameters(&self) -> Vec<(String, String)> {
        let mut parameters = vec![
            ("RoleArn".to_owned(), self.role.to_string()),
            ("RoleSessionName".to_owned(), self.session_name.clone()),
            ("DurationSeconds".to_owned(), self.duration.to_string()),
        ];
        let mut put = |name: String, value: &str| parameters.push((name, value.to_owned()));
        if let Some(id) = &self.external_id {
            put("ExternalId".to_owned(), id);
        }
        if let Some(policy) = &self.session_policy {
            put("Policy".to_owned(), policy);
        }
        for (number, arn) in (1..).zip(&self.session_policy_arns) {
            put(format!("PolicyArns.member.{number}.arn"), arn);
        }
        for (number, (key, value)) in (1..).zip(&self.tags) {
            put(format!("Tags.member.{number}.Key"), key);
            put(format!("Tags.member.{number}.Value"), value);
        }
        for (number, key) in (1..).zip(&self.transitive_tag_keys) {
            put(format!("TransitiveTagKeys.member.{number}"), key);
        }
        parameters
    }
}

impl SignedClient {
    /// Asks the region's STS for a session of another role. The signer must be a session.
    pub async fn assume_role(&self, region: &Region, request: &AssumeRole) -> Result<Session, CallError> {
        let operation = ApiOperation::AssumeRole;
        let service = Service::sts(&self.channel.settings, region);
        let parameters = request.parameters();
        let pairs: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let unsigned = UnsignedRequest::form(operation.name(), VERSION, &pairs);
        let mut session = self.call(operation, service, unsigned, read).await?;
        session.role_session_name =
            session_name(&session.assumed_role_arn, &request.role).map_err(|reason| {
                let request_id = session.request_id.clone();
                CallError::new(operation, Error::BadAnswer { reason, status: Some(200), request_id })
            })?;
        Ok(session)
    }
}

/// Reads a session without its name.
fn read(answer: &Answer<'_>) -> Result<Session, String> {
    let wire: AssumeRoleResponseWire = xml::parse(answer)?;
    let HopWire { credentials, assumed_role_user, packed_policy_size, source_identity } = wire.result;
    let credentials = CredentialsWire {
        access_key_id: Some(credentials.access_key_id),
        secret_access_key: Some(credentials.secret_access_key),
        session_token: Some(credentials.session_token),
        expiration: Some(credentials.expiration),
    };
    answer.session_of(
        credentials,
        Some(assumed_role_user.arn),
        Some(assumed_role_user.assumed_role_id),
        source_identity,
        packed_policy_size,
    )
}

#[derive(Deserialize)]
struct AssumeRoleResponseWire {
    #[serde(rename = "AssumeRoleResult")]
    result: HopWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HopWire {
    credentials: HopCredentialsWire,
    assumed_role_user: HopUserWire,
    packed_policy_size: Option<u32>,
    source_identity: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HopCredentialsWire {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: SecretString,
    expiration: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HopUserWire {
    arn: String,
    assumed_role_id: String,
}
