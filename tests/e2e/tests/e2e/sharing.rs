//! Sessions that callers share because they are equal at AWS: who gets which session, when it ends, and what is served while AWS is away.

use std::time::Duration;

use e2e::users::Users;
use e2e::{refused_write, short_sessions};
use harness::{Api, Reply, until};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

/// Under a rate of one a second, and under the patience of `creds`.
const CALLERS: usize = 8;
const SOON: Duration = Duration::from_secs(60);
const CREDS: &str = "iamra/creds/app";
const CONTAINER: &str = "iamra/container/app";

async fn creds(api: &Api) -> Reply {
    api.read(CREDS).await.ok()
}

fn key(answer: &Reply) -> String {
    let data = &answer.body["data"]["access_key"];
    data.as_str().or(answer.body["AccessKeyId"].as_str()).expect("an access key").to_owned()
}

/// What was left, at a moment, of the session that an answer holds: seconds.
fn left(answer: &Reply, at: OffsetDateTime) -> f64 {
    let leased = &answer.body["data"]["expiration"];
    let text = leased.as_str().or(answer.body["Expiration"].as_str()).expect("an expiration");
    let end = OffsetDateTime::parse(text, &Rfc3339).expect("RFC 3339");
    (end - at).as_seconds_f64()
}

fn now() -> OffsetDateTime {
    #[expect(clippy::disallowed_methods, reason = "stories that live through the end of a session")]
    OffsetDateTime::now_utc()
}

/// Waits until this number of reads wait for a session.
async fn waiting(users: &Users, reads: usize) {
    let line = format!("iamra_callers_waiting {reads}");
    until(&format!("{reads} reads that wait"), SOON, async || {
        let metrics = users.stage.root().read("iamra/metrics").await.ok().text;
        metrics.lines().any(|metric| metric == line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_reads_of_one_identity_share_one_create_session_and_two_identities_never_do() {
    let users = Users::new().await;
    let (ann, ann_again, bob) =
        (users.login("ann").await, users.login("ann").await, users.login("bob").await);

    let (first, second, other) = (creds(&ann).await, creds(&ann_again).await, creds(&bob).await);

    assert_eq!(key(&first), key(&second));
    assert_ne!(key(&first), key(&other));
    assert_eq!((first.string("source_identity"), other.string("source_identity")), ("CN=ann", "CN=bob"));
    assert_eq!(key(&first), key(&ann.read(CONTAINER).await.ok()), "the document has the same session");
    assert_eq!(users.calls().await, 2);
}

#[tokio::test]
async fn a_crowd_of_one_identity_waits_for_one_flight() {
    let users = Users::new().await;
    let ann = users.login("ann").await;
    users.stage.knobs(json!({ "latency_ms": 500 })).await;

    let answers = tokio::join!(creds(&ann), creds(&ann), creds(&ann), creds(&ann));

    let keys = [&answers.0, &answers.1, &answers.2, &answers.3].map(key);
    assert!(keys.iter().all(|other| *other == keys[0]), "{keys:?}");
    assert_eq!(users.calls().await, 1);
}

#[tokio::test]
async fn a_role_that_shares_with_nobody_makes_a_session_for_each_read() {
    let users = Users::new().await;
    users.write_role(json!({ "session_sharing": "none" })).await;
    let ann = users.login("ann").await;

    let (first, second) = (creds(&ann).await, creds(&ann).await);

    assert_ne!(key(&first), key(&second));
    assert_eq!(users.calls().await, 2);
}

#[tokio::test]
async fn a_subject_that_is_the_same_for_all_is_shared_only_where_the_role_says_so() {
    let users = Users::new().await;
    let shown = async || users.stage.root().read("iamra/preview/app").await.ok();
    users.write_role(json!({ "common_name": "app" })).await;
    let (ann, bob) = (users.login("ann").await, users.login("bob").await);

    let apart = (creds(&ann).await, creds(&bob).await);
    let unasked = shown().await;
    users.write_role(json!({ "common_name": "app", "session_sharing": "identity" })).await;
    let together = (creds(&ann).await, creds(&bob).await);

    assert_ne!(key(&apart.0), key(&apart.1));
    assert_eq!(unasked.string("session_sharing"), "none");
    assert_eq!(key(&together.0), key(&together.1));
}

#[tokio::test]
async fn a_role_written_again_keeps_its_sessions_and_a_changed_one_ends_them() {
    let users = Users::new().await;
    let ann = users.login("ann").await;
    let first = creds(&ann).await;
    let read = users.stage.root().read("iamra/roles/app").await.ok();

    users.write_role(json!({})).await;
    let _ = users.stage.root().write("iamra/roles/app", Value::Object(read.data().clone())).await.ok();
    let kept = creds(&ann).await;
    users.write_role(json!({ "organization": "payments" })).await;
    let made_anew = creds(&ann).await;

    assert!(!read.data().contains_key("session_sharing"), "nobody wrote it: {}", read.text);
    assert_eq!(key(&first), key(&kept));
    assert_ne!(key(&first), key(&made_anew));
}

#[tokio::test]
async fn a_config_with_another_rate_keeps_sessions_and_one_with_another_aws_ends_them() {
    let users = Users::new().await;
    let ann = users.login("ann").await;
    let first = creds(&ann).await;

    users.configure(json!({ "rate_limit": 20, "request_timeout": 5 })).await;
    let kept = creds(&ann).await;
    users.configure(json!({ "allowed_role_arns": ["arn:aws:iam::*"] })).await;
    let made_anew = creds(&ann).await;

    assert_eq!(key(&first), key(&kept));
    assert_ne!(key(&first), key(&made_anew));
}

#[tokio::test]
async fn another_default_issuer_ends_the_sessions_of_the_one_before() {
    let users = Users::new().await;
    let root = users.stage.root();
    let (ann, before) = (users.login("ann").await, users.stage.ca_pem("iamra").await);
    let first = creds(&ann).await;
    let next = json!({ "common_name": "next", "issuer_name": "next" });
    let next = root.write("iamra/root/generate/internal", next).await.ok();
    let kept = creds(&ann).await;
    users.stage.trust(&format!("{before}{}", next.string("certificate"))).await;

    let _ = root.write("iamra/config/issuers", json!({ "default": "next" })).await.ok();
    let made_anew = creds(&ann).await;

    assert_eq!(key(&first), key(&kept), "an issuer more changes nothing");
    assert_ne!(key(&first), key(&made_anew));
}

#[tokio::test]
async fn while_aws_is_away_an_old_session_is_served_until_a_third_is_left_and_not_longer() {
    const WHOLE: f64 = 24.0;
    let users = Users::new().await;
    short_sessions(&users.stage, 24).await;
    let ann = users.login("ann").await;
    let first = ann.read(CONTAINER).await.ok();
    users.stage.knobs(json!({ "fail_next": { "count": 100_000, "status": 503 } })).await;

    let mut last = f64::INFINITY;
    let refused = until("the end of it", SOON, async || {
        let asked = now();
        let reply = ann.read(CONTAINER).await;
        if reply.status != 200 {
            return Some(reply);
        }
        assert_eq!(key(&reply), key(&first));
        last = left(&reply, asked);
        tokio::time::sleep(Duration::from_millis(100)).await;
        None
    })
    .await;

    let unserved = left(&first, now());
    assert!(last < WHOLE, "it was served at first");
    assert!(last > WHOLE / 3.0 - 0.5, "{last} s were left when it was served at last");
    assert!(unserved < WHOLE / 3.0 + 1.5, "{unserved} s were left when it was not");
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("AwsUnavailable")));
    let old =
        users.stage.vault.logged("the warning", |line| line.raw.contains("served an old session")).await;
    assert_eq!((old.level.as_str(), &old.fields["path"]), ("warn", &json!("container/app")), "{}", old.raw);
    users.stage.knobs(json!({})).await;
    until("a new session", SOON, async || {
        Some(ann.read(CONTAINER).await).filter(|reply| reply.status == 200 && key(reply) != key(&first))
    })
    .await;
}

#[tokio::test]
async fn creds_warn_when_an_old_session_is_all_there_is() {
    let users = Users::new().await;
    short_sessions(&users.stage, 60).await;
    let ann = users.login("ann").await;
    let first = creds(&ann).await;
    users.stage.knobs(json!({ "fail_next": { "count": 100_000, "status": 503 } })).await;

    let (warned, left) = until("its half-life", SOON, async || {
        let asked = now();
        let answer = ann.read(CREDS).await.ok();
        let is_warned = answer.warnings().iter().any(|text| text.contains("AWS gave no new one"));
        is_warned.then(|| (left(&answer, asked), answer)).map(|(left, answer)| (answer, left))
    })
    .await;

    assert_eq!(key(&warned), key(&first));
    assert!(
        warned.warnings().iter().any(|text| text.contains("AWS could not be reached")),
        "{}",
        warned.text
    );
    let lease = warned.body["lease_duration"].as_f64().unwrap();
    assert!(1.0 <= lease && lease <= left / 2.0, "{lease} s are no more than half of the {left} s left");
}

#[tokio::test]
async fn an_impatient_callers_session_is_renewed_at_its_half_life_without_being_asked() {
    let users = Users::new().await;
    short_sessions(&users.stage, 24).await;
    let ann = users.login("ann").await;
    let first = ann.read(CONTAINER).await.ok();

    users.called(2).await;

    let (second, left) = until("the renewed session", SOON, async || {
        let asked = now();
        let reply = ann.read(CONTAINER).await.ok();
        (key(&reply) != key(&first)).then(|| (left(&reply, asked), reply)).map(|(left, reply)| (reply, left))
    })
    .await;
    assert_ne!(key(&second), key(&first));
    assert!(left > 12.0, "{left} s are left of a fresh one");
    users.stage.vault.logged("the renewal", |line| line.raw.contains("renewed a session")).await;
}

#[tokio::test]
async fn a_throttled_sdk_learns_when_to_ask_again_and_a_reader_that_waits_is_served() {
    let users = Users::new().await;
    let (ann, bob) = (users.login("ann").await, users.login("bob").await);
    users.stage.knobs(json!({ "throttle_next": 1 })).await;

    let (hinted, served) = tokio::join!(ann.read(CONTAINER), async {
        users.called(1).await;
        bob.read(CREDS).await
    });

    // a stalled machine may be slower than an SDK waits
    let codes = [Some("ThrottlingException"), Some("AwsUnavailable")];
    assert!(hinted.status == 503 && codes.contains(&hinted.body["code"].as_str()), "{}", hinted.text);
    assert!(hinted.body["message"].as_str().unwrap().contains("ask again in"), "{}", hinted.text);
    assert_eq!(served.ok().string("source_identity"), "CN=bob");
    until("the session that was asked for", SOON, async || {
        Some(ann.read(CONTAINER).await).filter(|reply| reply.status == 200)
    })
    .await;
}

#[tokio::test]
async fn under_the_rate_limit_callers_take_turns_and_an_sdk_learns_when_to_ask_again() {
    let users = Users::new().await;
    users.configure(json!({ "rate_limit": 1, "rate_burst": 1 })).await;
    let sdk = users.login("sdk").await;
    let mut crowd = Vec::new();
    for number in 0..CALLERS {
        crowd.push(users.login(&format!("caller-{number}")).await);
    }

    // their turns take longer than it takes even a slow machine to ask once more
    let mut callers = JoinSet::new();
    for caller in crowd {
        callers.spawn(async move { caller.read(CREDS).await });
    }
    users.called(1).await;
    let hinted = sdk.read(CONTAINER).await;

    let answers = callers.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!((hinted.status, hinted.body["code"].as_str()), (503, Some("RateLimited")), "{}", hinted.text);
    until("the turn of the SDK that got the hint", SOON, async || {
        Some(sdk.read(CONTAINER).await).filter(|reply| reply.status == 200)
    })
    .await;
    assert_eq!(users.calls().await, CALLERS + 1, "nobody asks twice");
}

#[tokio::test]
async fn a_client_that_hangs_up_takes_nobodys_session_away() {
    let users = Users::new().await;
    let (ann, twin) = (users.login("ann").await, users.login("ann").await);
    users.stage.knobs(json!({ "latency_ms": 3000 })).await;
    let reading = tokio::spawn(async move { ann.read(CREDS).await });
    let twins = tokio::spawn(async move { twin.read(CREDS).await });
    waiting(&users, 2).await;

    reading.abort();

    let _ = twins.await.unwrap().ok();
    assert_eq!(users.calls().await, 1);
}

#[tokio::test]
async fn what_a_client_asked_for_before_it_hung_up_is_there_for_the_next() {
    let users = Users::new().await;
    let (ann, twin) = (users.login("ann").await, users.login("ann").await);
    users.stage.knobs(json!({ "latency_ms": 6000 })).await;
    let reading = tokio::spawn(async move { ann.read(CREDS).await });
    waiting(&users, 1).await;
    reading.abort();
    assert!(reading.await.is_err(), "it hung up before its answer");

    users.called(1).await;
    let _ = creds(&twin).await;

    assert_eq!(users.calls().await, 1);
}

#[tokio::test]
async fn a_static_answer_has_no_lease_and_says_when_to_read_again() {
    let users = Users::new().await;
    users.write_role(json!({ "lease": "static" })).await;
    let ann = users.login("ann").await;

    let answer = creds(&ann).await;

    assert_eq!(
        (answer.body["lease_id"].as_str(), answer.body["lease_duration"].as_u64()),
        (Some(""), Some(0))
    );
    let data = answer.data();
    let ttl = data["ttl"].as_u64().unwrap();
    assert!((1600..=2000).contains(&ttl), "half of an hour, ten percent sooner or later: {ttl}");
    assert_eq!(data["rotation_period"], 1800);
    assert!(OffsetDateTime::parse(answer.string("last_vault_rotation"), &Rfc3339).is_ok());
    let leases = users.stage.root().list("sys/leases/lookup/iamra").await;
    assert_eq!(leases.status, 404, "{}", leases.text);
}

#[tokio::test]
async fn a_static_answer_that_is_read_when_it_says_so_is_a_new_session() {
    let users = Users::new().await;
    short_sessions(&users.stage, 10).await;
    users.write_role(json!({ "lease": "static" })).await;
    let ann = users.login("ann").await;
    let first = creds(&ann).await;
    let ttl = first.data()["ttl"].as_u64().unwrap();

    tokio::time::sleep(Duration::from_secs(ttl)).await;
    let second = creds(&ann).await;

    assert!(ttl >= 1);
    assert_ne!(key(&first), key(&second));
}

#[tokio::test]
async fn a_cache_for_one_session_keeps_the_last_one() {
    let users = Users::new().await;
    users.configure(json!({ "max_cached_sessions": 1 })).await;
    let (ann, bob) = (users.login("ann").await, users.login("bob").await);

    let anns = (creds(&ann).await, creds(&ann).await);
    let bobs = creds(&bob).await;
    let again = creds(&ann).await;

    assert_eq!(key(&anns.0), key(&anns.1));
    assert_eq!(again.string("source_identity"), "CN=ann");
    assert_ne!(key(&again), key(&anns.0), "it had to go for {}", key(&bobs));
}

#[tokio::test]
async fn a_length_of_the_callers_choice_is_a_session_of_its_own() {
    let users = Users::new().await;
    users.write_role(json!({ "allow_caller_ttl": true })).await;
    let ann = users.login("ann").await;

    let usual = creds(&ann).await;
    let short = ann.write(CREDS, json!({ "ttl": "15m" })).await.ok();
    let shared = ann.write(CREDS, json!({ "ttl": 850 + 50 })).await.ok();

    assert_ne!(key(&usual), key(&short));
    assert_eq!(key(&short), key(&shared));
    assert!(short.data()["ttl"].as_u64().unwrap() <= 900);
}

#[tokio::test]
async fn each_read_of_a_shared_session_is_joined_to_it_by_a_line() {
    let users = Users::new().await;
    let ann = users.login("ann").await;
    let first = creds(&ann).await;
    let serial = first.string("serial_number").to_owned();

    let second = creds(&ann).await;
    let _ = ann.read(CONTAINER).await.ok();

    let of_path = async |path: &str| {
        let wanted = |line: &harness::LogLine| {
            line.raw.contains("served a shared session") && line.fields.get("path") == Some(&json!(path))
        };
        users.stage.vault.logged(path, wanted).await
    };
    let (leased, raw) = (of_path("creds/app").await, of_path("container/app").await);
    assert_eq!((leased.level.as_str(), raw.level.as_str()), ("debug", "info"));
    assert_eq!(leased.fields["request_id"], second.body["request_id"], "{}", leased.raw);
    for line in [leased, raw] {
        assert_eq!(line.fields["serial"], json!(serial), "{}", line.raw);
        assert_eq!(line.fields["source_identity"], json!("CN=ann"), "{}", line.raw);
        assert_eq!(line.fields["mount"], json!("iamra/"), "{}", line.raw);
    }
}

#[tokio::test]
async fn bounds_that_would_stop_everything_are_refused() {
    let users = Users::new().await;
    let root = users.stage.root();

    for field in [
        "rate_limit",
        "rate_burst",
        "assume_role_rate_limit",
        "assume_role_rate_burst",
        "max_cached_sessions",
    ] {
        for value in [0, -1] {
            refused_write(root, "iamra/config", json!({ field: value }), &[field, &value.to_string()]).await;
        }
    }
    let body = json!({ "role_arn": harness::ROLE_ARN, "session_sharing": "everybody" });
    refused_write(root, "iamra/roles/app", body, &["session_sharing", "identity"]).await;
    let body = json!({ "role_arn": harness::ROLE_ARN, "lease": "forever" });
    refused_write(root, "iamra/roles/app", body, &["lease", "static"]).await;
    let read = root.read("iamra/config").await.ok();
    assert_eq!(
        (&read.data()["rate_limit"], &read.data()["rate_burst"], &read.data()["max_cached_sessions"]),
        (&json!(8), &json!(8), &json!(20_000))
    );
}
