//! One structured entry per request, with the rule that fired.

use serde::{Deserialize, Serialize};

/// The outcome of one request. It holds no secret: credentials, tokens and signatures are never written here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When it was answered, by the emulator's clock, RFC 3339.
    pub at: String,
    /// The `x-amzn-RequestId` of the reply.
    pub request_id: String,
    /// `CreateSession`, `GetCallerIdentity`, `AssumeRole`, `CreateTrustAnchor`, …, or `-` for an unknown path.
    pub operation: String,
    /// `issued`, `answered`, `refused`, `throttled`, `failed` or `dropped`.
    pub outcome: String,
    /// The id of the rule that refused it (see [`Rule`](crate::Rule)); empty otherwise.
    pub rule: String,
    /// The HTTP status; 0 if no reply was sent.
    pub status: u16,
    /// The leaf certificate's serial number in even lowercase hex, as in the session name; empty until it is known.
    pub serial: String,
    /// The region of the call; empty for one without a signature.
    #[serde(default)]
    pub region: String,
    /// The details that explain the outcome to a person.
    pub detail: String,
}
