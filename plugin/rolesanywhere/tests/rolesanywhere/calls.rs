//! Calls signed with a session's credentials, over a transport that plays a script.

mod anchors;
mod assume_role;
mod iam;
mod probe;

use std::sync::Arc;
use std::time::Duration;

use crate::script::{Script, Step};
use rolesanywhere::{
    ApiOperation, CallError, Client, Credentials, Error, Region, Remedy, RoleArn, SecretString, Settings,
    SignedClient, Transport, TransportErrorKind, TrustAnchorArn,
};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::Instant;
use url::form_urlencoded;

const START: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
const DEADLINE: Duration = Duration::from_secs(15);
const CERTIFICATE: &str = include_str!("../vectors/ecdsa-p256/certificate.pem");

fn client(script: &Arc<Script>) -> Client {
    Client::with_transport(&Settings::default(), Arc::clone(script) as Arc<dyn Transport>).unwrap()
}

fn signed_client(script: &Arc<Script>) -> SignedClient {
    with_client(&client(script))
}

fn with_client(client: &Client) -> SignedClient {
    let credentials = Credentials {
        access_key_id: "ASIAEXAMPLEEXAMPLE12".to_owned(),
        secret_access_key: SecretString::from("wJalrXUtnFEMI/K7MDENG"),
        session_token: Some(SecretString::from("IQoJb3JpZ2luX2Vj//token")),
    };
    let began = Instant::now();
    client.signed_client(credentials, move || START + began.elapsed(), DEADLINE)
}

fn anchor() -> TrustAnchorArn {
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/5aefb5fe-2d37".parse().unwrap()
}

fn role() -> RoleArn {
    "arn:aws:iam::111122223333:role/team/blue/demo".parse().unwrap()
}

fn region() -> Region {
    "eu-central-1".parse().unwrap()
}

fn ok(body: impl Into<String>) -> Step {
    Step::Answer(200, vec![("x-amzn-requestid", "r-1".to_owned())], body.into())
}

fn refused(status: u16, code: &str, message: &str) -> Step {
    let body = format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>r-2</RequestId></ErrorResponse>"
    );
    Step::Answer(status, vec![("x-amzn-requestid", "r-2".to_owned())], body)
}

fn who() -> Step {
    ok(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <GetCallerIdentityResult>\n    \
        <Arn>arn:aws:sts::111122223333:assumed-role/demo/4444</Arn>\n    <UserId>AROAEXAMPLE:4444</UserId>\n    \
        <Account>111122223333</Account>\n  </GetCallerIdentityResult>\n  <ResponseMetadata><RequestId>r-1</RequestId>\
        </ResponseMetadata>\n</GetCallerIdentityResponse>",
    )
}

/// The form of a request of the query protocol.
fn form(script: &Script, attempt: usize) -> Vec<(String, String)> {
    form_urlencoded::parse(script.request(attempt).body()).into_owned().collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test(start_paused = true)]
async fn who_calls_is_asked_of_the_regions_sts() {
    let script = Script::of([who()]);

    let identity = signed_client(&script).get_caller_identity(&region()).await.unwrap();

    assert_eq!(identity.arn, "arn:aws:sts::111122223333:assumed-role/demo/4444");
    assert_eq!((identity.account.as_str(), identity.user_id.as_str()), ("111122223333", "AROAEXAMPLE:4444"));
    let asked = script.request(0);
    assert_eq!(asked.uri(), "https://sts.eu-central-1.amazonaws.com/");
    assert_eq!(form(&script, 0), [pair("Action", "GetCallerIdentity"), pair("Version", "2011-06-15")]);
}

#[tokio::test(start_paused = true)]
async fn the_signature_covers_host_date_token_and_body() {
    let script = Script::of([who()]);

    signed_client(&script).get_caller_identity(&region()).await.unwrap();

    let asked = script.request(0);
    let signed = asked.headers()["authorization"].to_str().unwrap();
    let scope = "Credential=ASIAEXAMPLEEXAMPLE12/20260102/eu-central-1/sts/aws4_request";
    assert!(signed.starts_with(&format!("AWS4-HMAC-SHA256 {scope}, ")), "{signed}");
    assert!(signed.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"), "{signed}");
    assert_eq!(asked.headers()["x-amz-date"], "20260102T030405Z");
    assert_eq!(asked.headers()["x-amz-security-token"], "IQoJb3JpZ2luX2Vj//token");
    assert!(asked.headers()["user-agent"].to_str().unwrap().starts_with("rolesanywhere/"));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_signed_anew_and_they_are_bounded() {
    let busy = Step::Answer(503, Vec::new(), "<html>busy</html>".to_owned());
    let script = Script::of([busy]);

    let err = signed_client(&script).get_caller_identity(&region()).await.unwrap_err();

    assert_eq!((script.attempts(), err.remedy()), (4, Remedy::Wait));
    assert_ne!(script.request(0).headers()["authorization"], script.request(3).headers()["authorization"]);
    assert!(matches!(*err.cause, Error::Unavailable { attempts: 4, status: Some(503), .. }), "{err:?}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_and_a_throttle_are_tried_again() {
    let script = Script::of([
        Step::Fail(TransportErrorKind::Network),
        refused(400, "Throttling", "Rate exceeded"),
        refused(429, "ThrottlingException", "Rate exceeded"),
        who(),
    ]);

    signed_client(&script).get_caller_identity(&region()).await.unwrap();

    assert_eq!(script.attempts(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_roles_anywhere_is_read_from_header_and_json() {
    let text = "User: u is not authorized to perform: rolesanywhere:GetTrustAnchor on resource: arn:aws:x";
    let headers = vec![("x-amzn-errortype", "AccessDeniedException:http://internal/".to_owned())];
    let script = Script::of([Step::Answer(403, headers, format!("{{\"message\":\"{text}\"}}"))]);

    let err = signed_client(&script).get_trust_anchor(&anchor()).await.unwrap_err();

    assert_eq!(err.kind(), Some("AccessDeniedException"));
    let missing = err.missing_permission.unwrap();
    assert_eq!(
        (missing.action.as_str(), missing.resource.as_deref()),
        ("rolesanywhere:GetTrustAnchor", Some("arn:aws:x"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_told_with_the_refusal() {
    let mut step = refused(403, "SignatureDoesNotMatch", "Signature expired");
    if let Step::Answer(_, headers, _) = &mut step {
        headers.push(("date", "Fri, 02 Jan 2026 02:54:05 GMT".to_owned()));
    }
    let script = Script::of([step]);

    let err = signed_client(&script).get_caller_identity(&region()).await.unwrap_err();

    assert!(err.to_string().contains("clock is 600 s ahead of AWS's"), "{err}");
    let Error::Refused { clock_skew: Some(skew), .. } = *err.cause else { panic!("{err:?}") };
    assert_eq!(skew.seconds(), 600);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_of_the_service_is_told_without_its_content() {
    for body in ["<html>hunter2</html>", "hunter2", "", "<GetCallerIdentityResponse/>", "{\"a\":\"hunter2\"}"]
    {
        let script = Script::of([ok(body)]);

        let err = signed_client(&script).get_caller_identity(&region()).await.unwrap_err();

        assert!(matches!(*err.cause, Error::BadAnswer { status: Some(200), .. }), "{body:?}: {err:?}");
        assert!(
            err.to_string().contains("is not from STS: ") && !err.to_string().contains("hunter2"),
            "{err}"
        );
        assert_eq!(script.attempts(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_without_roles_anywhere_is_named() {
    let script = Script::of([who()]);

    let err =
        signed_client(&script).get_caller_identity(&"us-iso-east-1".parse().unwrap()).await.unwrap_err();

    assert!(err.to_string().contains("does not exist in the partition aws-iso"), "{err}");
    assert_eq!((script.attempts(), err.operation), (0, ApiOperation::GetCallerIdentity));
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_shown_by_a_caller_or_its_errors() {
    let script = Script::of([ok("nonsense")]);
    let signed_client = signed_client(&script);

    let err: CallError = signed_client.get_role(&role()).await.unwrap_err();

    for shown in [format!("{signed_client:?}"), format!("{err:?} {err}"), format!("{:?}", client(&script))] {
        assert!(!shown.contains("wJalr") && !shown.contains("IQoJ"), "{shown}");
    }
}

#[test]
fn a_call_may_move_between_threads() {
    fn assert_send<T: Send>(_: T) {}
    let script = Script::of([who()]);
    let signed_client = client(&script).signed_client(
        Credentials {
            access_key_id: String::new(),
            secret_access_key: SecretString::default(),
            session_token: None,
        },
        || START,
        DEADLINE,
    );

    assert_send(signed_client.list_role_policies(&role()));
    assert_send(signed_client.update_trust_anchor(&anchor(), &[]));
}
