//! Claims about what is made of an answer.

use http::HeaderValue;
use proptest::prelude::*;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
const SECRET_WORDS: [&str; 2] = ["wJalrXUtnFEMI", "IQoJb3JpZ2luX2Vj"];

fn role() -> RoleArn {
    "arn:aws:iam::111122223333:role/team/demo".parse().unwrap()
}

fn good() -> Value {
    json!({
        "credentialSet": [{
            "assumedRoleUser": {
                "arn": "arn:aws:sts::111122223333:assumed-role/demo/4444333322221111",
                "assumedRoleId": "AROAEXAMPLEEXAMPLE:4444333322221111"
            },
            "credentials": {
                "accessKeyId": "ASIAEXAMPLEEXAMPLE12",
                "secretAccessKey": "wJalrXUtnFEMI/K7MDENG",
                "sessionToken": "IQoJb3JpZ2luX2Vj//token",
                "expiration": "2026-01-02T04:04:05Z"
            },
            "packedPolicySize": 43,
            "roleArn": "arn:aws:iam::111122223333:role/team/demo",
            "sourceIdentity": "CN=prod.payments.api"
        }],
        "subjectArn": "arn:aws:rolesanywhere:eu-central-1:111122223333:subject/s"
    })
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Result<Session, Failure> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    read(&response, &role(), NOW)
}

/// A success with one member of its JSON replaced, or removed with null.
fn with(pointer: &str, value: Value) -> String {
    let mut body = good();
    *body.pointer_mut(pointer).unwrap() = value;
    let text = answer(201, &[], body.to_string()).unwrap_err().error.to_string();
    for word in SECRET_WORDS {
        assert!(!text.contains(word), "{text}");
    }
    text
}

fn error(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Error {
    *answer(status, headers, body).unwrap_err().error
}

fn retry(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Retry {
    answer(status, headers, body).unwrap_err().retry
}

#[test]
fn every_member_of_a_good_answer_is_read() {
    let session = answer(201, &[("x-amzn-requestid", "id-1")], good().to_string()).unwrap();

    assert_eq!(session.access_key_id, "ASIAEXAMPLEEXAMPLE12");
    assert_eq!(session.secret_access_key.expose_secret(), "wJalrXUtnFEMI/K7MDENG");
    assert_eq!(session.session_token.expose_secret(), "IQoJb3JpZ2luX2Vj//token");
    assert_eq!(session.expiration, datetime!(2026-01-02 04:04:05 UTC));
    assert_eq!(session.assumed_role_arn, "arn:aws:sts::111122223333:assumed-role/demo/4444333322221111");
    assert_eq!(session.assumed_role_id, "AROAEXAMPLEEXAMPLE:4444333322221111");
    assert_eq!(session.source_identity.as_deref(), Some("CN=prod.payments.api"));
    assert_eq!(session.role_session_name, "4444333322221111");
    assert_eq!(
        session.subject_arn.as_deref(),
        Some("arn:aws:rolesanywhere:eu-central-1:111122223333:subject/s")
    );
    assert_eq!(session.packed_policy_size, Some(43));
    assert_eq!(session.request_id.as_deref(), Some("id-1"));
}

#[test]
fn members_that_aws_may_leave_out_may_be_missing() {
    let mut body = good();
    let set = body.pointer_mut("/credentialSet/0").unwrap().as_object_mut().unwrap();
    for name in ["packedPolicySize", "roleArn", "sourceIdentity"] {
        set.remove(name);
    }

    let session = answer(201, &[], body.to_string()).unwrap();

    assert_eq!((session.source_identity, session.packed_policy_size), (None, None));
}

#[test]
fn a_session_that_has_expired_is_no_session() {
    let expired = with("/credentialSet/0/credentials/expiration", json!("2026-01-02T03:04:05Z"));
    let endless = with("/credentialSet/0/credentials/expiration", json!("9999-01-01T00:00:00Z"));

    assert!(expired.contains("has already expired, 0 s ago"), "{expired}");
    assert!(endless.contains("AWS's longest is 43200 s"), "{endless}");
}

#[test]
fn an_expiration_that_is_no_time_is_refused() {
    for value in [json!("soon"), json!(""), json!(null), json!("2026-01-02")] {
        assert!(with("/credentialSet/0/credentials/expiration", value).contains("expiration is "));
    }
}

#[test]
fn a_missing_secret_is_refused_by_name() {
    let secret = with("/credentialSet/0/credentials/secretAccessKey", json!(null));
    let token = with("/credentialSet/0/credentials/sessionToken", json!(""));
    let key = with("/credentialSet/0/credentials/accessKeyId", json!("ASIA short"));

    assert!(secret.contains("secretAccessKey is missing"), "{secret}");
    assert!(token.contains("sessionToken is missing"), "{token}");
    assert!(key.contains("accessKeyId is not 16 to 128"), "{key}");
}

#[test]
fn no_text_of_a_session_breaks_out_of_its_line_or_is_without_end() {
    let credentials = "/credentialSet/0/credentials";
    for (pointer, text) in [
        (format!("{credentials}/secretAccessKey"), "k\n[other]"),
        (format!("{credentials}/sessionToken"), "t\r\nX: y"),
        (format!("{credentials}/sessionToken"), "t\u{e9}"),
        ("/credentialSet/0/sourceIdentity".to_owned(), "CN=a\nb"),
        ("/credentialSet/0/assumedRoleUser/assumedRoleId".to_owned(), "A\u{1b}[31m"),
        ("/subjectArn".to_owned(), &"x".repeat(2049)),
    ] {
        let message = with(&pointer, json!(text));

        assert!(
            message.contains("characters that no header")
                || message.contains("is not one line of at most 2048"),
            "{message}"
        );
    }
}

#[test]
fn an_empty_credential_set_is_refused() {
    assert!(with("/credentialSet", json!([])).contains("credentialSet is empty"));
    assert!(with("/credentialSet", json!(null)).contains("credentialSet is empty"));
}

#[test]
fn a_session_of_another_role_is_refused() {
    let other_role = json!("arn:aws:sts::111122223333:assumed-role/other/x");
    let other_account = json!("arn:aws:sts::444455556666:assumed-role/demo/x");

    assert!(with("/credentialSet/0/assumedRoleUser/arn", other_role).contains("not a session of the role"));
    assert!(
        with("/credentialSet/0/assumedRoleUser/arn", other_account).contains("not a session of the role")
    );
    assert!(with("/credentialSet/0/roleArn", json!("arn:aws:iam::1:role/x")).contains("names another role"));
}

#[test]
fn a_body_of_another_shape_is_refused_without_its_content() {
    let wrong = with("/credentialSet/0/packedPolicySize", json!("wJalrXUtnFEMI"));
    let whole = good().to_string();
    let half = error(201, &[], whole[..whole.len() / 2].to_owned()).to_string();

    assert!(wrong.contains("JSON of another shape"), "{wrong}");
    assert!(half.contains("JSON that ends too early"), "{half}");
    assert!(!SECRET_WORDS.iter().any(|word| half.contains(word)), "{half}");
}

#[test]
fn html_and_nothing_are_named_as_what_they_are() {
    let html = error(200, &[("content-type", "text/html")], "<html>Login</html>").to_string();
    let blocked = error(403, &[], "<!doctype html><h1>Blocked</h1>").to_string();
    let empty = error(201, &[], "").to_string();

    assert!(html.contains("HTML and not JSON") && html.contains("status 200"), "{html}");
    assert!(blocked.contains("HTML and not JSON") && !blocked.contains("Blocked"), "{blocked}");
    assert!(empty.contains("the body is empty"), "{empty}");
}

#[test]
fn redirects_and_proxies_are_named() {
    assert!(
        error(302, &[("location", "https://x/?token=t")], "")
            .to_string()
            .contains("redirects are not followed")
    );
    assert!(error(407, &[], "").to_string().contains("set them in proxy_url"));
}

#[test]
fn the_kind_is_read_from_the_header_before_the_body() {
    let header = [("x-amzn-errortype", "AccessDeniedException:http://internal.amazon.com/coral/")];
    let both = error(403, &header, r#"{"__type":"Other","message":"Certificate revoked"}"#);
    let by_body = error(400, &[], r#"{"__type":"com.amazon#ValidationException","Message":"m"}"#);
    let by_code = error(400, &[], r#"{"code":"ValidationException","message":"m"}"#);
    let by_status = error(404, &[], r#"{"message":"m"}"#);

    assert!(both.to_string().starts_with("AWS refused with 403 AccessDeniedException: Certificate revoked"));
    assert!(by_body.to_string().starts_with("AWS refused with 400 ValidationException: m"));
    assert!(by_code.to_string().starts_with("AWS refused with 400 ValidationException: m"));
    assert!(by_status.to_string().starts_with("AWS refused with 404 ResourceNotFoundException: m"));
}

#[test]
fn a_refusal_carries_request_id_and_explanation() {
    let err =
        error(403, &[("x-amzn-requestid", "id-7")], r#"{"message":"Invalid or empty profile provided."}"#);

    let text = err.to_string();
    assert!(text.contains("(request id id-7); the profile does not exist"), "{text}");
    assert_eq!(err.request_id(), Some("id-7"));
    assert_eq!(err.remedy(), crate::Remedy::Reconfigure);
}

#[test]
fn a_header_that_is_no_word_of_awss_is_neither_request_id_nor_kind() {
    let long = "a".repeat(129);
    for text in [r#"2","secretAccessKey":"cAnAry/K7MDENG""#, "a b", "a=", "", &long] {
        let session = answer(201, &[("x-amzn-requestid", text)], good().to_string()).unwrap();
        let headers = [("x-amzn-requestid", text), ("x-amzn-errortype", text)];
        let refused = error(403, &headers, r#"{"message":"m"}"#);

        assert_eq!((session.request_id, refused.request_id()), (None, None), "{text}");
        assert!(
            refused.to_string().starts_with("AWS refused with 403 AccessDeniedException: m; "),
            "{refused}"
        );
    }
}

#[test]
fn a_clock_that_is_off_is_told_with_its_side() {
    let body = r#"{"message":"Invalid signature"}"#;
    let ahead = error(403, &[("date", "Fri, 02 Jan 2026 02:34:05 GMT")], body).to_string();
    let behind = error(403, &[("date", "Fri, 02 Jan 2026 03:05:06 GMT")], body).to_string();
    let right = error(403, &[("date", "Fri, 02 Jan 2026 03:05:05 GMT")], body).to_string();
    let unknown = error(403, &[("date", "yesterday")], body).to_string();

    assert!(ahead.ends_with("clock is 1800 s ahead of AWS's"), "{ahead}");
    assert!(behind.ends_with("clock is 61 s behind AWS's"), "{behind}");
    assert!(!right.contains("AWS's") && !unknown.contains("AWS's"), "{right} {unknown}");
}

#[test]
fn a_session_is_as_long_as_it_is_by_awss_own_clock() {
    let at = |date| answer(201, &[("date", date)], good().to_string()).unwrap();
    let (behind, ahead) = (at("Fri, 02 Jan 2026 03:04:50 GMT"), at("Fri, 02 Jan 2026 03:03:00 GMT"));
    let untold = answer(201, &[], good().to_string()).unwrap();

    assert_eq!(behind.length(NOW), time::Duration::seconds(3600 - 45));
    assert_eq!(behind.clock_skew(NOW), None, "15 s are no cause of anything");
    assert_eq!(ahead.clock_skew(NOW).unwrap().to_string(), "this host's clock is 65 s ahead of AWS's");
    assert_eq!((untold.length(NOW), untold.clock_skew(NOW)), (time::Duration::HOUR, None));
}

#[test]
fn a_session_of_more_than_twelve_hours_by_awss_clock_is_none() {
    let date = [("date", "Thu, 01 Jan 2026 15:00:00 GMT")];

    let message = error(201, &date, good().to_string()).to_string();

    assert!(
        message.contains("the session lasts 47045 s, AWS's longest is 43200 s; this host's clock is"),
        "{message}"
    );
}

#[test]
fn refusals_are_final() {
    for status in [400, 401, 403, 404, 409] {
        assert_eq!(retry(status, &[], r#"{"message":"no"}"#), Retry::Never, "{status}");
    }
}

#[test]
fn throttling_may_be_tried_again_after_what_aws_asks_for() {
    let plain = retry(429, &[], "");
    let header = retry(429, &[("retry-after", "7")], "{}");
    let at_a_time = retry(503, &[("retry-after", "Fri, 02 Jan 2026 03:04:15 GMT")], "{}");
    let body = retry(503, &[], r#"{"message":"busy","retryAfterSeconds":3}"#);
    let fraction = retry(503, &[], r#"{"message":"busy","retryAfterSeconds":0.5}"#);
    let absurd = retry(503, &[("retry-after", "-1")], "{}");

    assert_eq!(fraction, Retry::After(Duration::from_millis(500)));
    assert_eq!(plain, Retry::After(Duration::ZERO));
    assert_eq!(header, Retry::After(Duration::from_secs(7)));
    assert_eq!(at_a_time, Retry::After(Duration::from_secs(10)));
    assert_eq!(body, Retry::After(Duration::from_secs(3)));
    assert_eq!(absurd, Retry::After(Duration::ZERO));
}

#[test]
fn no_answer_asks_for_more_than_an_hour() {
    let far = "Fri, 31 Dec 9999 23:59:59 GMT";
    for header in ["4294967295", "18446744073709551615", &"9".repeat(400), "1e300", "inf", far] {
        assert_eq!(retry(429, &[("retry-after", header)], "{}"), Retry::After(MAX_WAIT), "{header:?}");
    }
    for seconds in ["3601", "18446744073709551615", "1e308", &"9".repeat(300)] {
        let body = format!(r#"{{"retryAfterSeconds":{seconds}}}"#);

        assert_eq!(retry(503, &[], body.clone()), Retry::After(MAX_WAIT), "{body}");
    }
}

#[test]
fn a_wait_that_is_none_is_no_wait() {
    for header in ["-1", "-0.5", "nan", "soon", "", "Sat, 01 Jan 0000 00:00:00 GMT"] {
        assert_eq!(retry(429, &[("retry-after", header)], "{}"), Retry::After(Duration::ZERO), "{header:?}");
    }
    for value in ["-1", "-1e308", "null", r#""soon""#, "[]", "{}", "true"] {
        let body = format!(r#"{{"retryAfterSeconds":{value}}}"#);

        assert_eq!(retry(429, &[], body.clone()), Retry::After(Duration::ZERO), "{body}");
    }
}

proptest! {
    #[test]
    fn no_status_header_or_body_panics_or_asks_for_more_than_an_hour(
        status in 200_u16..600, header in "[ -~]{0,40}", date in "[A-Z][a-z]{2}, [0-3][0-9] [A-Z][a-z]{2} [0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-5][0-9] GMT",
        body in any::<Vec<u8>>(), seconds in any::<f64>(),
    ) {
        let numbers = json!({ "message": "m", "retryAfterSeconds": seconds }).to_string();
        for body in [body, numbers.into_bytes(), b"{}".to_vec()] {
            for header in [&header, &date] {
                if let Err(failure) = answer(status, &[("retry-after", header), ("date", &date)], body.clone())
                    && let Retry::After(wait) = failure.retry
                {
                    prop_assert!(wait <= MAX_WAIT);
                }
            }
        }
    }

    #[test]
    fn no_expiration_panics_or_outlasts_awss_longest(
        year in 0_u32..10_000, month in 1_u8..=12, day in 1_u8..=28, hours in -23_i8..=23,
    ) {
        let mut body = good();
        let expiration = format!("{year:04}-{month:02}-{day:02}T23:59:59{hours:+03}:59");
        *body.pointer_mut("/credentialSet/0/credentials/expiration").unwrap() = json!(expiration);

        if let Ok(session) = answer(201, &[], body.to_string()) {
            prop_assert!(session.expiration - NOW <= MAX_LENGTH);
        }
    }
}

#[test]
fn throttling_is_told_apart_from_an_outage() {
    let by_status = error(429, &[], r#"{"message":"Rate exceeded"}"#);
    let by_kind =
        error(400, &[("x-amzn-errortype", "ThrottlingException")], r#"{"message":"Rate exceeded"}"#);
    let outage = error(503, &[("content-type", "text/html")], "<html>busy</html>");

    assert!(matches!(by_status, Error::Throttled { .. }) && matches!(by_kind, Error::Throttled { .. }));
    assert!(matches!(outage, Error::Unavailable { status: Some(503), .. }), "{outage:?}");
    assert!(!outage.to_string().contains("html"), "{outage}");
    assert_eq!(by_status.to_string(), "AWS throttles CreateSession: Rate exceeded");
}

#[test]
fn a_throttling_of_status_400_is_not_tried_again() {
    let throttled =
        retry(400, &[("x-amzn-errortype", "ThrottlingException")], r#"{"message":"Rate exceeded"}"#);

    assert_eq!(throttled, Retry::Never);
}

#[test]
fn a_message_is_bounded_and_stays_on_its_line() {
    let message = format!("line\n\u{1b}[31m{}", "x".repeat(10_000));
    let text = error(403, &[], json!({ "message": message }).to_string()).to_string();

    assert!(text.chars().all(|c| !c.is_control()), "{text}");
    assert!(text.len() < 2000, "{}", text.len());
}
