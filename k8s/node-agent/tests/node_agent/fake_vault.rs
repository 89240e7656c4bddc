//! A stand-in for Vault with the two paths that the agent asks and its two health pages; a test says how it misbehaves.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A request to Vault.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) namespace: Option<String>,
    /// Whose token it is, `<namespace>.<service account>`: of a login, or of the login that gave the token.
    pub(crate) account: String,
    pub(crate) body: Value,
}

/// An answer of Vault.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// By Vault's clock.
    pub(crate) date: OffsetDateTime,
    /// How long it takes.
    pub(crate) after: Duration,
}

impl Said {
    pub(crate) fn json(status: u16, body: &Value) -> Said {
        Said::bytes(status, "application/json", body.to_string().into_bytes())
    }

    pub(crate) fn bytes(status: u16, content_type: &'static str, body: Vec<u8>) -> Said {
        Said { status, content_type, body, date: now(), after: Duration::ZERO }
    }

    /// Vault's own error, framed as Vault frames one with a status of its own.
    pub(crate) fn error(status: u16, text: &str) -> Said {
        Said::json(status, &json!({ "errors": [text] }))
    }

    /// The engine's refusal.
    pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Said {
        Said::json(status, &json!({ "code": code, "message": message }))
    }

    /// A session that ends at `expiration`.
    pub(crate) fn session(account: &str, number: usize, expiration: OffsetDateTime) -> Said {
        Said::json(
            200,
            &json!({
                "AccessKeyId": format!("ASIA{number}{account}"), "SecretAccessKey": "wJalrXUtnFEMI", "Token": "IQoJb3JpZ2lu".repeat(80),
                "AccountId": "111122223333", "Expiration": expiration.format(&Rfc3339).unwrap(),
            }),
        )
    }

    pub(crate) fn after(self, after: Duration) -> Said {
        Said { after, ..self }
    }

    pub(crate) fn dated(self, date: OffsetDateTime) -> Said {
        Said { date, ..self }
    }
}

/// The time of this machine.
#[expect(clippy::disallowed_methods, reason = "the fake is a program of its own, with a clock of its own")]
pub(crate) fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc().to_offset(UtcOffset::UTC);
    now.replace_nanosecond(0).unwrap()
}

type Answering = Box<dyn Fn(&Asked) -> Option<Said> + Send>;

/// Answers on loopback until it is dropped.
pub(crate) struct FakeVault {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

struct State {
    log: Vec<Asked>,
    /// What is answered instead of the usual; none is silence for ever.
    instead: Option<Answering>,
}

impl FakeVault {
    pub(crate) async fn start() -> FakeVault {
        FakeVault::listen("127.0.0.1:0".parse().unwrap(), None).await
    }

    /// The same over TLS.
    pub(crate) async fn over_tls(tls: TlsAcceptor) -> FakeVault {
        FakeVault::listen("127.0.0.1:0".parse().unwrap(), Some(tls)).await
    }

    pub(crate) async fn listen(address: SocketAddr, tls: Option<TlsAcceptor>) -> FakeVault {
        let listener = TcpListener::bind(address).await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { log: Vec::new(), instead: None }));
        let server = tokio::spawn(serve(listener, tls, Arc::clone(&state)));
        FakeVault { url, state, server }
    }

    /// Answers with what `answering` returns from now on: none is silence.
    pub(crate) fn answers(&self, answering: impl Fn(&Asked) -> Option<Said> + Send + 'static) {
        lock(&self.state).instead = Some(Box::new(answering));
    }

    /// Is well again.
    pub(crate) fn recovers(&self) {
        lock(&self.state).instead = None;
    }

    /// The requests to the auth method and the engine.
    pub(crate) fn log(&self) -> Vec<Asked> {
        lock(&self.state).log.clone()
    }

    pub(crate) fn logins(&self) -> usize {
        self.log().iter().filter(|asked| asked.path.ends_with("/login")).count()
    }

    pub(crate) fn reads(&self) -> Vec<String> {
        self.log().into_iter().map(|asked| asked.path).filter(|path| path.contains("/container/")).collect()
    }
}

impl Drop for FakeVault {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a Vault answers that is well: each service account has the engine role of its name, and may read no other.
pub(crate) fn well(asked: &Asked, number: usize) -> Said {
    let Asked { path, account, .. } = asked;
    if path.starts_with("sys/health") {
        return Said::json(200, &json!({ "initialized": true, "sealed": false, "standby": false }));
    }
    if path.ends_with("/login") {
        return logged_in(account);
    }
    match path.rsplit_once("/container/") {
        Some((_, role)) if role == account => {
            Said::session(account, number, now() + time::Duration::hours(1))
        }
        _ => Said::error(403, "1 error occurred:\n\t* permission denied\n\n"),
    }
}

pub(crate) fn logged_in(account: &str) -> Said {
    Said::json(
        200,
        &json!({ "request_id": "5a7b", "auth": { "client_token": format!("hvb.{account}"), "lease_duration": 600 } }),
    )
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match tls {
                None => answer(stream, &state).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => answer(stream, &state).await,
                    Err(error) => Err(error),
                },
            }
        });
    }
}

/// Answers one request after the other.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let mut received = Vec::new();
    loop {
        let Some((asked, length)) = parse(&received) else {
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        };
        received.drain(..length);
        let Some(said) = said(&asked, state) else { return std::future::pending().await };
        tokio::time::sleep(said.after).await;
        stream.write_all(&written(&said)).await?;
    }
}

fn said(asked: &Asked, state: &Mutex<State>) -> Option<Said> {
    let mut state = lock(state);
    if !asked.path.starts_with("sys/") {
        state.log.push(asked.clone());
    }
    let number = state.log.len();
    match &state.instead {
        Some(answering) => answering(asked),
        None => Some(well(asked, number)),
    }
}

fn written(said: &Said) -> Vec<u8> {
    let http_date = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = said.date.format(http_date).unwrap();
    let mut text = format!(
        "HTTP/1.1 {} -\r\nDate: {date}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        said.status,
        said.content_type,
        said.body.len()
    )
    .into_bytes();
    text.extend_from_slice(&said.body);
    text
}

/// A whole request, and its length.
fn parse(received: &[u8]) -> Option<(Asked, usize)> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let header = |name: &str| {
        let of = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.lines().find_map(of)
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let body = received.get(end..end + length)?;
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let path = head.split(' ').nth(1)?.trim_start_matches("/v1/").to_owned();
    let token = header("x-vault-token");
    let account = body["jwt"]
        .as_str()
        .map(account_of)
        .or_else(|| Some(token.as_ref()?.strip_prefix("hvb.")?.to_owned()));
    let namespace = header("x-vault-namespace");
    Some((Asked { path, namespace, account: account.unwrap_or_default(), body }, end + length))
}

/// Whose token it is, unverified.
fn account_of(jwt: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap_or_default()).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&payload).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kubernetes = &claims["kubernetes.io"];
    format!("{}.{}", text(&kubernetes["namespace"]), text(&kubernetes["serviceaccount"]["name"]))
}
