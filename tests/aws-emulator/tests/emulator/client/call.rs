//! One `CreateSession` request, right by default, each part of which a test may spoil before or after it is signed.

use super::answer::Answer;
use crate::clock::now;
use crate::pki::{Certificate, Device, Scheme};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

/// Where the parameters travel: both are legal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All in the JSON body, as the documentation shows.
    Body,
    /// The three ARNs in the query, as AWS's credential helper does.
    Query,
}

/// How the bytes of the signature are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    LowerHex,
    UpperHex,
    Base64,
}

/// A `CreateSession` request before it is signed.
pub(crate) struct Call {
    pub(crate) url: String,
    pub(crate) device: Device,
    pub(crate) method: reqwest::Method,
    pub(crate) path: &'static str,
    pub(crate) shape: Shape,
    pub(crate) parameters: Map<String, Value>,
    /// Sent in place of the parameters.
    pub(crate) raw_body: Option<&'static str>,
    pub(crate) content_type: &'static str,
    pub(crate) label: String,
    pub(crate) date: OffsetDateTime,
    pub(crate) scope_date: String,
    pub(crate) serial: String,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
    pub(crate) terminator: &'static str,
    /// `None`: the header is not sent.
    pub(crate) certificate_header: Option<String>,
    pub(crate) chain_header: Option<String>,
    /// Headers that are sent and not signed.
    pub(crate) unsigned: Vec<&'static str>,
    pub(crate) scheme: Scheme,
    pub(crate) encoding: Encoding,
    pub(crate) client: reqwest::Client,
}

/// A signed request, ready to go or to be altered on the way.
pub(crate) struct Prepared {
    pub(crate) method: reqwest::Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    client: reqwest::Client,
}

impl Call {
    pub(crate) fn new(client: reqwest::Client, url: &str, device: &Device) -> Self {
        let date = now();
        let chain: Vec<_> = device.chain.iter().map(Certificate::base64).collect();
        Self {
            url: url.to_owned(),
            method: reqwest::Method::POST,
            path: "/sessions",
            shape: Shape::Body,
            parameters: Map::new(),
            raw_body: None,
            content_type: "application/json",
            label: device.key.label().to_owned(),
            date,
            scope_date: day(date),
            serial: device.certificate.serial_decimal(),
            region: "eu-central-1",
            service: "rolesanywhere",
            terminator: "aws4_request",
            certificate_header: Some(device.certificate.base64()),
            chain_header: (!chain.is_empty()).then(|| chain.join(",")),
            unsigned: Vec::new(),
            scheme: Scheme::Documented,
            encoding: Encoding::LowerHex,
            device: device.clone(),
            client,
        }
    }

    /// Sets a parameter of the request.
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// Applies a change that has no method of its own.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Moves the signing date, and the scope's with it.
    pub(crate) fn signed_at(mut self, date: OffsetDateTime) -> Self {
        self.date = date;
        self.scope_date = day(date);
        self
    }

    pub(crate) async fn send(self) -> Answer {
        self.sign().send().await
    }

    /// Signs as the signing page says, with the faults this call was given.
    pub(crate) fn sign(self) -> Prepared {
        let (query, body) = self.query_and_body();
        let mut headers = self.headers();
        let mut signed: Vec<_> =
            headers.iter().filter(|(name, _)| !self.unsigned.contains(name)).cloned().collect();
        signed.sort_unstable();
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines = canonical_headers(&signed);
        let body_hash = hex::encode(Sha256::digest(&body));
        let canonical = format!("{}\n{}\n{query}\n{lines}\n{names}\n{body_hash}", self.method, self.path);
        let authorization = self.authorization(&names, &canonical);
        headers.retain(|(name, _)| *name != "host");
        headers.push(("authorization", authorization));
        let question = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{}{question}{query}", self.url, self.path);
        Prepared { method: self.method, url, headers, body, client: self.client }
    }

    fn authorization(&self, signed_headers: &str, canonical: &str) -> String {
        let scope = format!("{}/{}/{}/{}", self.scope_date, self.region, self.service, self.terminator);
        let hash = hex::encode(Sha256::digest(canonical));
        let string_to_sign = format!("{}\n{}\n{scope}\n{hash}", self.label, stamp(self.date));
        let signature = self.device.key.sign_request(self.scheme, string_to_sign.as_bytes());
        let signature = match self.encoding {
            Encoding::LowerHex => hex::encode(signature),
            Encoding::UpperHex => hex::encode_upper(signature),
            Encoding::Base64 => STANDARD.encode(signature),
        };
        let (label, serial) = (&self.label, &self.serial);
        format!("{label} Credential={serial}/{scope}, SignedHeaders={signed_headers}, Signature={signature}")
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let host = self.url.split("//").nth(1).unwrap().to_owned();
        let mut headers = vec![
            ("content-type", self.content_type.to_owned()),
            ("host", host),
            ("x-amz-date", stamp(self.date)),
        ];
        headers.extend(self.certificate_header.clone().map(|value| ("x-amz-x509", value)));
        headers.extend(self.chain_header.clone().map(|value| ("x-amz-x509-chain", value)));
        headers
    }

    fn query_and_body(&self) -> (String, Vec<u8>) {
        if let Some(raw) = self.raw_body {
            return (String::new(), raw.as_bytes().to_vec());
        }
        let in_query = |name: &String| self.shape == Shape::Query && name.ends_with("Arn");
        let (query, body): (Vec<_>, Vec<_>) =
            self.parameters.clone().into_iter().partition(|(name, _)| in_query(name));
        let mut pairs: Vec<_> =
            query.iter().map(|(name, value)| format!("{name}={}", escape(value.as_str().unwrap()))).collect();
        pairs.sort_unstable();
        (pairs.join("&"), serde_json::to_vec(&body.into_iter().collect::<Map<_, _>>()).unwrap())
    }
}

impl Prepared {
    /// Replaces a header's value after the signature was made.
    pub(crate) fn alter(mut self, name: &str, value: &str) -> Self {
        let header = self.headers.iter_mut().find(|(known, _)| *known == name).unwrap();
        value.clone_into(&mut header.1);
        self
    }

    pub(crate) async fn send(self) -> Answer {
        Answer::read(self.try_send().await.unwrap()).await
    }

    /// Sends, where the connection itself may fail.
    pub(crate) async fn try_send(self) -> Result<reqwest::Response, reqwest::Error> {
        let mut request = self.client.request(self.method, self.url).body(self.body);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.send().await
    }
}

/// A line `name:value` for each header.
pub(crate) fn canonical_headers(headers: &[(&'static str, String)]) -> String {
    headers.iter().flat_map(|(name, value)| [*name, ":", value, "\n"]).collect()
}

/// Percent-encodes all but the unreserved characters, as canonical queries do.
pub(crate) fn escape(value: &str) -> String {
    let unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    value.bytes().fold(String::new(), |text, byte| {
        if unreserved(&byte) { format!("{text}{}", char::from(byte)) } else { format!("{text}%{byte:02X}") }
    })
}

/// `YYYYMMDDTHHMMSSZ`.
pub(crate) fn stamp(instant: OffsetDateTime) -> String {
    instant.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap()
}

/// `YYYYMMDD`.
pub(crate) fn day(instant: OffsetDateTime) -> String {
    instant.format(format_description!("[year][month][day]")).unwrap()
}
