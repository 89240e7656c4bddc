use proptest::collection::vec;
use proptest::prelude::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::policy::MAX_SESSION;
use super::*;

const PREFIX: &str = "Owner";
const NOW: OffsetDateTime = datetime!(2026-11-24 15:07:28 UTC);

fn denying(names: &[&str], until: OffsetDateTime) -> Policy {
    let mut policy = Policy::new(PREFIX);
    for name in names {
        policy.deny_session(name, until).unwrap();
    }
    policy
}

#[test]
fn the_break_glass_is_one_statement_that_denies_everything() {
    let mut policy = Policy::new(PREFIX);

    policy.deny_issued_before(datetime!(2026-11-24 15:07:27.5 UTC));

    let text = policy.to_string();
    let statement = r#"{"Version":"2012-10-17","Statement":[{"Sid":"OwnerIssuedBefore","Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-11-24T15:07:28Z"}}}]}"#;
    assert_eq!(text, statement);
    assert_eq!(policy.issued_before(), Some(NOW));
}

#[test]
fn sessions_that_end_within_one_hour_share_a_statement() {
    let mut policy = denying(&["4444", "3333"], datetime!(2026-11-24 15:10 UTC));
    policy.deny_session("5555", datetime!(2026-11-24 15:59:59 UTC)).unwrap();
    policy.deny_session("6666", datetime!(2026-11-24 16:00:01 UTC)).unwrap();

    let text = policy.to_string();

    assert_eq!(text.matches("\"Sid\"").count(), 2, "{text}");
    assert!(text.contains(r#""Sid":"OwnerSessionsUntil20261124T160000Z""#), "{text}");
    assert!(text.contains(r#"{"StringLike":{"aws:userid":["*:3333","*:4444","*:5555"]}}"#), "{text}");
}

#[test]
fn a_source_identity_is_denied_for_sessions_before_a_moment_only() {
    let mut policy = Policy::new(PREFIX);

    policy.deny_source_identity("CN=prod.payments.api", NOW, datetime!(2026-11-25 3:07 UTC)).unwrap();

    let text = policy.to_string();
    assert!(text.contains(r#""Sid":"OwnerSourcesUntil20261125T040000ZBefore20261124T150728Z""#), "{text}");
    assert!(text.contains(r#""DateLessThan":{"aws:TokenIssueTime":"2026-11-24T15:07:28Z"}"#), "{text}");
    assert!(text.contains(r#""StringEquals":{"aws:SourceIdentity":["CN=prod.payments.api"]}"#), "{text}");
}

#[test]
fn every_sid_is_letters_and_digits() {
    let mut policy = denying(&["4444"], NOW);
    policy.deny_issued_before(NOW);
    policy.deny_source_identity("CN=a", NOW, NOW).unwrap();

    let value: serde_json::Value = serde_json::from_str(&policy.to_string()).unwrap();

    let sids: Vec<&str> =
        value["Statement"].as_array().unwrap().iter().map(|one| one["Sid"].as_str().unwrap()).collect();
    assert_eq!(sids.len(), 3);
    assert!(sids.iter().all(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric())), "{sids:?}");
}

#[test]
fn a_name_that_could_match_others_is_refused() {
    for name in ["*", "a*", "ab?", "${aws:userid}", "x", "a b", "", "a:b", "é1"] {
        let mut policy = Policy::new(PREFIX);

        assert!(policy.deny_session(name, NOW).is_err(), "{name:?}");
        assert!(policy.deny_source_identity(name, NOW, NOW).is_err(), "{name:?}");
        assert!(policy.is_empty());
    }
}

#[test]
fn a_document_of_somebody_else_is_not_ours() {
    let aws = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-11-24T15:07:28Z"}}}]}"#;
    for foreign in [aws, "{}", "", "[]", r#"{"Version":"2012-10-17","Statement":{}}"#] {
        assert!(Policy::parse(PREFIX, foreign).is_err(), "{foreign}");
    }
}

#[test]
fn a_document_that_was_changed_by_hand_is_not_ours() {
    let ours = denying(&["3333", "4444"], NOW).to_string();
    let edits = [
        ("\"Deny\"", "\"Allow\""),
        ("\"Action\":\"*\"", "\"Action\":\"s3:*\""),
        ("*:3333", "*3333"),
        ("\"*:3333\",\"*:4444\"", "\"*:4444\",\"*:3333\""),
        ("2012-10-17", "2008-10-17"),
        ("\"Statement\"", "\"Id\":\"x\",\"Statement\""),
        ("160000Z", "163000Z"),
        ("OwnerSessionsUntil", "SessionsUntil"),
        ("\"StringLike\":", "\"Bool\":{\"aws:SecureTransport\":\"true\"},\"StringLike\":"),
    ];
    for (from, to) in edits {
        let changed = ours.replacen(from, to, 1);

        assert_ne!(changed, ours, "{from}");
        assert!(Policy::parse(PREFIX, &changed).is_err(), "{changed}");
    }
    assert!(Policy::parse(PREFIX, &ours).is_ok());
    assert!(Policy::parse("Other", &ours).is_err(), "another program's document");
}

#[test]
fn white_space_and_the_order_of_keys_do_not_make_a_document_foreign() {
    let policy = denying(&["3333"], NOW);
    let value: serde_json::Value = serde_json::from_str(&policy.to_string()).unwrap();

    let pretty = serde_json::to_string_pretty(&value).unwrap();

    assert_eq!(Policy::parse(PREFIX, &pretty), Ok(policy.clone()));
    assert_eq!(size_in_iam(&pretty), policy.size());
}

#[test]
fn the_limit_is_shared_with_the_roles_other_policies() {
    let policy = denying(&["3333"], NOW);
    let room = ROLE_LIMIT - policy.size();

    assert!(policy.would_fit(0) && policy.would_fit(room));
    assert!(!policy.would_fit(room + 1) && !policy.would_fit(usize::MAX));
}

#[test]
fn a_role_of_its_own_has_room_for_two_hundred_serial_numbers() {
    let mut policy = Policy::new(PREFIX);

    for number in 0..200_u128 {
        let hour = Duration::hours(i64::try_from(number % 13).unwrap());
        policy.deny_session(&format!("{:032x}", number << 90), NOW + hour).unwrap();
    }

    assert!(policy.would_fit(0), "{} characters", policy.size());
}

#[test]
fn the_break_glass_outlives_the_longest_session() {
    let mut policy = Policy::new(PREFIX);
    policy.deny_issued_before(NOW);

    assert_eq!(policy.prune(NOW + Duration::hours(12)), 0);
    assert_eq!(policy.prune(NOW + Duration::hours(13)), 1);
    assert!(policy.is_empty());
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    let last = datetime!(9999-12-31 23:59:59.999_999_999 UTC);
    let mut policy = denying(&["3333"], last);
    policy.deny_issued_before(last);
    policy.deny_source_identity("CN=a", datetime!(-9999-01-01 0:00 UTC), last).unwrap();

    assert_eq!(Policy::parse(PREFIX, &policy.to_string()), Ok(policy));
}

fn moment() -> impl Strategy<Value = OffsetDateTime> {
    (0..2_000_000_i64, 0..1_000_000_000_i64)
        .prop_map(|(seconds, nanos)| NOW + Duration::seconds(seconds) + Duration::nanoseconds(nanos))
}

fn name() -> impl Strategy<Value = String> {
    "[a-c0-3+=,.@_-]{2,4}"
}

prop_compose! {
    fn policy()(
        before in proptest::option::of(moment()),
        sessions in vec((name(), moment()), 0..12),
        sources in vec((name(), moment(), moment()), 0..6),
    ) -> Policy {
        let mut policy = Policy::new(PREFIX);
        if let Some(at) = before {
            policy.deny_issued_before(at);
        }
        for (name, until) in &sessions {
            policy.deny_session(name, *until).unwrap();
        }
        for (name, before, until) in &sources {
            policy.deny_source_identity(name, *before, *until).unwrap();
        }
        policy
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(policy in policy()) {
        prop_assert_eq!(Policy::parse(PREFIX, &policy.to_string()), Ok(policy));
    }

    #[test]
    fn pruning_drops_what_is_over_and_nothing_that_lives(policy in policy(), now in moment()) {
        let mut pruned = policy.clone();
        let dropped = pruned.prune(now);

        prop_assert_eq!(pruned.len() + dropped, policy.len());
        for (name, until) in policy.sessions() {
            prop_assert_eq!(pruned.sessions().any(|kept| kept == (name, until)), until > now);
        }
        for (identity, source) in &policy.sources {
            prop_assert_eq!(pruned.sources.get(identity) == Some(source), source.until > now);
        }
        if policy.issued_before().is_some_and(|at| at + MAX_SESSION >= now) {
            prop_assert_eq!(pruned.issued_before(), policy.issued_before());
        }
        prop_assert_eq!(pruned.prune(now), 0);
    }

    #[test]
    fn a_document_is_needed_until_pruning_leaves_nothing_of_it(policy in policy()) {
        prop_assert_eq!(policy.needed_until().is_none(), policy.is_empty());
        let Some(end) = policy.needed_until() else { return Ok(()) };
        let pruned = |now| {
            let mut pruned = policy.clone();
            pruned.prune(now);
            pruned.is_empty()
        };

        prop_assert!(pruned(end) && !pruned(end - Duration::NANOSECOND));
    }

    #[test]
    fn an_entry_is_never_over_before_its_session(name in name(), until in moment()) {
        let mut policy = denying(&[&name], until);

        prop_assert_eq!(policy.prune(until - Duration::NANOSECOND), 0);
    }

    #[test]
    fn merging_takes_everything_in_any_order_and_once(one in policy(), other in policy()) {
        let (mut there, mut back) = (one.clone(), other.clone());
        there.merge(&other);
        back.merge(&one);

        prop_assert_eq!(&there, &back);
        let mut again = there.clone();
        again.merge(&other);
        again.merge(&one);
        prop_assert_eq!(&again, &there);
        prop_assert_eq!(there.issued_before(), one.issued_before().max(other.issued_before()));
        for (name, until) in one.sessions().chain(other.sessions()) {
            prop_assert!(there.sessions().any(|(kept, end)| kept == name && end >= until));
        }
    }

    #[test]
    fn no_text_makes_reading_panic(text in ".{0,80}", policy in policy(), cut in 0..400_usize) {
        let written = policy.to_string();
        let cut = written.get(..cut).unwrap_or_default();

        prop_assert!(Policy::parse(PREFIX, &text).is_err());
        prop_assert!(cut.is_empty() || Policy::parse(PREFIX, cut).is_err() || cut == written);
    }
}
