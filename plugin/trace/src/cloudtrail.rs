//! Events of AWS `CloudTrail`.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html>,
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/logging-using-cloudtrail.html>

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fact::{AwsIdentity, AwsSession, AwsUse, LogFact};
use crate::moment::Moment;

/// The end of every event source.
const DOMAIN: &str = ".amazonaws.com";

/// The facts of one event, or of one that `aws cloudtrail lookup-events` wrapped.
///
/// # Errors
/// A documented field is missing, or of another type.
pub(crate) fn facts(event: Value) -> Result<Vec<LogFact>, String> {
    let event = match event.get("CloudTrailEvent").and_then(Value::as_str) {
        Some(wrapped) => {
            serde_json::from_str(wrapped).map_err(|error| format!("CloudTrailEvent: {error}"))?
        }
        None => event,
    };
    let event: TrailEvent =
        serde_json::from_value(event).map_err(|error| format!("is not an event of CloudTrail: {error}"))?;
    let at = Moment::parse(&event.event_time).map_err(|error| format!("eventTime: {error}"))?;
    Ok(event.used(at).map(LogFact::Used).into_iter().chain(event.made(at).map(LogFact::Made)).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TrailEvent {
    event_time: String,
    event_source: String,
    event_name: String,
    aws_region: Option<String>,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: Option<String>,
    error_code: Option<String>,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
    user_identity: Option<UserIdentity>,
    /// Each service has its own.
    request_parameters: Option<Value>,
    /// Each service has its own.
    response_elements: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity {
    r#type: Option<String>,
    principal_id: Option<String>,
    arn: Option<String>,
    access_key_id: Option<String>,
    session_context: Option<SessionContext>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext {
    session_issuer: Option<SessionIssuer>,
    source_identity: Option<String>,
}

#[derive(Deserialize)]
struct SessionIssuer {
    arn: Option<String>,
}

/// `responseElements` of `CreateSession`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateSessionElements {
    credential_set: Vec<CredentialElements>,
}

/// One set of credentials; `AssumeRole` answers with a part of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialElements {
    credentials: KeyElements,
    assumed_role_user: Option<AssumedRoleElements>,
    role_arn: Option<String>,
    source_identity: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyElements {
    access_key_id: String,
    expiration: Option<String>,
}

#[derive(Deserialize)]
struct AssumedRoleElements {
    arn: Option<String>,
}

impl TrailEvent {
    /// The session that signed the call; none for a user, for a service of AWS, and for the certificate of `CreateSession`.
    fn used(&self, at: Moment) -> Option<AwsUse> {
        let identity =
            self.user_identity.as_ref().filter(|user| user.r#type.as_deref() == Some("AssumedRole"))?;
        let access_key = identity.access_key_id.clone().filter(|key| !key.is_empty())?;
        let context = identity.session_context.as_ref();
        let issuer = context.and_then(|context| context.session_issuer.as_ref());
        Some(AwsUse {
            at,
            identity: AwsIdentity {
                access_key,
                session_name: identity.session_name(),
                role_arn: issuer.and_then(|issuer| issuer.arn.clone()),
                source_identity: context.and_then(|context| context.source_identity.clone()),
            },
            region: self.aws_region.clone(),
            action: format!("{} {}", self.service(), self.event_name),
            address: self.source_ip_address.clone(),
            is_error: self.error_code.is_some(),
        })
    }

    /// The session that the call made. A refused call made none.
    fn made(&self, at: Moment) -> Option<AwsSession> {
        let elements = self.response_elements.as_ref()?;
        let (by, set) = match (self.service(), self.event_name.as_str()) {
            ("rolesanywhere", "CreateSession") => {
                let set = part::<CreateSessionElements>(elements)?.credential_set.into_iter().next()?;
                ("CreateSession", set)
            }
            ("sts", "AssumeRole") => ("AssumeRole", part::<CredentialElements>(elements)?),
            _ => return None,
        };
        let assumed = set.assumed_role_user.and_then(|user| user.arn);
        let parent = self.user_identity.as_ref().and_then(|user| user.access_key_id.clone());
        Some(AwsSession {
            at,
            by,
            event_id: self.event_id.clone(),
            identity: AwsIdentity {
                access_key: set.credentials.access_key_id,
                session_name: assumed.as_deref().and_then(last_part).map(str::to_owned),
                role_arn: set.role_arn.or_else(|| self.asked_role()),
                source_identity: set.source_identity,
            },
            region: self.aws_region.clone(),
            expires: set.credentials.expiration,
            parent: parent.filter(|key| by == "AssumeRole" && !key.is_empty()),
        })
    }

    /// The IAM role that the call named.
    fn asked_role(&self) -> Option<String> {
        self.request_parameters.as_ref()?.get("roleArn")?.as_str().map(str::to_owned)
    }

    fn service(&self) -> &str {
        self.event_source.strip_suffix(DOMAIN).unwrap_or(&self.event_source)
    }
}

impl UserIdentity {
    /// The end of `arn`, or of `principalId`, `AROA…:<session name>`.
    fn session_name(&self) -> Option<String> {
        let of_arn = self.arn.as_deref().filter(|arn| arn.contains(":assumed-role/")).and_then(last_part);
        let of_id = || self.principal_id.as_deref()?.split_once(':').map(|(_, name)| name);
        of_arn.or_else(of_id).map(str::to_owned)
    }
}

fn last_part(arn: &str) -> Option<&str> {
    arn.rsplit_once('/').map(|(_, name)| name)
}

/// None where the elements have another shape: they are a service's own, and only two are known here.
fn part<T: DeserializeOwned>(elements: &Value) -> Option<T> {
    T::deserialize(elements).ok()
}
