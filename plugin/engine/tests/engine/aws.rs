//! AWS in process: a transport that gives one answer again and again, and keeps the requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use rolesanywhere::{Transport, TransportError, TransportErrorKind};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long an answer takes: requests that run at once overlap, as they do over a network.
const LATENCY: Duration = Duration::from_millis(10);
/// How long a test waits for a request of the engine.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// The AWS of a mount that [`crate::mounts::mount_calling`] makes. Clones are the same AWS.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    answer: Answer,
    latency: Duration,
    /// How STS refuses every hop; none if it grants them.
    hop_refusal: Option<HopRefused>,
    requests: Arc<watch::Sender<Vec<Request<Bytes>>>>,
    /// Services that nobody can connect to now, as the host names begin: `sts.eu-west-1`.
    away: Arc<Mutex<BTreeSet<String>>>,
}

/// Status, code and text of a refusal of STS.
type HopRefused = (u16, &'static str, &'static str);

/// What AWS does with each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It grants a session of an hour. Of the request it looks at the certificate's common name alone.
    Session,
    /// It answers with this status and type of error.
    Error(u16, &'static str),
    /// It answers nothing, for as long as the engine waits.
    Silence,
    /// Nobody is there: the connection is refused.
    NoConnection,
}

impl Aws {
    /// It grants every session.
    pub(crate) fn granting() -> Self {
        Self::of(Answer::Session)
    }

    /// It answers everything with this status and type of error.
    pub(crate) fn failing(status: u16, kind: &'static str) -> Self {
        Self::of(Answer::Error(status, kind))
    }

    /// It takes every request and answers none.
    pub(crate) fn silent() -> Self {
        Self::of(Answer::Silence)
    }

    /// It refuses every connection.
    pub(crate) fn unreachable() -> Self {
        Self::of(Answer::NoConnection)
    }

    /// The same with answers that take this long.
    pub(crate) fn after(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// The same with an STS that refuses each hop.
    pub(crate) fn refusing_hops(self, status: u16, code: &'static str, text: &'static str) -> Self {
        Self { hop_refusal: Some((status, code, text)), ..self }
    }

    fn of(answer: Answer) -> Self {
        Self { answer, latency: LATENCY, hop_refusal: None, requests: Arc::default(), away: Arc::default() }
    }

    /// From now on nobody can connect to this service of this region, or everybody can again.
    pub(crate) fn set_away(&self, service: &str, region: &str, is_away: bool) {
        let mut away = self.away.lock().unwrap();
        let name = format!("{service}.{region}");
        if is_away {
            away.insert(name)
        } else {
            away.remove(&name)
        };
    }

    fn is_away(&self, request: &Request<Bytes>) -> bool {
        let host = request.uri().host().unwrap();
        self.away.lock().unwrap().iter().any(|away| host.starts_with(&format!("{away}.")))
    }

    /// The forms of the hops so far.
    pub(crate) fn hops(&self) -> Vec<BTreeMap<String, String>> {
        self.requests.borrow().iter().filter(|request| is_hop(request)).map(form).collect()
    }

    /// The requests so far, first one first.
    pub(crate) fn requests(&self) -> Vec<Request<Bytes>> {
        self.requests.borrow().clone()
    }

    /// How many sessions it has granted.
    pub(crate) fn granted(&self) -> usize {
        let sessions = self.requests.borrow().iter().filter(|request| is_create_session(request)).count();
        if self.answer == Answer::Session { sessions } else { 0 }
    }

    /// Waits until a request has come.
    pub(crate) async fn is_asked(&self) {
        let mut requests = self.requests.subscribe();
        let asked = timeout(MAX_WAIT, requests.wait_for(|requests| !requests.is_empty())).await;
        asked.expect("the engine asks AWS").expect("this AWS is still there");
    }

    /// Keeps a request with the time and returns its number, from 1.
    fn keep(&self, mut request: Request<Bytes>) -> usize {
        request.extensions_mut().insert(Instant::now());
        self.requests.send_modify(|requests| requests.push(request));
        self.requests.borrow().len()
    }
}

#[async_trait]
impl Transport for Aws {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let number = self.keep(request.clone());
        sleep(self.latency).await;
        let mood = if self.is_away(&request) { Answer::NoConnection } else { self.answer };
        match mood {
            Answer::Session if is_hop(&request) => Ok(self.hop(number, &request)),
            Answer::Session if is_create_session(&request) => {
                Ok(answer(201, &session(number, &common_name(&request))))
            }
            // the engine's own calls, of which this AWS has none
            Answer::Session => Ok(answer(403, &json!({ "message": "no" }))),
            Answer::Error(status, kind) => {
                let mut refusal = answer(status, &json!({ "message": "no" }));
                refusal.headers_mut().insert("x-amzn-errortype", kind.parse().unwrap());
                Ok(refusal)
            }
            Answer::Silence => std::future::pending().await,
            Answer::NoConnection => {
                let text = "Connection refused".to_owned();
                Err(TransportError { kind: TransportErrorKind::Network, text })
            }
        }
    }
}

impl Aws {
    /// STS's answer to an AssumeRole: a session as long as it asks for.
    fn hop(&self, number: usize, request: &Request<Bytes>) -> Response<Bytes> {
        let form = form(request);
        if let Some((status, code, text)) = self.hop_refusal {
            let body = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"
            );
            let mut refusal = Response::new(body.into());
            *refusal.status_mut() = StatusCode::from_u16(status).unwrap();
            return refusal;
        }
        let (account, role) = form["RoleArn"].split_once(":role/").unwrap();
        let arn = format!(
            "{}:assumed-role/{}/{}",
            account.replace(":iam:", ":sts:"),
            role.rsplit('/').next().unwrap(),
            form["RoleSessionName"]
        );
        let ends = end(form["DurationSeconds"].parse().unwrap());
        let name = common_name(&self.requests.borrow()[number_of(request) - 1]);
        Response::new(
            format!(
                "<AssumeRoleResponse><AssumeRoleResult><SourceIdentity>CN={name}</SourceIdentity><AssumedRoleUser>\
                 <AssumedRoleId>AROAHOP:x</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser><Credentials>\
                 <AccessKeyId>ASIAHOP{number:013}</AccessKeyId><SecretAccessKey>hopsecret</SecretAccessKey>\
                 <SessionToken>hoptoken</SessionToken><Expiration>{ends}</Expiration></Credentials>\
                 </AssumeRoleResult></AssumeRoleResponse>"
            )
            .into(),
        )
    }
}

fn is_hop(request: &Request<Bytes>) -> bool {
    let is_sts = request.uri().host().is_some_and(|host| host.starts_with("sts."));
    is_sts && form(request).get("Action").is_some_and(|action| action == "AssumeRole")
}

fn is_create_session(request: &Request<Bytes>) -> bool {
    request.headers().contains_key("x-amz-x509")
}

/// The number of the request whose session signs this one.
pub(crate) fn number_of(request: &Request<Bytes>) -> usize {
    let signature = request.headers()["authorization"].to_str().unwrap();
    let (_, key) = signature.split_once("Credential=ASIAEXAMPLE").unwrap();
    key.split_once('/').unwrap().0.parse().unwrap()
}

/// What a hop asks for.
pub(crate) fn form(request: &Request<Bytes>) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(request.body()).into_owned().collect()
}

fn answer(status: u16, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// The last common name in the certificate of the header `X-Amz-X509`: the issuer's stands before the subject's.
fn common_name(request: &Request<Bytes>) -> String {
    const COMMON_NAME: [u8; 6] = [0x06, 0x03, 0x55, 0x04, 0x03, 0x0c];
    let certificate = STANDARD.decode(&request.headers()["x-amz-x509"]).unwrap();
    let found = certificate.windows(COMMON_NAME.len()).rposition(|bytes| bytes == COMMON_NAME).unwrap();
    let (length, rest) = certificate[found + COMMON_NAME.len()..].split_first().unwrap();
    String::from_utf8(rest[..usize::from(*length)].to_vec()).unwrap()
}

fn session(number: usize, common_name: &str) -> serde_json::Value {
    json!({
        "credentialSet": [{
            "assumedRoleUser": {
                "arn": format!("arn:aws:sts::111122223333:assumed-role/app/{number:016}"),
                "assumedRoleId": format!("AROAEXAMPLEEXAMPLE:{number:016}"),
            },
            "credentials": {
                "accessKeyId": format!("ASIAEXAMPLE{number:09}"), "secretAccessKey": "wJalrXUtnFEMI/K7MDENG",
                "sessionToken": "IQoJb3JpZ2luX2Vj//token", "expiration": end(3600),
            },
            "packedPolicySize": 43, "roleArn": crate::mounts::ROLE, "sourceIdentity": format!("CN={common_name}"),
        }],
        "subjectArn": "arn:aws:rolesanywhere:eu-central-1:111122223333:subject/s",
    })
}

/// In so many seconds.
fn end(seconds: i64) -> String {
    use time::format_description::well_known::Rfc3339;
    #[expect(clippy::disallowed_methods, reason = "an AWS has a clock of its own")]
    let now = time::OffsetDateTime::now_utc();
    (now + time::Duration::seconds(seconds)).replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap()
}
