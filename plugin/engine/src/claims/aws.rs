//! AWS as an input describes it: one listed answer for each call, and after the last one a session for every request.
//!
//! A call other than CreateSession that has no listed answer is refused with 403.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use rolesanywhere::{Transport, TransportError};
use serde_json::{Value, json};

use crate::ground::clock::{self, rfc3339};

/// A secret that only the answer to a read of credentials may contain.
pub(super) const SECRET_KEY: &str = "cAnAry-secret-access-key";
/// As [`SECRET_KEY`].
pub(super) const SESSION_TOKEN: &str = "cAnAry-session-token";

/// The answers not yet given, first one first: HTTP status and body. Clones share the list.
#[derive(Clone, Debug, Default)]
pub(super) struct Aws(Arc<Mutex<VecDeque<(u16, String)>>>);

impl Aws {
    /// Adds the answer to one call, after the answers added before it.
    pub(super) fn will_say(&self, status: u16, body: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((status, body.to_owned()));
    }

    fn answer(&self, path: &str, body: &[u8]) -> (u16, String) {
        let listed = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        listed.unwrap_or_else(|| match path {
            "/sessions" => (201, session(&serde_json::from_slice(body).unwrap_or_default()).to_string()),
            _ => (403, json!({ "message": "User: u is not authorized to perform: x:Y" }).to_string()),
        })
    }
}

#[async_trait]
impl Transport for Aws {
    /// Answers at once. A listed status that HTTP does not have becomes 500.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (status, body) = self.answer(request.uri().path(), request.body());
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Ok(response)
    }
}

/// The body of a CreateSession answer to the body `asked`: the session is of the role and the duration that it names.
fn session(asked: &Value) -> Value {
    let role = asked["roleArn"].as_str().unwrap_or_default();
    let assumed = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/");
    let seconds = asked["durationSeconds"].as_i64().unwrap_or(3600);
    let expiration = rfc3339(clock::now() + time::Duration::seconds(seconds));
    json!({
        "credentialSet": [{
            "assumedRoleUser": { "arn": format!("{assumed}/4444"), "assumedRoleId": "AROAEXAMPLEEXAMPLE:4444" },
            "credentials": {
                "accessKeyId": "ASIAEXAMPLEEXAMPLE12", "secretAccessKey": SECRET_KEY, "sessionToken": SESSION_TOKEN,
                "expiration": expiration,
            },
            "roleArn": role,
        }],
        "subjectArn": "arn:aws:rolesanywhere:eu-central-1:111122223333:subject/s",
    })
}
