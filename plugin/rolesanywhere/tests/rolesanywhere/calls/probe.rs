//! Reaching an endpoint without asking it for anything.

use rolesanywhere::TransportErrorKind;

use super::{DEADLINE, START, client, region};
use crate::script::{Script, Step};

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_answers_anything_is_reached_and_tells_its_time() {
    let headers =
        vec![("date", "Fri, 02 Jan 2026 03:03:04 GMT".to_owned()), ("x-amzn-requestid", "r-3".to_owned())];
    let script = Script::of([Step::Answer(404, headers, "{}".to_owned())]);

    let reached = client(&script).probe(&region(), || START, DEADLINE).await.unwrap();

    assert_eq!((reached.status, reached.from_aws), (404, true));
    assert_eq!(reached.clock_skew.unwrap().to_string(), "this host's clock is 61 s ahead of AWS's");
    assert_eq!(reached.endpoint, "https://rolesanywhere.eu-central-1.amazonaws.com");
    let asked = script.request(0);
    assert_eq!((asked.method().as_str(), asked.uri().path()), ("GET", "/"));
    assert!(!asked.headers().contains_key("authorization"));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_not_reached_is_tried_once_and_says_why() {
    for (step, word) in [
        (Step::Fail(TransportErrorKind::Untrusted), "connection refused"),
        (Step::Fail(TransportErrorKind::Network), "connection refused"),
        (Step::Silence, "no answer within 10.0 s"),
    ] {
        let script = Script::of([step]);

        let err = client(&script).probe(&region(), || START, DEADLINE).await.unwrap_err();

        let text = err.to_string();
        assert!(
            text.starts_with("https://rolesanywhere.eu-central-1.amazonaws.com: ") && text.contains(word),
            "{text}"
        );
        assert_eq!(script.attempts(), 1);
    }
}
