//! A client that speaks HTTP by hand, so that it can also speak it wrong, from any address of loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::fake_vault::now;

/// Beyond this an answer does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer of the agent.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Answered {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn access_key_id(&self) -> &str {
        self.body["AccessKeyId"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Answered {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    /// A refusal's code and message.
    #[track_caller]
    pub(crate) fn refused(self, status: u16) -> (String, String) {
        assert_eq!(self.status, status, "{}", self.body);
        (self.code().to_owned(), self.message().to_owned())
    }
}

/// The projected token of a service account, which ends in an hour.
pub(crate) fn token(namespace: &str, service_account: &str) -> String {
    token_that_ends(namespace, service_account, now() + time::Duration::hours(1))
}

pub(crate) fn token_that_ends(namespace: &str, service_account: &str, end: time::OffsetDateTime) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = json!({
        "aud": ["iamra"], "exp": end.unix_timestamp(),
        "kubernetes.io": { "namespace": namespace, "serviceaccount": { "name": service_account }, "pod": { "name": "pod-0" } },
    });
    format!("{}.{}.{}", part(&json!({ "alg": "RS256" })), part(&claims), URL_SAFE_NO_PAD.encode([7; 256]))
}

/// A pod of the node: an address of loopback of its own.
pub(crate) fn pod(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low).into()
}

/// Connects to the agent from `source`.
pub(crate) async fn connect(agent: SocketAddr, source: IpAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(agent).await
}

/// The request of an SDK.
pub(crate) fn request(agent: SocketAddr, path: &str, token: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {agent}\r\nAccept: application/json\r\nAuthorization: {token}\r\n\r\n"
    )
}

/// One request as it is given, and its answer.
///
/// # Errors
/// The connection breaks before a whole answer, or none comes.
pub(crate) async fn send(agent: SocketAddr, source: IpAddr, request: &[u8]) -> std::io::Result<Answered> {
    let mut stream = connect(agent, source).await?;
    // an agent that refuses need not read all
    let _written = stream.write_all(request).await;
    receive(&mut stream).await
}

/// The answer on a connection.
///
/// # Errors
/// The connection breaks before a whole answer, or none comes.
pub(crate) async fn receive(stream: &mut TcpStream) -> std::io::Result<Answered> {
    let mut received = Vec::new();
    loop {
        if let Some(answered) = parse(&received) {
            return Ok(answered);
        }
        let read = timeout(PATIENCE, stream.read_buf(&mut received)).await;
        if read.map_err(|_| std::io::ErrorKind::TimedOut)?? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn parse(received: &[u8]) -> Option<Answered> {
    let text = std::str::from_utf8(received).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut answered =
        Answered { status: head.split(' ').nth(1)?.parse().ok()?, head: head.to_owned(), body: Value::Null };
    let length: usize = answered.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    let body = body.get(..length)?;
    answered.body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    Some(answered)
}
