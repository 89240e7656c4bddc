//! The hostile AWS: an answer for each account, and a good one for the healthy account.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Answer, End, HEALTHY, Oddity};

/// Stands for the account that asks, which is as long.
pub(crate) const SOME_ACCOUNT: &str = "999999999999";

/// The account of an oddity.
pub(crate) fn account(number: usize) -> String {
    format!("1{number:011}")
}

/// A session of an hour as AWS gives it in an account.
pub(crate) fn good(account: &str) -> Value {
    json!({
        "credentialSet": [{
            "assumedRoleUser": {
                "arn": format!("arn:aws:sts::{account}:assumed-role/app/4444333322221111"),
                "assumedRoleId": "AROAEXAMPLEEXAMPLE:4444333322221111",
            },
            "credentials": {
                "accessKeyId": "ASIAEXAMPLE000000001", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG",
                "sessionToken": "IQoJb3JpZ2luX2Vj//token", "expiration": end(),
            },
            "packedPolicySize": 43, "roleArn": format!("arn:aws:iam::{account}:role/app"), "sourceIdentity": "CN=app",
        }],
        "subjectArn": format!("arn:aws:rolesanywhere:eu-central-1:{account}:subject/s"),
    })
}

/// In an hour.
fn end() -> String {
    use time::format_description::well_known::Rfc3339;
    #[expect(clippy::disallowed_methods, reason = "an AWS has a clock of its own")]
    let now = time::OffsetDateTime::now_utc();
    (now + time::Duration::HOUR).replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap()
}

/// Ends with the test's runtime.
pub(crate) struct Hostile {
    pub(crate) url: String,
    pub(crate) oddities: Vec<Oddity>,
    sent: AtomicUsize,
    /// How many answers without end go on.
    endless: watch::Sender<usize>,
}

impl Hostile {
    pub(crate) async fn start(oddities: Vec<Oddity>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let aws = Arc::new(Self { url, oddities, sent: AtomicUsize::new(0), endless: watch::Sender::new(0) });
        let serving = Arc::clone(&aws);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let aws = Arc::clone(&serving);
                tokio::spawn(async move { aws.serve(stream).await });
            }
        });
        aws
    }

    /// Waits until whoever was sent an answer without end has closed its connection.
    pub(crate) async fn no_answer_goes_on(&self) {
        self.endless.subscribe().wait_for(|endless| *endless == 0).await.unwrap();
    }

    /// The most that one answer without end could send.
    pub(crate) fn most_sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    async fn serve(&self, mut stream: TcpStream) {
        while let Some(account) = asked(&mut stream).await {
            if account == HEALTHY {
                let body = good(HEALTHY).to_string();
                let head = format!("HTTP/1.1 201 C\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                continue;
            }
            let number: usize = account[1..].parse().unwrap();
            return self.answer(&self.oddities[number], &account, stream).await;
        }
    }

    async fn answer(&self, oddity: &Oddity, account: &str, mut stream: TcpStream) {
        match &oddity.answer {
            Answer::Bytes(bytes) if oddity.end == End::Served => {
                let text = String::from_utf8_lossy(bytes).replace(SOME_ACCOUNT, account);
                let _ = stream.write_all(text.as_bytes()).await;
            }
            Answer::Bytes(bytes) => {
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
            }
            Answer::Endless(first, more) => {
                self.endless.send_modify(|endless| *endless += 1);
                let mut sent = 0;
                let mut alive = stream.write_all(first).await.is_ok();
                while alive {
                    alive = stream.write_all(more).await.is_ok();
                    sent += more.len();
                }
                self.sent.fetch_max(sent, Ordering::SeqCst);
                self.endless.send_modify(|endless| *endless -= 1);
            }
            Answer::Silence => {
                let _ = stream.read(&mut [0; 16]).await;
            }
        }
    }
}

/// Reads a request to the end of its body: the account whose trust anchor it names.
async fn asked(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0_usize) {
                let body: Value = serde_json::from_str(body).ok()?;
                return body["trustAnchorArn"].as_str()?.split(':').nth(4).map(str::to_owned);
            }
        }
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}

/// Where nobody is to come.
pub(crate) struct Elsewhere {
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
}

impl Elsewhere {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/sessions", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { url, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
