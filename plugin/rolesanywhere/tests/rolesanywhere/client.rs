//! The call as a whole over a transport that plays a script, with the clock standing still until it is needed.

use std::sync::Arc;
use std::time::Duration;

use crate::parties::{good_answer, identity, request};
use crate::script::{Script, Step};
use rolesanywhere::{
    Client, Error, HeaderValue, Remedy, RetryBudget, Session, Settings, Transport, TransportErrorKind,
};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::Instant;

fn success() -> Step {
    Step::Answer(201, Vec::new(), good_answer())
}

fn busy(status: u16) -> Step {
    Step::Answer(status, Vec::new(), r#"{"message":"busy"}"#.to_owned())
}

const START: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
const DEADLINE: Duration = Duration::from_secs(15);

async fn call(
    script: &Arc<Script>,
    settings: Settings,
    budget: impl Into<RetryBudget>,
) -> Result<Session, Error> {
    let client = Client::with_transport(&settings, Arc::clone(script) as Arc<dyn Transport>).unwrap();
    let began = Instant::now();
    let now = move || START + began.elapsed();
    client.create_session(&identity(), &request(), now, budget).await
}

#[tokio::test(start_paused = true)]
async fn a_session_is_one_request_to_the_anchors_region() {
    let script = Script::of([success()]);

    let session = call(&script, Settings::default(), DEADLINE).await.unwrap();

    assert_eq!(session.role_session_name, "4444333322221111");
    assert_eq!(script.attempts(), 1);
    let asked = script.request(0);
    assert_eq!(asked.uri(), "https://rolesanywhere.eu-central-1.amazonaws.com/sessions");
    assert_eq!(asked.method(), "POST");
    let agent = asked.headers()["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("rolesanywhere/"), "{agent}");
    let signed = asked.headers()["authorization"].to_str().unwrap();
    assert!(signed.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-x509,"), "{signed}");
}

#[tokio::test(start_paused = true)]
async fn every_attempt_carries_the_callers_own_user_agent() {
    let script = Script::of([busy(503), success()]);
    let user_agent = HeaderValue::from_static("a-caller/1.2");

    call(&script, Settings { user_agent, ..Settings::default() }, DEADLINE).await.unwrap();

    for attempt in 0..2 {
        let agents: Vec<_> =
            script.request(attempt).headers().get_all("user-agent").iter().cloned().collect();
        assert_eq!(agents, ["a-caller/1.2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_signed_for_its_own_time() {
    let script = Script::of([busy(503), busy(500), busy(502), success()]);

    call(&script, Settings::default(), DEADLINE).await.unwrap();

    assert_eq!(script.attempts(), 4);
    let (first, last) = (script.request(0), script.request(3));
    assert_ne!(first.headers()["x-amz-date"], last.headers()["x-amz-date"]);
    assert_ne!(first.headers()["authorization"], last.headers()["authorization"]);
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_are_never_shorter_than_their_base() {
    let script = Script::of([busy(503)]);

    call(&script, Settings::default(), DEADLINE).await.unwrap_err();

    for (attempt, base) in [(1, 200), (2, 400), (3, 800)] {
        let (pause, base) = (script.pause_before(attempt), Duration::from_millis(base));
        assert!(base <= pause && pause <= base * 2 + Duration::from_millis(5), "{attempt}: {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_end_after_their_number() {
    for (retries, attempts) in [(0, 1), (1, 2), (3, 4)] {
        let script = Script::of([busy(503)]);

        let err = call(&script, Settings { max_retries: retries, ..Settings::default() }, DEADLINE).await;

        let Err(Error::Unavailable { attempts: counted, status: Some(503), .. }) = err else {
            panic!("{err:?}")
        };
        assert_eq!((script.attempts(), counted as usize), (attempts, attempts));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final() {
    for status in [400, 403, 404] {
        let script = Script::of([busy(status), success()]);

        let err = call(&script, Settings::default(), DEADLINE).await.unwrap_err();

        assert!(matches!(err, Error::Refused { .. }), "{err:?}");
        assert_eq!((script.attempts(), err.remedy()), (1, Remedy::Reconfigure));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_answer_is_final() {
    let script = Script::of([Step::Answer(201, Vec::new(), "<html>".to_owned()), success()]);

    let err = call(&script, Settings::default(), DEADLINE).await.unwrap_err();

    assert!(matches!(err, Error::BadAnswer { .. }), "{err:?}");
    assert_eq!(script.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_tried_again() {
    let script = Script::of([Step::Fail(TransportErrorKind::Network), success()]);

    assert!(call(&script, Settings::default(), DEADLINE).await.is_ok());
    assert_eq!(script.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_untrusted_server_is_not_asked_again() {
    let script = Script::of([Step::Fail(TransportErrorKind::Untrusted), success()]);

    let err = call(&script, Settings::default(), DEADLINE).await.unwrap_err();

    assert!(matches!(err, Error::Unavailable { .. }), "{err:?}");
    assert_eq!(script.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_past_its_bound_is_a_wrong_answer() {
    let script = Script::of([Step::Fail(TransportErrorKind::TooLarge), success()]);

    let err = call(&script, Settings::default(), DEADLINE).await.unwrap_err();

    assert!(matches!(err, Error::BadAnswer { status: None, .. }), "{err:?}");
    assert_eq!(script.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_each_attempt_at_its_timeout_and_the_call_at_its_deadline() {
    let script = Script::of([Step::Silence]);
    let began = Instant::now();
    let settings = Settings { request_timeout: Duration::from_secs(6), ..Settings::default() };

    let err = call(&script, settings, DEADLINE).await.unwrap_err();

    assert!(err.to_string().contains("no answer within"), "{err}");
    assert_eq!(script.attempts(), 3);
    assert!(script.pause_before(1) >= Duration::from_secs(6));
    assert!(began.elapsed() <= DEADLINE + Duration::from_millis(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_shorter_than_the_timeout_bounds_the_call() {
    let script = Script::of([Step::Silence]);
    let began = Instant::now();

    let err = call(&script, Settings::default(), Duration::from_millis(900)).await.unwrap_err();

    assert_eq!(err.remedy(), Remedy::Wait);
    assert!(began.elapsed() <= Duration::from_millis(905), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_longest_deadline_does_not_overflow_the_clock() {
    let script = Script::of([success()]);

    assert!(call(&script, Settings::default(), Duration::MAX).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_aws_asks_to_wait_is_waited() {
    let throttled = Step::Answer(429, vec![("retry-after", "5".to_owned())], "{}".to_owned());
    let script = Script::of([throttled, success()]);

    call(&script, Settings::default(), DEADLINE).await.unwrap();

    assert!(script.pause_before(1) >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_wait_past_the_deadline_ends_the_call_at_once_and_is_told() {
    let throttled = Step::Answer(429, vec![("retry-after", "60".to_owned())], "{}".to_owned());
    let script = Script::of([throttled]);
    let began = Instant::now();

    let err = call(&script, Settings::default(), DEADLINE).await.unwrap_err();

    let Error::Throttled { retry_after, attempts, .. } = &err else { panic!("{err:?}") };
    assert_eq!((*retry_after, *attempts), (Some(Duration::from_mins(1)), 1));
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(err.to_string().ends_with("AWS asks to wait 60 s"), "{err}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_all_clocks_ends_the_call_and_is_told_as_an_hour() {
    let forever = [("retry-after", "4294967295".to_owned())];
    let body = r#"{"retryAfterSeconds":18446744073709551615}"#.to_owned();
    for (headers, body) in [(forever.to_vec(), "{}".to_owned()), (Vec::new(), body)] {
        let script = Script::of([Step::Answer(429, headers, body)]);

        let err = call(&script, Settings::default(), DEADLINE).await.unwrap_err();

        assert!(err.to_string().ends_with("AWS asks to wait 3600 s"), "{err}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_aws_is_told_when_no_retry_may_begin_any_more() {
    let script = Script::of([busy(503)]);
    let budget = RetryBudget { total: DEADLINE, retries: Duration::from_millis(500) };
    let began = Instant::now();

    call(&script, Settings::default(), budget).await.unwrap_err();

    assert_eq!(script.attempts(), 2);
    assert!(began.elapsed() < budget.retries, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_attempt_has_the_whole_time() {
    let script = Script::of([Step::Silence]);
    let total = Duration::from_secs(2);
    let began = Instant::now();

    let budget = RetryBudget { total, retries: Duration::from_millis(500) };
    call(&script, Settings::default(), budget).await.unwrap_err();

    assert_eq!((script.attempts(), began.elapsed().as_secs()), (1, total.as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_aws_would_refuse_is_not_sent() {
    let script = Script::of([success()]);
    let client =
        Client::with_transport(&Settings::default(), Arc::clone(&script) as Arc<dyn Transport>).unwrap();
    let mut other_region = request();
    other_region.profile = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p".parse().unwrap();

    let err = client.create_session(&identity(), &other_region, || START, DEADLINE).await.unwrap_err();

    assert!(err.to_string().contains("the regions eu-central-1 and eu-west-1 differ"), "{err}");
    assert_eq!((script.attempts(), err.remedy()), (0, Remedy::Reconfigure));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_region_is_named_when_nothing_answers_there() {
    let script = Script::of([Step::Fail(TransportErrorKind::Network)]);
    let client =
        Client::with_transport(&Settings::default(), Arc::clone(&script) as Arc<dyn Transport>).unwrap();
    let mut typo = request();
    typo.trust_anchor = "arn:aws:rolesanywhere:eu-centrl-1:111122223333:trust-anchor/a".parse().unwrap();
    typo.profile = "arn:aws:rolesanywhere:eu-centrl-1:111122223333:profile/p".parse().unwrap();

    let err = client.create_session(&identity(), &typo, || START, DEADLINE).await.unwrap_err();

    assert!(err.to_string().contains("the region eu-centrl-1 is not known to this version"), "{err}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_sends_nothing_more() {
    let script = Script::of([busy(503)]);
    {
        let call = call(&script, Settings::default(), DEADLINE);
        assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    }

    tokio::time::sleep(DEADLINE).await;

    assert_eq!(script.attempts(), 1);
}

#[test]
fn a_call_may_move_between_threads() {
    fn assert_send<T: Send>(_: T) {}
    let script = Script::of([success()]);

    assert_send(call(&script, Settings::default(), DEADLINE));
}

#[test]
fn settings_outside_their_bounds_make_no_client() {
    let err = Client::new(&Settings { max_retries: 11, ..Settings::default() }).unwrap_err();

    assert_eq!(err.to_string(), "max_retries: 11 is above the maximum of 10");
}
