//! What one line of a log says about sessions.

use crate::moment::Moment;
use crate::serial::HexSerial;

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogFact {
    /// `CloudTrail`: AWS made a session.
    Made(AwsSession),
    /// `CloudTrail`: a call was signed with a session.
    Used(AwsUse),
    /// Vault's audit log: a read of credentials was answered.
    Read(VaultRead),
    /// The plugin's line in Vault's log: a session was made or handed out.
    HandedOut(SessionLine),
    /// The node agent's log: a pod was answered.
    Answered(PodAnswer),
}

/// A session that AWS made, for a certificate or for another session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsSession {
    pub(crate) at: Moment,
    /// `CreateSession` or `AssumeRole`.
    pub(crate) by: &'static str,
    pub(crate) event_id: Option<String>,
    pub(crate) identity: AwsIdentity,
    pub(crate) region: Option<String>,
    /// As AWS writes it, which differs between its services.
    pub(crate) expires: Option<String>,
    /// The access key of the session that called `AssumeRole`.
    pub(crate) parent: Option<String>,
}

/// A session as events of `CloudTrail` name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AwsIdentity {
    pub(crate) access_key: String,
    pub(crate) session_name: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) source_identity: Option<String>,
}

/// A call that was signed with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsUse {
    pub(crate) at: Moment,
    pub(crate) identity: AwsIdentity,
    pub(crate) region: Option<String>,
    /// Service and operation, such as `s3 GetObject`.
    pub(crate) action: String,
    pub(crate) address: Option<String>,
    /// AWS refused it.
    pub(crate) is_error: bool,
}

/// A value of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Legible<T> {
    Clear(T),
    /// Vault replaced it by an HMAC.
    Hashed,
    Absent,
}

impl<T> Legible<T> {
    /// The value, if it is in clear.
    pub(crate) fn clear(&self) -> Option<&T> {
        match self {
            Self::Clear(value) => Some(value),
            Self::Hashed | Self::Absent => None,
        }
    }
}

/// An answered read of `creds`, `sts` or `container`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultRead {
    pub(crate) at: Moment,
    pub(crate) request_id: String,
    /// With a slash at its end.
    pub(crate) mount: String,
    /// Without the mount.
    pub(crate) path: String,
    pub(crate) address: Option<String>,
    pub(crate) serial: Legible<HexSerial>,
    pub(crate) access_key: Legible<String>,
    pub(crate) source_identity: Option<String>,
    /// The whole answer is one value, as of `container`.
    pub(crate) is_document: bool,
    pub(crate) caller: VaultCaller,
}

impl VaultRead {
    /// The engine's role.
    pub(crate) fn role(&self) -> &str {
        self.path.split_once('/').map_or("", |(_, role)| role)
    }
}

/// The caller of a read, as its token says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct VaultCaller {
    pub(crate) entity_id: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) service_account: Option<String>,
}

/// A session that the plugin's log says was made or handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionLine {
    pub(crate) at: Option<Moment>,
    /// None for a session that was renewed ahead of need.
    pub(crate) request_id: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) serial: HexSerial,
    pub(crate) source_identity: Option<String>,
}

/// A pod that the node agent answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodAnswer {
    pub(crate) at: Moment,
    pub(crate) access_key: String,
    pub(crate) role: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) service_account: Option<String>,
    pub(crate) pod: Option<String>,
}
