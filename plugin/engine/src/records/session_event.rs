//! The record of the sessions that were handed out: who has which session, and which ones are denied.
//!
//! It is a journal. Events are never changed, and several of them are stored together as one [`EventSegment`]. Nothing in it is secret:
//! the id of an access key is what AWS's own records show.

use rolesanywhere::{RoleArn, TrustAnchorArn};
use serde::{Deserialize, Serialize};

/// One fact about a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionEvent {
    /// AWS made it, and a caller is about to receive it.
    Issued(Box<SessionRecord>),
    /// A caller received it for the first time.
    Held(Box<Holding>),
    /// Callers received it who are not listed: it counts as everybody's.
    HeldByOthers { serial: String },
    /// It made a session of a further role, which a caller is about to receive.
    Hopped(Box<HopRecord>),
    /// A policy that denies it was written to IAM.
    Denied { serial: String },
}

/// A session as AWS made it. Times are in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    /// The serial number of its certificate, lowercase hexadecimal with colons.
    pub(crate) serial: String,
    /// The engine's role, by name.
    pub(crate) role: String,
    pub(crate) role_arn: RoleArn,
    pub(crate) trust_anchor_arn: TrustAnchorArn,
    /// The cluster in which its caller logged in, if the role's templates need one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<String>,
    /// The id of its access key, by which AWS's records name its calls.
    pub(crate) access_key: String,
    /// Its name at AWS, the last part of the assumed role's ARN.
    pub(crate) role_session_name: String,
    /// Whether the role names its sessions itself: the next one then has the same name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_named: bool,
    /// None if the session has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_identity: Option<String>,
    /// When AWS's answer arrived, by the clock of Vault's machine.
    pub(crate) issued: i64,
    /// As AWS answered it.
    pub(crate) expiration: i64,
    /// The version of the plugin that made it.
    pub(crate) plugin_version: String,
}

/// A session of a further role that a session made. Times are in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HopRecord {
    /// The serial number of the session that made it, as in [`SessionRecord`].
    pub(crate) serial: String,
    pub(crate) target_role_arn: RoleArn,
    /// The id of its access key.
    pub(crate) access_key: String,
    /// When STS's answer arrived, by the clock of Vault's machine.
    pub(crate) issued: i64,
    /// When its holders replace it, at the latest.
    pub(crate) expiration: i64,
}

/// A caller's first receipt of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holding {
    /// The session's serial number, as in [`SessionRecord`].
    pub(crate) serial: String,
    /// The id of the caller's entity or, for a token without an entity, the token's accessor. Empty for a batch token without an
    /// entity, which has neither.
    pub(crate) holder: String,
    /// Whether `holder` is an entity's id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_entity: bool,
    /// The pod behind the caller, if it logged in at a registered cluster.
    #[serde(flatten)]
    pub(crate) pod: PodName,
    /// Vault's id of the request, which its audit log shows.
    pub(crate) request_id: String,
    /// When it received the session, in seconds since 1970.
    pub(crate) since: i64,
}

/// Where a pod runs and as whom, as the alias of its entity says; empty fields for other callers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PodName {
    #[serde(default, rename = "cluster", skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service_account: Option<String>,
}

/// Events of sessions that expire in the same hour, stored as one record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventSegment {
    pub(crate) events: Vec<SessionEvent>,
}

/// Since when a mount keeps its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Began {
    /// In seconds since 1970.
    pub(crate) began: i64,
}

impl SessionEvent {
    /// The serial number of the session.
    pub(crate) fn serial(&self) -> &str {
        match self {
            Self::Issued(session) => &session.serial,
            Self::Held(holding) => &holding.serial,
            Self::Hopped(hop) => &hop.serial,
            Self::HeldByOthers { serial } | Self::Denied { serial } => serial,
        }
    }
}
