//! A session: credentials for a limited time, and the identity they carry.

use secrecy::SecretString;
use time::OffsetDateTime;

use crate::clock_skew::ClockSkew;

/// A session that AWS has just issued. Every member was checked.
#[derive(Debug, Clone)]
pub struct Session {
    /// `ASIA…`, 16 to 128 characters. Not secret: AWS writes it into audit logs.
    pub access_key_id: String,
    /// Signs the caller's requests to AWS.
    pub secret_access_key: SecretString,
    /// Sent with each request.
    pub session_token: SecretString,
    /// When AWS stops accepting the credentials, to the second. May be sooner than requested.
    pub expiration: OffsetDateTime,
    /// When AWS answered by its own clock, to the second; none if AWS sent no time.
    pub dated: Option<OffsetDateTime>,
    /// `arn:aws:sts::<account>:assumed-role/<role>/<session name>`.
    pub assumed_role_arn: String,
    /// `AROA…:<session name>`, which policies call `aws:userid`.
    pub assumed_role_id: String,
    /// Usually `CN=<common name>`; policies call it `aws:SourceIdentity`.
    pub source_identity: Option<String>,
    /// The last part of the assumed role's ARN.
    pub role_session_name: String,
    /// The record of this certificate subject at Roles Anywhere; none if the session is another session's.
    pub subject_arn: Option<String>,
    /// The size of the session's policies and tags, in percent of their limit.
    pub packed_policy_size: Option<u32>,
    /// AWS's id of the request, for a support case.
    pub request_id: Option<String>,
}

impl Session {
    /// The length of the session by AWS's own clock. `arrived`, on this host's clock, stands in if AWS sent no time.
    pub fn length(&self, arrived: OffsetDateTime) -> time::Duration {
        self.expiration - self.dated.unwrap_or(arrived)
    }

    /// How far this host's clock was from AWS's when the session `arrived`; none if they were in sync, or if AWS
    /// sent no time.
    pub fn clock_skew(&self, arrived: OffsetDateTime) -> Option<ClockSkew> {
        ClockSkew::between(arrived, self.dated?)
    }
}
