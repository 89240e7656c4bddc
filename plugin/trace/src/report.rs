//! The answer of a run.

use serde::Serialize;

use crate::line::LineKind;
use crate::moment::Moment;
use crate::serial::HexSerial;

/// The messages about skipped lines that are kept; the rest is counted.
const MAX_MESSAGES: usize = 20;

/// What the files say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceReport {
    /// The selected sessions, the earliest first.
    pub sessions: Vec<TracedSession>,
    /// What was asked for and is nowhere in the files.
    pub not_found: Vec<String>,
    /// The files that were read.
    pub files: Vec<FileSummary>,
    /// What could not be read.
    pub skipped: SkippedLines,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileSummary {
    /// Its name, as given.
    pub file: String,
    /// Events of `CloudTrail`, entries of Vault's audit log, or lines of a log.
    pub kinds: Vec<&'static str>,
    /// Lines, or elements of a list, that are of one of these kinds.
    pub known: u64,
    /// Those that were skipped.
    pub skipped: u64,
}

impl FileSummary {
    /// Whether the file has lines of this kind.
    pub(crate) fn has(&self, kind: LineKind) -> bool {
        self.kinds.contains(&kind.name())
    }
}

/// Lines that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SkippedLines {
    /// All of them.
    pub count: u64,
    /// The first ones: file, place, and what is wrong.
    pub first: Vec<String>,
}

impl SkippedLines {
    /// Counts one more.
    pub(crate) fn note(&mut self, message: String) {
        self.count += 1;
        if self.first.len() < MAX_MESSAGES {
            self.first.push(message);
        }
    }
}

/// One AWS session, and who held it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TracedSession {
    /// `ASIA…`
    pub access_key: Option<String>,
    /// Of the certificate, with colons.
    pub serial_number: Option<HexSerial>,
    /// The last part of its ARN.
    pub session_name: Option<String>,
    /// As AWS shows it.
    pub source_identity: Option<String>,
    /// The ARN of the IAM role.
    pub role_arn: Option<String>,
    /// How it was made.
    pub made: Option<MadeBy>,
    /// The access keys of sessions that were made with it.
    pub chained_to: Vec<String>,
    /// Its calls in the time span.
    pub calls: Option<CallSummary>,
    /// Who was handed it.
    pub holders: Vec<SessionHolder>,
    /// What the files do not say of it.
    pub missing: Vec<Missing>,
}

/// How a session was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MadeBy {
    /// `CreateSession` or `AssumeRole`.
    pub event: &'static str,
    /// When.
    pub at: Moment,
    /// Where.
    pub region: Option<String>,
    /// `CloudTrail`'s id of the event.
    pub event_id: Option<String>,
    /// Its end, as AWS writes it.
    pub expires: Option<String>,
    /// The access key of the session that made it.
    pub chained_from: Option<String>,
}

/// The calls that were signed with a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallSummary {
    /// All of them.
    pub count: u64,
    /// Those that AWS refused.
    pub refused: u64,
    /// The first.
    pub first: CallLine,
    /// The last.
    pub last: CallLine,
    /// The regions that were called; 32 at most.
    pub regions: Vec<String>,
    /// The addresses they came from; 32 at most.
    pub addresses: Vec<String>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallLine {
    /// When.
    pub at: Moment,
    /// Service and operation, such as `s3 GetObject`.
    pub action: String,
    /// Where.
    pub region: Option<String>,
}

/// Somebody whom Vault handed the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SessionHolder {
    /// The namespace in Kubernetes.
    pub namespace: Option<String>,
    /// The service account in it.
    pub service_account: Option<String>,
    /// The pods that the node agent answered for it.
    pub pods: Vec<String>,
    /// Vault's id of the identity.
    pub entity_id: Option<String>,
    /// The token's name.
    pub display_name: Option<String>,
    /// The engine's role.
    pub role: Option<String>,
    /// The path that was read, with the mount.
    pub path: Option<String>,
    /// The address that Vault was asked from.
    pub address: Option<String>,
    /// Vault's ids of its requests, the earliest first.
    pub requests: Vec<HolderRequest>,
    /// The value that leads from the session to the requests.
    pub joined_by: String,
    /// What the files do not say of it.
    pub missing: Vec<Missing>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HolderRequest {
    /// Vault's id.
    pub id: String,
    /// When it was answered.
    pub at: Option<Moment>,
}

/// Something that the files do not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Such as `pod`.
    pub what: &'static str,
    /// The reason.
    pub why: String,
    /// The command that cures it from now on, or the file to give.
    pub cure: Option<String>,
}

impl Missing {
    /// Without a cure.
    pub(crate) fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, why: why.into(), cure: None }
    }

    /// The same with one.
    pub(crate) fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }
}
