//! An emulator with one anchor, one profile and one role that work, and the assertions every case shares.

use crate::client::{Answer, Call, Keys, Session, SignedCall};
use crate::clock::now;
use crate::expectations::Refusal;
use crate::pki::{Authority, Device};
use aws_emulator::{Emulator, Options};
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const ANCHOR_ID: &str = "5a2b6c1e-0d3f-4f7a-9b61-0c8e4d2f1a01";
pub(crate) const PROFILE_ID: &str = "5a2b6c1e-0d3f-4f7a-9b61-0c8e4d2f1a02";
pub(crate) const CRL_ID: &str = "5a2b6c1e-0d3f-4f7a-9b61-0c8e4d2f1a03";
pub(crate) const ANCHOR: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/5a2b6c1e-0d3f-4f7a-9b61-0c8e4d2f1a01";
pub(crate) const PROFILE: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/5a2b6c1e-0d3f-4f7a-9b61-0c8e4d2f1a02";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/demo";

/// The CA behind the anchor; one for the whole run, since no test changes it.
pub(crate) static ROOT: LazyLock<Authority> = LazyLock::new(|| Authority::root("Emulator Test Root"));

/// A running emulator and what is needed to talk to it.
pub(crate) struct World {
    emulator: Emulator,
    pub(crate) client: reqwest::Client,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// Starts with a state that `change` has edited.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Value)) -> Self {
        Self::start_as(change, Options { tls: false }).await
    }

    pub(crate) async fn start_tls() -> Self {
        Self::start_as(|_| (), Options { tls: true }).await
    }

    /// With TLS, and with a state that `change` has edited.
    pub(crate) async fn start_tls_with(change: impl FnOnce(&mut Value)) -> Self {
        Self::start_as(change, Options { tls: true }).await
    }

    async fn start_as(change: impl FnOnce(&mut Value), options: Options) -> Self {
        let mut state = default_state();
        change(&mut state);
        let state = serde_json::from_value(state).expect("the state is what the emulator reads");
        let emulator = Emulator::start(state, options).await;
        let mut builder = reqwest::Client::builder().no_proxy();
        if let Some(pem) = emulator.ca_pem() {
            let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
            builder = builder.tls_certs_only([authority]);
        }
        Self { emulator, client: builder.build().unwrap() }
    }

    pub(crate) fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// The URL of an address of this region alone.
    pub(crate) fn open(&mut self, region: &str) -> String {
        self.emulator.open(region).expect("a port is free")
    }

    pub(crate) fn url(&self) -> String {
        self.emulator.url().trim_end_matches('/').to_owned()
    }

    pub(crate) fn ca_pem(&self) -> String {
        self.emulator.ca_pem().expect("a TLS emulator shows its CA").to_owned()
    }

    /// A correct `CreateSession` for `device`.
    pub(crate) fn call(&self, device: &Device) -> Call {
        Call::new(self.client.clone(), &self.url(), device)
            .set("trustAnchorArn", ANCHOR)
            .set("profileArn", PROFILE)
            .set("roleArn", ROLE)
    }

    /// The session of `device`, which must succeed.
    pub(crate) async fn session(&self, device: &Device) -> Session {
        self.call(device).send().await.session()
    }

    pub(crate) fn caller_identity(&self, keys: impl Into<Keys>) -> SignedCall {
        SignedCall::caller_identity(self.client.clone(), &self.url(), keys.into())
    }

    /// A management call, signed with the state's management key.
    pub(crate) async fn manage(&self, method: reqwest::Method, path: &str, body: &Value) -> Answer {
        self.manage_as(management_keys(), method, path, body).await
    }

    pub(crate) async fn manage_as(
        &self,
        keys: impl Into<Keys>,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> Answer {
        let mut call = SignedCall::management(self.client.clone(), &self.url(), keys.into());
        call.method = method;
        path.clone_into(&mut call.path);
        call.body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        call.send().await
    }

    pub(crate) async fn create(&self, path: &str, body: &Value) -> Answer {
        self.manage(reqwest::Method::POST, path, body).await
    }

    /// An IAM call with these keys.
    pub(crate) async fn iam_as(
        &self,
        keys: impl Into<Keys>,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        SignedCall::iam(self.client.clone(), &self.url(), keys.into(), action, parameters).send().await
    }

    /// An IAM call with the state's management key.
    pub(crate) async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.iam_as(management_keys(), action, parameters).await
    }

    pub(crate) async fn admin(&self, page: &str) -> Value {
        let url = format!("{}/_admin/{page}", self.url());
        Answer::read(self.client.get(url).send().await.unwrap()).await.json()
    }

    pub(crate) async fn put_knobs(&self, knobs: Value) {
        let url = format!("{}/_admin/knobs", self.url());
        let request = self.client.put(url).header("content-type", "application/json");
        let response = request.body(knobs.to_string()).send().await.unwrap();
        assert!(response.status().is_success(), "the knobs are refused: {}", response.text().await.unwrap());
    }

    /// The emulator's log entry of one request.
    pub(crate) async fn log_entry(&self, answer: &Answer) -> Value {
        let log = self.admin("log").await;
        let entries = log.as_array().expect("the log is a list");
        let id = answer.request_id();
        let found = entries.iter().find(|entry| entry["request_id"] == id && !id.is_empty());
        found.unwrap_or_else(|| panic!("no entry for request {id:?} in {log:#}")).clone()
    }

    /// The emulator's record of the session, without secrets.
    pub(crate) async fn session_page(&self, session: &Session) -> Value {
        let sessions = self.admin("sessions").await;
        let all = sessions.as_array().expect("the sessions are a list");
        let found = all.iter().find(|entry| entry["access_key_id"] == session.access_key_id.as_str());
        found.unwrap_or_else(|| panic!("{} is not among {sessions:#}", session.access_key_id)).clone()
    }

    /// Asserts the status, AWS's type, the text, and that exactly the rule of this case fired.
    pub(crate) async fn refuses(&self, answer: &Answer, expected: &Refusal) {
        let entry = self.log_entry(answer).await;
        let seen =
            (answer.status, answer.error_type(), answer.message(), entry["rule"].as_str().unwrap_or(""));
        let wanted = (expected.status, expected.kind, expected.message(), expected.rule);
        assert_eq!(seen, wanted, "detail: {}", entry["detail"]);
        assert_eq!(entry["outcome"], "refused");
        assert_eq!(answer.json().as_object().unwrap().len(), 1, "AWS's body holds a message only");
        assert!(self.admin("sessions").await.as_array().unwrap().is_empty(), "a refusal left a session");
    }
}

pub(crate) fn management_keys() -> Keys {
    Keys {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        security_token: None,
    }
}

/// A trust policy that allows Roles Anywhere the `actions` on `condition`.
pub(crate) fn trust_policy(actions: &[&str], condition: &Value) -> Value {
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": { "Service": "rolesanywhere.amazonaws.com" },
        "Action": actions,
    });
    if !condition.is_null() {
        statement["Condition"] = condition.clone();
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

/// Gives the role `demo` one inline policy of these statements.
pub(crate) fn permitted(statements: Value) -> impl FnOnce(&mut Value) {
    move |state| state["roles"][0]["policies"] = json!({ "tests": policy(statements) })
}

/// An identity policy.
pub(crate) fn policy(statements: impl Into<Value>) -> Value {
    let mut policy = json!({ "Version": "2012-10-17" });
    policy["Statement"] = statements.into();
    policy
}

/// The three actions a role must allow.
pub(crate) const ACTIONS: [&str; 3] = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];

/// Puts `condition` on the role's trust policy.
pub(crate) fn on_condition(condition: Value) -> impl FnOnce(&mut Value) {
    move |state| state["roles"][0]["trust_policy"] = trust_policy(&ACTIONS, &condition)
}

/// A CRL of [`ROOT`] in the emulator's state.
pub(crate) fn crl(pem: &str, enabled: bool) -> Value {
    json!({ "id": CRL_ID, "name": "revoked", "enabled": enabled, "trust_anchor_id": ANCHOR_ID, "crl_pem": pem })
}

/// One anchor, one profile and one role that work together.
pub(crate) fn default_state() -> Value {
    let keys = management_keys();
    json!({
        "account": ACCOUNT,
        "region": "eu-central-1",
        "trust_anchors": [{
            "id": ANCHOR_ID, "name": "tests", "enabled": true, "certificates_pem": ROOT.certificate.pem(),
        }],
        "crls": [],
        "profiles": [{
            "id": PROFILE_ID, "name": "tests", "enabled": true, "role_arns": [ROLE], "duration_seconds": 3600,
            "accept_role_session_name": false, "session_policy": null,
            "attribute_mappings": {
                "x509Subject": ["*"], "x509Issuer": ["*"], "x509SAN": ["DNS", "URI", "Name/*"],
            },
        }],
        "roles": [{
            "name": "demo", "path": "/", "max_session_duration": 3600,
            "trust_policy": trust_policy(&ACTIONS, &Value::Null),
        }],
        "management_keys": [{
            "access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key,
        }],
    })
}

/// Seconds from now to an RFC 3339 instant.
pub(crate) fn seconds_until(expiration: &str) -> i64 {
    let format = &time::format_description::well_known::Rfc3339;
    let end = time::OffsetDateTime::parse(expiration, format).unwrap();
    (end - now()).whole_seconds()
}
