//! From an HTTP response to a checked session or an error: the one file that knows AWS's JSON.
//!
//! No part of a body reaches an error, except AWS's own `message` of a refusal, cut to a bound.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::arn::RoleArn;
use crate::clock_skew::ClockSkew;
use crate::error::Error;
use crate::explain::explain;
use crate::session::Session;
use crate::shown::{bounded, line};

/// An attempt that failed, and whether it may be repeated.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Box<Error>,
    pub(crate) retry: Retry,
}

impl Failure {
    pub(crate) fn new(error: Error, retry: Retry) -> Self {
        Self { error: Box::new(error), retry }
    }
}

/// Whether the same request may be signed and sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    Never,
    /// After this time at the earliest.
    After(Duration),
}

/// Reads a response that arrived at `now`.
pub(crate) fn read(
    response: &Response<Bytes>,
    role: &RoleArn,
    now: OffsetDateTime,
) -> Result<Session, Failure> {
    let answer = Answer::new(response, now);
    if response.status().is_success() {
        return answer.session(role).map_err(|reason| answer.bad(&reason));
    }
    Err(answer.failure())
}

/// One response with the time it was read.
pub(crate) struct Answer<'a> {
    status: u16,
    headers: &'a HeaderMap,
    body: &'a Bytes,
    now: OffsetDateTime,
}

/// Explains a refusal by AWS's name for it and its text.
pub(crate) type Explain = fn(&str, &str) -> Option<&'static str>;

/// AWS grants at most 12 hours. The rest allows for clocks that differ if AWS sends no time.
const MAX_LENGTH: time::Duration = time::Duration::minutes(12 * 60 + 15);
/// The longest wait that an answer may ask for.
const MAX_WAIT: Duration = Duration::from_hours(1);
/// The longest text that is shown; AWS's own texts are shorter.
const MAX_TEXT: usize = 600;
const HTML: &str = "HTML and not JSON: a proxy or another service answers at the endpoint";
const MAX_WORD: usize = 128;
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

impl<'a> Answer<'a> {
    pub(crate) fn new(response: &'a Response<Bytes>, now: OffsetDateTime) -> Self {
        let status = response.status().as_u16();
        Self { status, headers: response.headers(), body: response.body(), now }
    }

    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    fn session(&self, role: &RoleArn) -> Result<Session, String> {
        let wire: SessionWire = self.parse()?;
        let first = wire.credential_set.and_then(|set| set.into_iter().next());
        let set = first.ok_or("credentialSet is empty")?;
        let user = set.assumed_role_user.ok_or("assumedRoleUser is missing")?;
        let credentials = set.credentials.ok_or("credentials are missing")?;
        let (size, identity) = (set.packed_policy_size, set.source_identity);
        let session = self.session_of(credentials, user.arn, user.assumed_role_id, identity, size)?;
        let role_session_name = session_name(&session.assumed_role_arn, role)?;
        if set.role_arn.is_some_and(|given| given != role.as_str()) {
            return Err("roleArn names another role than was asked for".to_owned());
        }
        let subject_arn = Some(present("subjectArn", wire.subject_arn)?);
        Ok(Session { role_session_name, subject_arn, ..session })
    }

    /// A session without its name and subject, from the parts that every API of sessions answers.
    pub(crate) fn session_of(
        &self,
        credentials: CredentialsWire,
        arn: Option<String>,
        id: Option<String>,
        source_identity: Option<String>,
        packed_policy_size: Option<u32>,
    ) -> Result<Session, String> {
        let source_identity = source_identity.filter(|text| !text.is_empty());
        let assumed_role_arn = present("assumedRoleUser.arn", arn)?;
        Ok(Session {
            access_key_id: access_key_id(credentials.access_key_id)?,
            secret_access_key: secret("secretAccessKey", credentials.secret_access_key)?,
            session_token: secret("sessionToken", credentials.session_token)?,
            expiration: self.expiration(credentials.expiration)?,
            assumed_role_id: present("assumedRoleUser.assumedRoleId", id)?,
            source_identity: source_identity.map(|text| line("sourceIdentity", text)).transpose()?,
            subject_arn: None,
            packed_policy_size,
            request_id: self.request_id(),
            dated: self.date(),
            role_session_name: String::new(),
            assumed_role_arn,
        })
    }

    fn expiration(&self, text: Option<String>) -> Result<OffsetDateTime, String> {
        let text = present("expiration", text)?;
        let expiration =
            OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| "expiration is not an RFC 3339 time")?;
        let left = expiration - self.now;
        let clock = self.clock_skew().map_or_else(String::new, |skew| format!("; {skew}"));
        if !left.is_positive() {
            return Err(format!("the session has already expired, {} s ago{clock}", -left.whole_seconds()));
        }
        let length = expiration - self.date().unwrap_or(self.now);
        if left.max(length) > MAX_LENGTH {
            return Err(format!(
                "the session lasts {} s, AWS's longest is 43200 s{clock}",
                length.whole_seconds()
            ));
        }
        Ok(expiration)
    }

    /// Parses the body. The error names the flaw, and repeats nothing of the body.
    pub(crate) fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, String> {
        if self.body.is_empty() {
            return Err("the body is empty".to_owned());
        }
        serde_json::from_slice(self.body).map_err(|err| {
            let problem = match err.classify() {
                serde_json::error::Category::Eof => "JSON that ends too early",
                serde_json::error::Category::Data => "JSON of another shape",
                _ if self.looks_like_html() => HTML,
                _ => "not JSON",
            };
            format!("the body of {} bytes is {problem}", self.body.len())
        })
    }

    fn looks_like_html(&self) -> bool {
        let labelled =
            self.text(header::CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/html"));
        labelled || self.body.trim_ascii_start().starts_with(b"<")
    }

    fn failure(&self) -> Failure {
        self.failure_of(self.parse(), explain)
    }

    /// The meaning of an answer without success, from as much of its body as could be read.
    pub(crate) fn failure_of(&self, wire: Result<ErrorWire, String>, explain: Explain) -> Failure {
        let named = self.text("x-amzn-errortype");
        let throttled = |kind: &str| {
            self.status == 429 || kind.starts_with("Throttl") || kind == "TooManyRequestsException"
        };
        match (wire, named) {
            (Err(reason), None) if self.status < 500 && self.status != 429 => {
                self.bad(&self.foreign(&reason))
            }
            (wire, named) => {
                let wire = wire.unwrap_or_default();
                let kind = self.kind(named, &wire);
                let message = bounded(wire.message.as_deref().unwrap_or("no message"), MAX_TEXT);
                if throttled(&kind) {
                    self.throttled(message, wire.retry_after_seconds.as_ref())
                } else if self.status >= 500 {
                    self.unavailable(&kind, &message, wire.retry_after_seconds.as_ref())
                } else {
                    self.refused(kind, message, explain)
                }
            }
        }
    }

    fn foreign(&self, reason: &str) -> String {
        match self.status {
            300..400 => "it is a redirect, and redirects are not followed".to_owned(),
            407 => "the proxy asks for a user and password; set them in proxy_url".to_owned(),
            _ => reason.to_owned(),
        }
    }

    /// AWS's name for an error: the header first, as AWS's own client reads it, else the body, else what the status
    /// stands for in the service's model.
    fn kind(&self, header: Option<&str>, wire: &ErrorWire) -> String {
        let given = header.or(wire.type_.as_deref()).or(wire.code.as_deref());
        let given = given.map(|text| {
            let text = text.split(':').next().unwrap_or_default();
            text.rsplit('#').next().unwrap_or_default().trim()
        });
        let named = given.filter(|kind| is_word(kind, "._-")).map(str::to_owned);
        named.unwrap_or_else(|| match self.status {
            400 => "ValidationException".to_owned(),
            403 => "AccessDeniedException".to_owned(),
            404 => "ResourceNotFoundException".to_owned(),
            429 => "ThrottlingException".to_owned(),
            503 => "ServiceUnavailableException".to_owned(),
            _ => "an unnamed error".to_owned(),
        })
    }

    fn throttled(&self, message: String, seconds: Option<&serde_json::Value>) -> Failure {
        let retry_after = self.retry_after(seconds);
        let error = Error::Throttled { message, retry_after, request_id: self.request_id(), attempts: 1 };
        let again = self.status == 429 || self.status >= 500;
        let retry = if again { Retry::After(retry_after.unwrap_or_default()) } else { Retry::Never };
        Failure::new(error, retry)
    }

    fn unavailable(&self, kind: &str, message: &str, seconds: Option<&serde_json::Value>) -> Failure {
        let reason = format!("status {} {kind}: {message}", self.status);
        let error = Error::Unavailable {
            reason,
            status: Some(self.status),
            request_id: self.request_id(),
            attempts: 1,
        };
        Failure::new(error, Retry::After(self.retry_after(seconds).unwrap_or_default()))
    }

    fn refused(&self, kind: String, message: String, explain: Explain) -> Failure {
        let explanation = explain(&kind, &message);
        let (request_id, clock_skew) = (self.request_id(), self.clock_skew());
        let error =
            Error::Refused { kind, status: self.status, message, request_id, explanation, clock_skew };
        Failure::new(error, Retry::Never)
    }

    /// `reason` may hold a part of the answer.
    pub(crate) fn bad(&self, reason: &str) -> Failure {
        let reason = bounded(reason, MAX_TEXT);
        let error = Error::BadAnswer { reason, status: Some(self.status), request_id: self.request_id() };
        Failure::new(error, Retry::Never)
    }

    /// AWS's request ids are UUIDs. A value that is not letters, digits and dashes does not come from AWS.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.text("x-amzn-requestid").filter(|text| is_word(text, "-")).map(str::to_owned)
    }

    /// How long AWS asks to wait, an hour at most: `Retry-After` in seconds or as a date, else `retryAfterSeconds` of
    /// the body.
    fn retry_after(&self, seconds: Option<&serde_json::Value>) -> Option<Duration> {
        let at_a_time = |text: &str| Duration::try_from(http_date(text)? - self.now).ok();
        let header = self.text(header::RETRY_AFTER.as_str());
        let by_header =
            header.and_then(|text| text.trim().parse().ok().and_then(wait).or_else(|| at_a_time(text)));
        let asked = by_header.or_else(|| seconds?.as_f64().and_then(wait));
        asked.map(|span| span.min(MAX_WAIT))
    }

    /// How far this host's clock is from the `Date` header, if more than a minute.
    fn clock_skew(&self) -> Option<ClockSkew> {
        ClockSkew::between(self.now, self.date()?)
    }

    /// AWS's clock, to the second.
    pub(crate) fn date(&self) -> Option<OffsetDateTime> {
        http_date(self.text(header::DATE.as_str())?)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Converts a number of seconds to a span of at most [`MAX_WAIT`]; none if it is negative or not a number.
fn wait(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(MAX_WAIT).min(MAX_WAIT))
}

fn http_date(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text.trim(), HTTP_DATE).ok().map(PrimitiveDateTime::assume_utc)
}

fn present(name: &str, text: Option<String>) -> Result<String, String> {
    line(name, text.filter(|text| !text.is_empty()).ok_or_else(|| format!("{name} is missing"))?)
}

/// Checks a part of credentials, which callers put into headers and into files line by line.
fn secret(name: &str, text: Option<SecretString>) -> Result<SecretString, String> {
    let text =
        text.filter(|text| !text.expose_secret().is_empty()).ok_or_else(|| format!("{name} is missing"))?;
    if text.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text);
    }
    Err(format!("{name} has characters that no header can hold"))
}

fn access_key_id(text: Option<String>) -> Result<String, String> {
    let text = present("accessKeyId", text)?;
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if word && (16..=128).contains(&text.len()) {
        return Ok(text);
    }
    Err("accessKeyId is not 16 to 128 letters, digits or underscores".to_owned())
}

/// Returns the session name from `arn:<partition>:sts::<account>:assumed-role/<role>/<name>`, which must name the
/// requested role.
pub(crate) fn session_name(assumed: &str, role: &RoleArn) -> Result<String, String> {
    let start = format!("arn:{}:sts::{}:assumed-role/{}/", role.partition(), role.account(), role.name());
    match assumed.strip_prefix(&start) {
        Some(name) if !name.is_empty() && !name.contains('/') => Ok(name.to_owned()),
        _ => Err("assumedRoleUser.arn is not a session of the role that was asked for".to_owned()),
    }
}

/// Whether `text` is 1 to [`MAX_WORD`] letters, digits and characters of `others`, as AWS's own names and numbers are.
fn is_word(text: &str, others: &str) -> bool {
    (1..=MAX_WORD).contains(&text.len())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionWire {
    credential_set: Option<Vec<CredentialSet>>,
    subject_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialSet {
    assumed_role_user: Option<AssumedRoleUser>,
    credentials: Option<CredentialsWire>,
    packed_policy_size: Option<u32>,
    role_arn: Option<String>,
    source_identity: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssumedRoleUser {
    arn: Option<String>,
    assumed_role_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CredentialsWire {
    pub(crate) access_key_id: Option<String>,
    pub(crate) secret_access_key: Option<SecretString>,
    pub(crate) session_token: Option<SecretString>,
    pub(crate) expiration: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorWire {
    #[serde(rename = "__type")]
    pub(crate) type_: Option<String>,
    pub(crate) code: Option<String>,
    #[serde(alias = "Message")]
    pub(crate) message: Option<String>,
    pub(crate) retry_after_seconds: Option<serde_json::Value>,
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
