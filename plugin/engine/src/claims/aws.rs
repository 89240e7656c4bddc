//! AWS as an input has it: the answers it lists, one for each call, and then sessions for whoever asks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use rolesanywhere::{Client, ClientError, Settings, Transport, TransportError};
use serde_json::{Value, json};

use crate::ground::clock::{self, rfc3339};

/// What comes into no answer but that of a read of credentials.
pub(super) const SECRET_KEY: &str = "cAnAry-secret-access-key";
pub(super) const SESSION_TOKEN: &str = "cAnAry-session-token";

/// Answers that are still to be given: status and body.
#[derive(Clone, Debug, Default)]
pub(super) struct Aws(Arc<Mutex<VecDeque<(u16, String)>>>);

impl Aws {
    /// Answers the next call that no earlier one of these answers.
    pub(super) fn will_say(&self, status: u16, body: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((status, body.to_owned()));
    }

    pub(super) fn client(&self, settings: &Settings) -> Result<Client, ClientError> {
        Client::with_transport(settings, Arc::new(self.clone()))
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
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (status, body) = self.answer(request.uri().path(), request.body());
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Ok(response)
    }
}

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
