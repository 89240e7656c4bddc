//! What an AWS that means ill, or a proxy in its place, may answer.

use serde_json::{Value, json};

/// One answer, and what a read makes of it.
pub(crate) struct Oddity {
    pub(crate) name: String,
    pub(crate) answer: Answer,
    pub(crate) end: End,
}

pub(crate) enum Answer {
    /// These bytes; then the connection closes.
    Bytes(Vec<u8>),
    /// The first bytes, and then the second again and again until the other side closes.
    Endless(Vec<u8>, Vec<u8>),
    /// Nothing, for as long as the other side waits.
    Silence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// No session, with an error for later or for the operator.
    Failed,
    /// AWS counts too many requests: the account pauses.
    Paused,
    /// A session: what is odd about it does no harm.
    Served,
}

/// All of them. `elsewhere` is where redirects lead; `good` is an answer as it should be, of [`server::SOME_ACCOUNT`](crate::server).
pub(crate) fn all(elsewhere: &str, good: &Value) -> Vec<Oddity> {
    let mut all = waits();
    all.extend(sessions(good));
    all.extend(bodies(good));
    all.extend(frames(good));
    all.extend(redirects(elsewhere));
    all
}

fn odd(name: impl Into<String>, answer: Answer, end: End) -> Oddity {
    Oddity { name: name.into(), answer, end }
}

fn failed(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Oddity {
    odd(name, Answer::Bytes(bytes.into()), End::Failed)
}

/// An answer with its true length.
fn reply(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Throttling with every kind of `Retry-After` and `retryAfterSeconds`.
fn waits() -> Vec<Oddity> {
    let nines = "9".repeat(400);
    let headers = [
        "-1",
        "0",
        "1e300",
        "inf",
        "NaN",
        "",
        "soon",
        "4294967295",
        "18446744073709551615",
        &nines,
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 99 Xyz 2026 99:99:99 GMT",
        "\u{fffd}\u{1f600}",
    ];
    let numbers = [
        "-1",
        "0.001",
        "1e308",
        "1e999",
        "3601",
        "18446744073709551615",
        &nines,
        "null",
        "\"9\"",
        "[[]]",
        "{}",
    ];
    let by_header = headers.iter().map(|wait| {
        let headers = format!("retry-after: {wait}\r\n");
        odd(format!("retry-after: {wait:.40}"), Answer::Bytes(reply(429, &headers, b"{}")), End::Paused)
    });
    let by_body = numbers.iter().map(|wait| {
        let body = format!(r#"{{"message":"slow down","retryAfterSeconds":{wait}}}"#);
        let answer = Answer::Bytes(reply(429, "", body.as_bytes()));
        odd(format!("retryAfterSeconds: {wait:.40}"), answer, End::Paused)
    });
    let unwell = ["18446744073709551615", "soon"].iter().map(|wait| {
        failed(format!("503, retry-after: {wait}"), reply(503, &format!("retry-after: {wait}\r\n"), b"{}"))
    });
    by_header.chain(by_body).chain(unwell).collect()
}

/// Success with a session that is none, or an odd one.
fn sessions(good: &Value) -> Vec<Oddity> {
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).expect("a member of a good answer") = value;
        reply(201, "", body.to_string().as_bytes())
    };
    let expiration = "/credentialSet/0/credentials/expiration";
    let mut all: Vec<Oddity> = [
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "0000-01-01T00:00:00+23:59",
        "-0001-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "",
        "\u{0}",
    ]
    .iter()
    .map(|at| failed(format!("expiration {at:?}"), with(expiration, json!(at))))
    .collect();
    let token = "/credentialSet/0/credentials/sessionToken";
    let set = &good["credentialSet"][0];
    let twice = good
        .to_string()
        .replace("\"accessKeyId\"", "\"accessKeyId\":\"ASIAEXAMPLE000000009\",\"accessKeyId\"");
    all.extend([
        failed("a token of 10 MB", with(token, json!("x".repeat(10 << 20)))),
        failed("an expiration that is a number", with(expiration, json!(4_102_444_800_u64))),
        failed("no credentials", with("/credentialSet", json!([]))),
        failed("an access key twice", reply(201, "", twice.as_bytes())),
        failed("a negative size", with("/credentialSet/0/packedPolicySize", json!(-1))),
        failed("a session of another role", with("/credentialSet/0/roleArn", json!("arn:aws:iam::1:role/x"))),
    ]);
    let served = |name: &str, bytes| odd(name, Answer::Bytes(bytes), End::Served);
    let text = good.to_string();
    all.extend([
        served("two sessions, of which the first counts", with("/credentialSet", json!([set, set]))),
        served(
            "100 Continue before it",
            [b"HTTP/1.1 100 Continue\r\n\r\n".as_slice(), &reply(201, "", text.as_bytes())].concat(),
        ),
        served("a subject that is no ARN", with("/subjectArn", json!("arn"))),
        served("a Date of 9999", reply(201, "date: Fri, 31 Dec 9999 23:59:59 GMT\r\n", text.as_bytes())),
        failed("a Date of 1970", reply(201, "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", text.as_bytes())),
    ]);
    all
}

/// Bodies that are not what they should be.
fn bodies(good: &Value) -> Vec<Oddity> {
    let text = good.to_string();
    let deep = |open: &str, close: &str| [open.repeat(10_000), close.repeat(10_000)].concat();
    let hidden = format!(r#"{{"x":{},{}"#, deep("[", "]"), &text[1..]);
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0x6b; 4096]].concat();
    let html = "<html><body>Blocked by policy</body></html>";
    vec![
        failed("arrays 10,000 deep", reply(201, "", deep("[", "]").as_bytes())),
        failed("objects 10,000 deep", reply(500, "", deep(r#"{"a":"#, "}").as_bytes())),
        odd(
            "a session beside arrays 10,000 deep",
            Answer::Bytes(reply(201, "", hidden.as_bytes())),
            End::Served,
        ),
        failed(
            "a refusal 10,000 deep",
            reply(400, "", format!(r#"{{"message":{}}}"#, deep("[", "]")).as_bytes()),
        ),
        failed("a body that is not UTF-8", reply(201, "", &[b'"', 0xff, 0xfe, b'"'])),
        failed("a message of control signs", reply(400, "", br#"{"message":"\u0000\u001b[31m\u0007\r\n"}"#)),
        failed("HTML", reply(201, "content-type: text/html\r\n", html.as_bytes())),
        failed("HTML that refuses", reply(403, "content-type: text/html\r\n", html.as_bytes())),
        failed("a gzip that nobody asked for", reply(201, "content-encoding: gzip\r\n", &gzip)),
        failed("nothing", reply(201, "", b"")),
        failed("null", reply(201, "", b"null")),
        failed(
            "an error type of 60 KB",
            reply(400, &format!("x-amzn-errortype: {}\r\n", "A".repeat(60_000)), b"{}"),
        ),
        failed("a body of 10 MB", reply(201, "", &vec![b' '; 10 << 20])),
        odd(
            "a body without end",
            Answer::Endless(b"HTTP/1.1 201 X\r\n\r\n".to_vec(), vec![b' '; 16_384]),
            End::Failed,
        ),
        odd(
            "chunks without end",
            Answer::Endless(
                b"HTTP/1.1 201 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(),
                b"1\r\n \r\n".repeat(1000),
            ),
            End::Failed,
        ),
    ]
}

/// Answers that are broken as HTTP.
fn frames(good: &Value) -> Vec<Oddity> {
    let text = good.to_string();
    let raw = |head: &str, body: &str| format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes();
    let endless = |name: &str, first: &str, more: &str| {
        odd(name, Answer::Endless(first.as_bytes().to_vec(), more.as_bytes().repeat(200)), End::Failed)
    };
    vec![
        failed("closed unheard", ""),
        failed("closed within the head", "HTTP/1.1 201 Cre"),
        failed("closed within the body", raw("201 X\r\ncontent-length: 5000", &text)),
        failed("a length that is too short", raw("201 X\r\nconnection: close\r\ncontent-length: 40", &text)),
        failed("two lengths", raw("201 X\r\ncontent-length: 5\r\ncontent-length: 9", &text)),
        failed("a negative length", raw("201 X\r\ncontent-length: -1", &text)),
        failed("a length beyond all numbers", raw("201 X\r\ncontent-length: 99999999999999999999", &text)),
        failed("a length of 2^64 - 1", raw("201 X\r\ncontent-length: 18446744073709551615", &text)),
        failed("a chunk of 2^64 bytes", raw("201 X\r\ntransfer-encoding: chunked", "FFFFFFFFFFFFFFFFF\r\nx")),
        failed("a chunk of no number", raw("201 X\r\ntransfer-encoding: chunked", "zz\r\nx")),
        failed("a header of 1 MB", raw(&format!("201 X\r\nx: {}", "y".repeat(1 << 20)), &text)),
        failed("10,000 headers", raw(&format!("201 X\r\n{}z: z", "x: y\r\n".repeat(10_000)), &text)),
        failed("a header that is not one", raw("201 X\r\nno colon here", &text)),
        failed("a status of four digits", raw("2001 X", &text)),
        failed("a status of no number", raw("abc X", &text)),
        failed("101 Switching Protocols", raw("101 X\r\nupgrade: x\r\nconnection: upgrade", "")),
        failed("HTTP/0.9", text.as_bytes()),
        failed("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        failed("a TLS alert", [0x15, 3, 3, 0, 2, 2, 40]),
        failed("SSH", "SSH-2.0-OpenSSH_9.9\r\n"),
        endless("a head without end", "HTTP/1.1 201 X\r\n", "x: y\r\n"),
        endless("a line without end", "HTTP/1.1 201 ", "X"),
        endless("100 Continue without end", "", "HTTP/1.1 100 Continue\r\n\r\n"),
        odd("silence", Answer::Silence, End::Failed),
    ]
}

fn redirects(elsewhere: &str) -> Vec<Oddity> {
    let all = [301, 302, 303, 307, 308].iter();
    all.map(|status| {
        failed(format!("a redirect {status}"), reply(*status, &format!("location: {elsewhere}\r\n"), b""))
    })
    .collect()
}
