//! Signature Version 4 with a secret key, for STS and for the management API.

use super::answer::{Answer, Session};
use super::call::{canonical_headers, day, escape, stamp};
use crate::clock::now;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// The keys a request is signed with.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) security_token: Option<String>,
}

impl From<&Session> for Keys {
    fn from(session: &Session) -> Self {
        Self {
            access_key_id: session.access_key_id.clone(),
            secret_access_key: session.secret_access_key.clone(),
            security_token: Some(session.security_token.clone()),
        }
    }
}

/// A request to be signed with `SigV4`.
pub(crate) struct SignedCall {
    pub(crate) client: reqwest::Client,
    pub(crate) url: String,
    pub(crate) method: reqwest::Method,
    pub(crate) path: String,
    pub(crate) service: &'static str,
    pub(crate) region: &'static str,
    pub(crate) content_type: &'static str,
    /// `X-Amz-Target`, which the JSON protocol sends.
    pub(crate) target: Option<&'static str>,
    pub(crate) body: Vec<u8>,
    pub(crate) keys: Keys,
    pub(crate) date: OffsetDateTime,
}

impl SignedCall {
    /// `sts:GetCallerIdentity`.
    pub(crate) fn caller_identity(client: reqwest::Client, url: &str, keys: Keys) -> Self {
        Self {
            client,
            url: url.to_owned(),
            method: reqwest::Method::POST,
            path: "/".to_owned(),
            service: "sts",
            region: "eu-central-1",
            content_type: "application/x-www-form-urlencoded; charset=utf-8",
            target: None,
            body: b"Action=GetCallerIdentity&Version=2011-06-15".to_vec(),
            keys,
            date: now(),
        }
    }

    /// A call of IAM, with `Action` and `Version` in front of the parameters.
    pub(crate) fn iam(
        client: reqwest::Client,
        url: &str,
        keys: Keys,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Self {
        let more = parameters.iter().map(|(name, value)| format!("&{name}={}", escape(value)));
        let body = format!("Action={action}&Version=2010-05-08{}", more.collect::<String>());
        Self {
            service: "iam",
            region: "us-east-1",
            body: body.into_bytes(),
            ..Self::caller_identity(client, url, keys)
        }
    }

    /// A call of the Roles Anywhere management API.
    pub(crate) fn management(client: reqwest::Client, url: &str, keys: Keys) -> Self {
        Self {
            service: "rolesanywhere",
            content_type: "application/json",
            body: Vec::new(),
            ..Self::caller_identity(client, url, keys)
        }
    }

    /// `ecr:GetAuthorizationToken`.
    pub(crate) fn authorization_token(client: reqwest::Client, url: &str, keys: Keys) -> Self {
        Self {
            service: "ecr",
            content_type: "application/x-amz-json-1.1",
            target: Some("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"),
            body: b"{}".to_vec(),
            ..Self::caller_identity(client, url, keys)
        }
    }

    pub(crate) async fn send(self) -> Answer {
        Answer::read(self.try_send().await.unwrap()).await
    }

    /// Sends, where the connection itself may fail.
    pub(crate) async fn try_send(self) -> Result<reqwest::Response, reqwest::Error> {
        let mut headers = vec![
            ("content-type", self.content_type.to_owned()),
            ("host", self.url.split("//").nth(1).unwrap().to_owned()),
            ("x-amz-date", stamp(self.date)),
        ];
        headers.extend(self.keys.security_token.clone().map(|token| ("x-amz-security-token", token)));
        headers.extend(self.target.map(|target| ("x-amz-target", target.to_owned())));
        let authorization = self.authorization(&headers);
        let url = format!("{}{}", self.url, self.path);
        let mut request = self.client.request(self.method, url).body(self.body);
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        request.header("authorization", authorization).send().await
    }

    fn authorization(&self, headers: &[(&'static str, String)]) -> String {
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines = canonical_headers(headers);
        let body_hash = hex::encode(Sha256::digest(&self.body));
        let canonical = format!("{}\n{}\n\n{lines}\n{names}\n{body_hash}", self.method, self.path);
        let scope = format!("{}/{}/{}/aws4_request", day(self.date), self.region, self.service);
        let hash = hex::encode(Sha256::digest(canonical));
        let string_to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hash}", stamp(self.date));
        let signature = hex::encode(hmac(&self.signing_key(), &string_to_sign));
        let key_id = &self.keys.access_key_id;
        format!("AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    fn signing_key(&self) -> Vec<u8> {
        let secret = format!("AWS4{}", self.keys.secret_access_key);
        let date = hmac(secret.as_bytes(), &day(self.date));
        let region = hmac(&date, self.region);
        hmac(&hmac(&region, self.service), "aws4_request")
    }
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
