//! The credentials that sign a call.

use secrecy::SecretString;

use crate::session::Session;

/// Credentials that sign requests.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `ASIA…` of a session, `AKIA…` of a long-lived key. Not secret.
    pub access_key_id: String,
    /// The signing key. It is never sent.
    pub secret_access_key: SecretString,
    /// Sent with each request; long-lived keys have none.
    pub session_token: Option<SecretString>,
}

impl From<&Session> for Credentials {
    fn from(session: &Session) -> Self {
        Self {
            access_key_id: session.access_key_id.clone(),
            secret_access_key: session.secret_access_key.clone(),
            session_token: Some(session.session_token.clone()),
        }
    }
}
