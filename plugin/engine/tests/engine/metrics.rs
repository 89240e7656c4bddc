//! What `metrics` counts, in process: each number moves by exactly one in its case, and no other that is a total.

#![expect(clippy::float_cmp, reason = "totals and gauges are whole numbers")]

use std::collections::BTreeMap;

use crate::aws::Aws;
use crate::mounts::{ANCHOR, PROFILE, ROLE, on_a_standby, with_ca, with_ca_calling};
use engine::Engine;
use serde_json::{Value, json};
use vault_backend::testing::TestMount;
use vault_backend::{Entity, READ_ONLY};

type Samples = BTreeMap<String, f64>;

/// A mount that calls `aws`, where every caller of `app` is the same and shares.
async fn asking(aws: &Aws) -> TestMount<Engine> {
    let mount = with_ca_calling(aws).await;
    configure(&mount, json!({})).await;
    let role = json!({ "role_arn": ROLE, "session_sharing": "identity" });
    assert_eq!(mount.write("roles/app", role).await.error, "");
    mount
}

async fn configure(mount: &TestMount<Engine>, more: Value) {
    let mut config =
        json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE, "max_retries": 0 });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(mount.write("config", config).await.error, "");
}

async fn text(mount: &TestMount<Engine>) -> String {
    let reply = mount.read("metrics").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    String::from_utf8(reply.raw.unwrap()).unwrap()
}

/// Every sample by its name and labels.
async fn samples(mount: &TestMount<Engine>) -> Samples {
    let text = text(mount).await;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The totals that moved while `container/app` was read, and by how much; the histogram is its count.
async fn moved(mount: &TestMount<Engine>) -> Vec<(String, f64)> {
    let before = samples(mount).await;
    let _ = mount.read("container/app").await;
    let moved = difference(&before, &samples(mount).await);
    assert_attempts_add_up(&moved);
    moved
}

/// Each attempt is counted under one outcome.
fn assert_attempts_add_up(moved: &[(String, f64)]) {
    let sum = |names: &[&str]| -> f64 {
        moved.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, by)| by).sum()
    };
    let outcomes = [
        "sessions_issued_total",
        "create_session_failed_total",
        "create_session_throttled_total",
        "create_session_unreachable_total",
    ];
    assert_eq!(sum(&["create_session_attempts_total"]), sum(&outcomes), "{moved:?}");
}

fn difference(before: &Samples, after: &Samples) -> Vec<(String, f64)> {
    assert!(before.keys().eq(after.keys()), "every series is there from the start");
    let total =
        |name: &str| name.split('{').next().is_some_and(|n| n.ends_with("_total") || n.ends_with("_count"));
    after
        .iter()
        .map(|(name, value)| (without_issuer(&name.replace("iamra_", "")), value - before[name]))
        .filter(|(name, moved)| total(name) && *moved != 0.0)
        .collect()
}

/// A series of the one issuer, whose id is another each time, by its name alone.
fn without_issuer(name: &str) -> String {
    name.split("{issuer_id=").next().unwrap_or_default().to_owned()
}

fn once(names: &[&str]) -> Vec<(String, f64)> {
    names.iter().map(|name| ((*name).to_owned(), 1.0)).collect()
}

#[tokio::test]
async fn a_session_made_is_a_call_an_issue_and_a_new_answer() {
    let aws = Aws::granting();
    let mount = asking(&aws).await;

    let moved = moved(&mount).await;

    let expected = [
        "answer_duration_seconds_count",
        "answers_total{session=\"new\"}",
        "certificates_signed_total",
        "create_session_attempts_total",
        "create_session_duration_seconds_count",
        "sessions_issued_total",
    ];
    assert_eq!(moved, once(&expected));
    assert_eq!((samples(&mount).await["iamra_cache_sessions"], aws.granted()), (1.0, 1));
}

#[tokio::test]
async fn a_session_shared_is_an_answer_and_no_call() {
    let mount = asking(&Aws::granting()).await;
    let _ = mount.read("container/app").await;

    let moved = moved(&mount).await;

    assert_eq!(moved, once(&["answer_duration_seconds_count", "answers_total{session=\"shared\"}"]));
}

#[tokio::test]
async fn a_refusal_is_counted_by_awss_type_and_once() {
    for (kind, counted) in
        [("AccessDeniedException", "AccessDeniedException"), ("BrandNewException", "other")]
    {
        let mount = asking(&Aws::failing(403, kind)).await;

        let first = moved(&mount).await;
        let from_memory = moved(&mount).await;

        let refused = format!("create_session_refused_total{{type=\"{counted}\"}}");
        let expected = [
            "answer_duration_seconds_count",
            "answers_total{session=\"none\"}",
            "certificates_signed_total",
            "create_session_attempts_total",
            "create_session_duration_seconds_count",
            "create_session_failed_total",
            &refused,
        ];
        assert_eq!(first, once(&expected));
        assert_eq!(from_memory, once(&["answer_duration_seconds_count", "answers_total{session=\"none\"}"]));
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_is_counted_and_shows_as_a_pause_without_tokens() {
    let mount = asking(&Aws::failing(429, "ThrottlingException")).await;

    let moved = moved(&mount).await;

    let expected = [
        "answer_duration_seconds_count",
        "answers_total{session=\"none\"}",
        "certificates_signed_total",
        "create_session_attempts_total",
        "create_session_duration_seconds_count",
        "create_session_throttled_total",
    ];
    assert_eq!(moved, once(&expected));
    let now = samples(&mount).await;
    assert_eq!((now["iamra_limiter_paused_places"], now["iamra_limiter_tokens"]), (1.0, 0.0));
    assert!((0.01..=0.75).contains(&now["iamra_limiter_pause_seconds"]), "{now:?}");
    assert_eq!(now["iamra_create_session_queued"], 1.0);
}

#[tokio::test]
async fn an_aws_without_an_answer_is_unreachable() {
    let mount = asking(&Aws::unreachable()).await;

    let moved = moved(&mount).await;

    let expected = [
        "answer_duration_seconds_count",
        "answers_total{session=\"none\"}",
        "certificates_signed_total",
        "create_session_attempts_total",
        "create_session_duration_seconds_count",
        "create_session_unreachable_total",
    ];
    assert_eq!(moved, once(&expected));
}

#[tokio::test]
async fn a_read_that_fails_before_anything_is_asked_counts_nothing() {
    let mount = asking(&Aws::unreachable()).await;
    let before = samples(&mount).await;

    assert_eq!(mount.read("container/nobody").await.status, 400);

    assert_eq!(difference(&before, &samples(&mount).await), []);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_read_shows_and_takes_a_token() {
    let aws = Aws::silent();
    let mount = asking(&aws).await;
    let watching = async {
        aws.is_asked().await;
        samples(&mount).await
    };

    let (_, now) = tokio::join!(mount.read("container/app"), watching);

    assert_eq!((now["iamra_callers_waiting"], now["iamra_create_session_in_flight"]), (1.0, 1.0));
    assert_eq!((now["iamra_limiter_tokens"], now["iamra_limiter_tokens_max"]), (7.0, 8.0));
}

#[tokio::test]
async fn a_full_cache_shows_its_bound_and_what_it_dropped() {
    let aws = Aws::granting();
    let mount = asking(&aws).await;
    configure(&mount, json!({ "max_cached_sessions": 1 })).await;
    let other = json!({ "role_arn": ROLE, "common_name": "other", "session_sharing": "identity" });
    assert_eq!(mount.write("roles/other", other).await.error, "");

    let _ = (mount.read("container/app").await, mount.read("container/other").await);

    let now = samples(&mount).await;
    assert_eq!((now["iamra_cache_sessions"], now["iamra_cache_sessions_max"]), (1.0, 1.0));
    assert_eq!(now["iamra_cache_evictions_total"], 1.0);
}

/// The sample of `name` that has all of these labels.
fn sample(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |series: &str| labels.iter().all(|(key, value)| series.contains(&format!("{key}=\"{value}\"")));
    let mut found =
        samples.iter().filter(|(series, _)| series.starts_with(&format!("{name}{{")) && has(series));
    let (Some((_, value)), None) = (found.next(), found.next()) else {
        panic!("not one {name} with {labels:?} in {samples:?}")
    };
    *value
}

/// Makes another issuer and answers its id.
async fn second_issuer(mount: &TestMount<Engine>) -> String {
    let two = json!({ "common_name": "next", "issuer_name": "two", "ttl": "720h" });
    let reply = mount.write("root/generate/internal", two).await;
    assert_eq!(reply.error, "");
    reply.data["issuer_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn issuers_show_when_they_end_and_which_is_the_default() {
    let mount = with_ca().await;
    let id = second_issuer(&mount).await;

    let now = samples(&mount).await;

    let expiry = |labels: &[_]| sample(&now, "iamra_issuer_expiry_timestamp_seconds", labels);
    #[expect(clippy::disallowed_methods, reason = "a certificate's end is compared with the time")]
    let today = time::OffsetDateTime::now_utc().unix_timestamp();
    let second = expiry(&[("issuer_id", &id), ("issuer", "two"), ("is_default", "false")]);
    let left = second - f64::from(i32::try_from(today).unwrap());
    assert!((left - 720.0 * 3600.0).abs() < 60.0, "{left}");
    assert!(expiry(&[("issuer", "one"), ("is_default", "true")]) > second);
}

#[tokio::test]
async fn an_issuer_that_a_role_names_shows_by_what_it_signs() {
    let aws = Aws::granting();
    let mount = asking(&aws).await;
    let id = second_issuer(&mount).await;
    assert_eq!(mount.patch("roles/app", json!({ "issuer_ref": "two" })).await.error, "");

    let _ = mount.read("container/app").await;

    let now = samples(&mount).await;
    let signed = |labels: &[_]| sample(&now, "iamra_certificates_signed_total", labels);
    assert_eq!((signed(&[("issuer_id", &id), ("issuer", "two")]), signed(&[("issuer", "one")])), (1.0, 0.0));
}

#[tokio::test]
async fn a_leaf_that_the_ca_would_refuse_takes_no_turn_at_aws() {
    let aws = Aws::granting();
    let metadata = [("uri".to_owned(), "no scheme".to_owned())].into();
    let who = Entity { id: "1".to_owned(), name: "e".to_owned(), metadata, ..Entity::default() };
    let mount = asking(&aws).await.asked_by(who);
    let uri = json!({ "uri_sans": "{{identity.entity.metadata.uri}}" });
    assert_eq!(mount.patch("roles/app", uri).await.error, "");
    let before = samples(&mount).await;

    for _ in 0..4 {
        let reply = mount.read("creds/app").await;
        assert!(reply.status == 400 && reply.error.starts_with("uri_sans: \"no scheme\""), "{reply:?}");
    }

    let after = samples(&mount).await;
    assert_eq!(difference(&before, &after), []);
    assert_eq!((after["iamra_limiter_tokens"], aws.granted()), (8.0, 0));
}

#[tokio::test]
async fn nothing_of_a_caller_a_role_or_aws_is_in_the_text() {
    let mount = asking(&Aws::granting()).await;
    let _ = mount.read("container/app").await;

    let text = text(&mount).await;

    for secret in ["arn:", "111122223333", "\"app\"", "ASIA", "IQoJ", "wJalr", "eu-central-1"] {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}

#[tokio::test]
async fn a_mount_without_a_ca_has_metrics_too() {
    let text = text(&crate::mounts::mount().await).await;

    assert!(text.contains("iamra_build_info{version=\"") && text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn every_total_says_that_it_begins_with_the_process() {
    let text = text(&with_ca().await).await;

    let kinds: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let counting: Vec<_> =
        kinds.iter().filter(|kind| kind.ends_with(" counter") || kind.ends_with(" histogram")).collect();
    assert!(counting.len() > 8, "{text}");
    for name in counting.iter().map(|kind| kind.split(' ').next().unwrap()) {
        let help = text.lines().find(|line| line.starts_with(&format!("# HELP {name} "))).unwrap();
        assert!(help.contains("since the process began"), "{help}");
    }
}

#[tokio::test]
async fn a_standby_has_the_active_node_answer() {
    let reply = on_a_standby().await.read("metrics").await;

    assert_eq!(reply.error, READ_ONLY);
}
