//! An AWS on loopback that grants every session and counts them: what it is asked is not looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Ends with its last clone's runtime.
#[derive(Clone)]
pub(crate) struct Aws {
    pub(crate) url: String,
    granted: Arc<AtomicUsize>,
}

impl Aws {
    pub(crate) async fn start() -> Aws {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let aws = Aws { url, granted: Arc::default() };
        let serving = aws.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let aws = serving.clone();
                tokio::spawn(async move { aws.answer(stream).await });
            }
        });
        aws
    }

    /// How many sessions it has granted.
    pub(crate) fn granted(&self) -> usize {
        self.granted.load(Ordering::SeqCst)
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut request = Vec::new();
        while !is_whole(&request) {
            if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let number = self.granted.fetch_add(1, Ordering::SeqCst) + 1;
        let body = session(number).to_string();
        let head = format!(
            "HTTP/1.1 201 C\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

fn session(number: usize) -> serde_json::Value {
    json!({
        "credentialSet": [{
            "assumedRoleUser": {
                "arn": format!("arn:aws:sts::111122223333:assumed-role/app/{number:016}"),
                "assumedRoleId": format!("AROAEXAMPLEEXAMPLE:{number:016}"),
            },
            "credentials": {
                "accessKeyId": format!("ASIAEXAMPLE{number:09}"), "secretAccessKey": "wJalrXUtnFEMI/K7MDENG",
                "sessionToken": "IQoJb3JpZ2luX2Vj//token", "expiration": end(),
            },
            "packedPolicySize": 43, "roleArn": crate::mounts::ROLE, "sourceIdentity": "CN=x",
        }],
        "subjectArn": "arn:aws:rolesanywhere:eu-central-1:111122223333:subject/s",
    })
}

/// In an hour.
fn end() -> String {
    use time::format_description::well_known::Rfc3339;
    #[expect(clippy::disallowed_methods, reason = "an AWS has a clock of its own")]
    let now = time::OffsetDateTime::now_utc();
    (now + time::Duration::HOUR).replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap()
}
