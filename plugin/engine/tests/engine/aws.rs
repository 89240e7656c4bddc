//! An AWS on loopback that grants every session and counts them: of what it is asked it looks at the certificate's common name alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
        let body = session(number, &common_name(&request)).to_string();
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

/// The last common name in the certificate of the header `X-Amz-X509`: the issuer's stands before the subject's.
fn common_name(request: &[u8]) -> String {
    const COMMON_NAME: [u8; 6] = [0x06, 0x03, 0x55, 0x04, 0x03, 0x0c];
    let head = String::from_utf8_lossy(request).to_lowercase();
    let at = head.find("x-amz-x509: ").expect("a certificate") + "x-amz-x509: ".len();
    let text = request[at..].split(|byte| *byte == b'\r').next().unwrap_or_default();
    let certificate = STANDARD.decode(text).unwrap();
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
                "sessionToken": "IQoJb3JpZ2luX2Vj//token", "expiration": end(),
            },
            "packedPolicySize": 43, "roleArn": crate::mounts::ROLE, "sourceIdentity": format!("CN={common_name}"),
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
