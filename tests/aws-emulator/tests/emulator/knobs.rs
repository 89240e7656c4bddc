//! Each knob does what it says, and nothing after it is spent.

use crate::client::{Answer, Prepared};
use crate::world::{PROFILE_ID, ROOT, World, seconds_until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn with_knobs(knobs: Value) -> World {
    let world = World::start().await;
    world.put_knobs(knobs).await;
    world
}

fn good(world: &World) -> Prepared {
    world.call(&ROOT.device("payments")).sign()
}

async fn statuses(world: &World, count: usize) -> Vec<u16> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(good(world).send().await.status);
    }
    all
}

async fn raw_answer(kind: &str) -> (World, Answer) {
    let world = with_knobs(json!({ "answer": kind })).await;
    let answer = good(&world).send().await;
    (world, answer)
}

#[tokio::test]
async fn knobs_are_shown_as_they_were_put() {
    let world = with_knobs(json!({ "latency_ms": 7, "seed": 3 })).await;

    let shown = world.admin("knobs").await;

    assert_eq!((shown["latency_ms"].as_u64(), shown["seed"].as_u64()), (Some(7), Some(3)));
    assert_eq!(shown["answer"], "normal");
}

#[tokio::test]
async fn latency_delays_each_answer() {
    let world = with_knobs(json!({ "latency_ms": 300 })).await;
    let begin = Instant::now();

    let answer = good(&world).send().await;

    assert_eq!(answer.status, 201);
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn the_most_calls_in_flight_are_shown() {
    let world = with_knobs(json!({ "latency_ms": 1000 })).await;
    let one = good(&world).send().await;
    let alone = world.admin("in-flight").await;

    let (second, third) = tokio::join!(good(&world).send(), good(&world).send());

    assert_eq!([one.status, second.status, third.status], [201; 3]);
    assert_eq!(alone, json!({ "most": 1 }));
    assert_eq!(world.admin("in-flight").await, json!({ "most": 2 }));
}

#[tokio::test]
async fn throttling_hits_the_next_calls_and_stops() {
    let world = with_knobs(json!({ "throttle_next": 2 })).await;

    let seen = statuses(&world, 3).await;

    assert_eq!(seen, [429, 429, 201]);
}

#[tokio::test]
async fn a_burst_of_errors_has_its_status_and_stops() {
    let world = with_knobs(json!({ "fail_next": { "count": 2, "status": 500 } })).await;

    let seen = statuses(&world, 3).await;

    assert_eq!(seen, [500, 500, 201]);
}

#[tokio::test]
async fn a_dropped_connection_gives_no_answer() {
    let world = with_knobs(json!({ "drop_next": 1 })).await;
    let dropped = good(&world).try_send().await;

    assert!(dropped.is_err(), "{dropped:?}");
    assert_eq!(good(&world).send().await.status, 201);
}

#[tokio::test]
async fn a_clock_ahead_refuses_what_is_signed_now() {
    let world = with_knobs(json!({ "clock_offset_seconds": 600 })).await;

    let answer = good(&world).send().await;

    world.refuses(&answer, &crate::expectations::refusal("11")).await;
}

#[tokio::test]
async fn a_clock_ahead_takes_what_is_signed_then() {
    let world = with_knobs(json!({ "clock_offset_seconds": 600 })).await;
    let then = crate::clock::now() + time::Duration::seconds(600);

    let answer = world.call(&ROOT.device("payments")).signed_at(then).send().await;

    assert!(seconds_until(&answer.session().expiration) > 4100);
}

#[tokio::test]
async fn a_clock_ahead_shows_in_the_date_header() {
    let world = with_knobs(json!({ "clock_offset_seconds": 86_400 })).await;

    let answer = good(&world).send().await;

    let tomorrow = crate::clock::now() + time::Duration::days(1);
    let day = format!("{:02} {}", tomorrow.day(), &tomorrow.month().to_string()[..3]);
    assert!(answer.header("date").contains(&day), "{} is not {day}", answer.header("date"));
}

async fn profile_of_60_seconds(world: &World) -> Answer {
    let path = format!("/profile/{PROFILE_ID}");
    world.manage(reqwest::Method::PATCH, &path, &json!({ "durationSeconds": 60 })).await
}

#[tokio::test]
async fn a_lower_bound_lets_profiles_be_short() {
    let world = with_knobs(json!({ "min_duration_override_seconds": 60 })).await;

    let updated = profile_of_60_seconds(&world).await;

    assert_eq!(updated.status, 200, "{}", updated.text());
    let left = seconds_until(&world.session(&ROOT.device("payments")).await.expiration);
    assert!((50..=61).contains(&left), "{left}");
}

#[tokio::test]
async fn without_the_knob_a_profile_is_not_short() {
    let world = World::start().await;

    let answer = profile_of_60_seconds(&world).await;

    assert_eq!((answer.status, answer.error_type()), (400, "ValidationException"));
}

#[tokio::test]
async fn a_profile_in_the_state_may_be_short_at_once() {
    let world = World::start_with(|state| state["profiles"][0]["duration_seconds"] = 2.into()).await;

    let session = world.session(&ROOT.device("payments")).await;

    assert!(seconds_until(&session.expiration) <= 2);
}

#[tokio::test]
async fn the_html_answer_is_a_page() {
    let (_world, answer) = raw_answer("html").await;

    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.text().contains("<html"), "{}", answer.text());
}

#[tokio::test]
async fn the_empty_answer_has_no_body() {
    let (_world, answer) = raw_answer("empty").await;

    assert_eq!((answer.status, answer.body.len()), (201, 0));
}

#[tokio::test]
async fn the_half_json_answer_does_not_parse() {
    let (_world, answer) = raw_answer("half_json").await;

    assert!(answer.text().starts_with('{'), "{}", answer.text());
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
}

#[tokio::test]
async fn the_huge_answer_is_over_ten_megabytes() {
    let (_world, answer) = raw_answer("huge").await;

    assert!(answer.body.len() >= 10 * 1024 * 1024, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn the_silent_answer_never_comes() {
    let world = with_knobs(json!({ "answer": "silent" })).await;

    let waited = tokio::time::timeout(Duration::from_millis(500), good(&world).try_send()).await;

    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test]
async fn the_expired_answer_is_a_session_of_the_past() {
    let (_world, answer) = raw_answer("expired_session").await;

    assert!(seconds_until(&answer.session().expiration) < 0);
}

#[tokio::test]
async fn a_forwarded_error_type_has_its_suffix() {
    let world = with_knobs(json!({ "forwarded_error_type": true })).await;

    let answer = world.call(&ROOT.device("payments")).set("roleSessionName", "payments-1").send().await;

    let (kind, suffix) = answer.error_type().split_once(':').expect("a suffix");
    assert_eq!(kind, "AccessDeniedException");
    assert!(suffix.starts_with("http"), "{suffix}");
}

#[tokio::test]
async fn the_state_can_be_replaced_while_it_runs() {
    let world = World::start().await;
    let mut state = world.admin("state").await;
    state["trust_anchors"][0]["enabled"] = false.into();
    let url = format!("{}/_admin/state", world.url());
    let request = world.client.put(url).header("content-type", "application/json");

    let response = request.body(state.to_string()).send().await.unwrap();

    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    world.refuses(&good(&world).send().await, &crate::expectations::refusal("31")).await;
}

#[tokio::test]
async fn the_log_can_be_cleared() {
    let world = World::start().await;
    good(&world).send().await;

    let response = world.client.delete(format!("{}/_admin/log", world.url())).send().await.unwrap();

    assert!(response.status().is_success());
    assert_eq!(world.admin("log").await, json!([]));
}

#[tokio::test]
async fn a_tls_emulator_gives_sessions_to_those_who_trust_its_ca() {
    let world = World::start_tls().await;

    let session = world.session(&ROOT.device("payments")).await;

    assert!(world.url().starts_with("https://"), "{}", world.url());
    assert_eq!(world.caller_identity(&session).send().await.status, 200);
}

#[tokio::test]
async fn a_tls_emulator_is_not_trusted_without_its_ca() {
    let world = World::start_tls().await;
    let stranger = reqwest::Certificate::from_pem(ROOT.certificate.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([stranger]).build().unwrap();

    let refused = client.get(world.url()).send().await;

    assert!(refused.unwrap_err().is_connect());
}
