//! The answer as an SDK reads it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::gate::Refused;
use crate::answers::{AnswerReply, late};
use crate::cache::Reply;
use crate::refusal::{Refusal, Retry};

/// The exact media type: Go's SDK reads an error's `code` and `message` under no other.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A cache in between must keep neither a secret nor an error whose cause is gone.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// By which the agent's log names a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A response of this server.
pub(super) type Answered = Response<Full<Bytes>>;

/// The response to a request for credentials that waited for `patience` at most.
pub(super) fn reply(reply: AnswerReply, patience: Duration, request_id: &str) -> Answered {
    match reply {
        Reply::Answer { value, .. } => json(StatusCode::OK, value.json, request_id),
        Reply::Refused { why, .. } => refusal(&why, request_id),
        Reply::Late => refusal(&late(patience), request_id),
        Reply::Full => refusal(&full(), request_id),
    }
}

/// The response to a request that is refused.
pub(super) fn refusal(refusal: &Refusal, request_id: &str) -> Answered {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, Bytes::from(refusal.body()), request_id);
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

/// A response with a JSON body that no cache may keep. Its header `x-request-id` is the one of the log.
fn json(status: StatusCode, body: Bytes, request_id: &str) -> Answered {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// A refusal as bytes, for a connection whose request is not read: the whole response, after which the connection closes.
pub(super) fn raw(refusal: &Refusal) -> Vec<u8> {
    let (status, body) = (refusal.status, refusal.body());
    let reason =
        StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("-");
    let pause =
        refusal.retry_after().map_or_else(String::new, |seconds| format!("Retry-After: {seconds}\r\n"));
    let mut response = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n{pause}Content-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    response.extend_from_slice(&body);
    response
}

/// What a connection is told that is turned away at the gate.
pub(super) fn turned_away(why: Refused) -> Refusal {
    let message = match why {
        Refused::ConnectionsOfOne => "too many connections from this address are open; ask again",
        Refused::RequestsOfOne => "too many requests from this address; ask again",
        Refused::All => "too many connections to this agent are open; ask again",
    };
    busy(message)
}

/// A request that needs Vault, and may not ask it now.
fn full() -> Refusal {
    busy("too many requests wait for Vault, or too many of this address were refused by it; ask again")
}

/// A 429 that names a second as the time after which the client may ask again.
fn busy(message: &str) -> Refusal {
    Refusal::passing(429, "TooManyRequests", message).with(Retry::Later(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_when_to_ask_again_and_is_kept_by_nobody() {
        let response = refusal(&busy("x"), "7f");

        assert_eq!(response.status(), 429);
        for (name, value) in [
            ("retry-after", "1"),
            ("cache-control", "no-store"),
            ("content-type", "application/json"),
            ("x-request-id", "7f"),
        ] {
            assert_eq!(response.headers()[name], value);
        }
    }

    #[test]
    fn a_raw_refusal_is_a_whole_response() {
        let text = String::from_utf8(raw(&Refusal::lasting(431, "HeadTooLarge", "x"))).unwrap();

        assert!(text.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{text}");
        assert!(
            text.ends_with(
                "Content-Length: 37\r\nConnection: close\r\n\r\n{\"code\":\"HeadTooLarge\",\"message\":\"x\"}"
            ),
            "{text}"
        );
    }
}
