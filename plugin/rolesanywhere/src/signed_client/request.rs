//! A request that `aws-sigv4` signs with Signature Version 4. Pure: the clock is an argument.

use std::time::SystemTime;

use aws_credential_types::Credentials as Keys;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use secrecy::ExposeSecret as _;
use time::OffsetDateTime;
use url::form_urlencoded::Serializer;

use super::credentials::Credentials;
use crate::identity::SigningError;
use crate::service::Service;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/json";

/// A request that is not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnsignedRequest {
    method: Method,
    path: String,
    content_type: Option<&'static str>,
    body: Bytes,
    /// The account whose rate limit applies; none if AWS allows more than one call per second.
    pub(super) rate_limited: Option<String>,
}

impl UnsignedRequest {
    /// A call of AWS's query protocol, which STS and IAM speak: the request is a form, the answer XML.
    pub(super) fn form(action: &str, version: &str, parameters: &[(&str, &str)]) -> Self {
        let mut form = Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", version).extend_pairs(parameters);
        Self {
            method: Method::POST,
            path: "/".to_owned(),
            content_type: Some(FORM),
            body: form.finish().into(),
            rate_limited: None,
        }
    }

    /// A read through Roles Anywhere's own API.
    pub(super) fn get(path: String, account: &str) -> Self {
        Self {
            method: Method::GET,
            path,
            content_type: None,
            body: Bytes::new(),
            rate_limited: Some(account.to_owned()),
        }
    }

    /// A change through Roles Anywhere's own API.
    pub(super) fn patch(path: String, account: &str, body: &serde_json::Value) -> Self {
        Self {
            method: Method::PATCH,
            content_type: Some(JSON),
            body: body.to_string().into(),
            ..Self::get(path, account)
        }
    }

    /// Whether the answer is JSON; otherwise it is XML.
    pub(super) fn is_json(&self) -> bool {
        self.content_type != Some(FORM)
    }

    /// Signs the request for `now`. AWS accepts it for five minutes.
    pub(super) fn signed(
        &self,
        service: &Service,
        credentials: &Credentials,
        now: OffsetDateTime,
    ) -> Result<Request<Bytes>, SigningError> {
        let url = service.endpoint.at(&self.path);
        let keys = keys(credentials).into();
        let params = v4::SigningParams::builder()
            .identity(&keys)
            .region(&service.region)
            .name(service.name)
            .time(SystemTime::from(now))
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| SigningError::Request("its signing parameters"))?
            .into();
        let headers = self.content_type.map(|kind| (header::CONTENT_TYPE.as_str(), kind)).into_iter();
        let signable =
            SignableRequest::new(self.method.as_str(), &url, headers, SignableBody::Bytes(&self.body))
                .map_err(|_| SigningError::Request("its URL"))?;
        let (instructions, _) = sign(signable, &params).map_err(|_| SigningError::Crypto)?.into_parts();
        let mut request = self.unsigned(&url)?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    fn unsigned(&self, url: &str) -> Result<Request<Bytes>, SigningError> {
        let mut request = Request::builder().method(&self.method).uri(url);
        if let Some(kind) = self.content_type {
            request = request.header(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        request.body(self.body.clone()).map_err(|_| SigningError::Request("its URL"))
    }
}

fn keys(credentials: &Credentials) -> Keys {
    let token = credentials.session_token.as_ref().map(|token| token.expose_secret().to_owned());
    let secret = credentials.secret_access_key.expose_secret();
    Keys::new(&credentials.access_key_id, secret, token, None, "a session")
}
