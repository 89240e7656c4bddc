//! `check` of a role with two regions: what is wrong in the second one is named with the region.

use aws_emulator::Knobs;
use harness::{PROFILE_ARN, REGION, ROLE_ARN, TRUST_ANCHOR_ARN};
use lifecycle::{World, role_of};
use serde_json::{Value, json};

use super::{check, text, tighten};

const WEST: &str = "eu-west-1";

fn in_the_west(arn: &str) -> String {
    arn.replace(REGION, WEST)
}

/// The account has the same anchor and profile in the west, the IAM role admits both anchors, and `roles/demo` names both.
async fn two_places() -> World {
    let world = World::new().await;
    tighten(&world).await;
    world
        .change(|state| {
            state["regions"] =
                json!({ WEST: { "trust_anchors": state["trust_anchors"], "profiles": state["profiles"] } });
            let admitted = json!([TRUST_ANCHOR_ARN, in_the_west(TRUST_ANCHOR_ARN)]);
            role_of(state, "demo")["trust_policy"]["Statement"][0]["Condition"]["ArnEquals"]
                ["aws:SourceArn"] = admitted;
        })
        .await;
    let both = |arn: &str| format!("{arn},{}", in_the_west(arn));
    let role = json!({
        "role_arn": ROLE_ARN, "trust_anchor_arn": both(TRUST_ANCHOR_ARN), "profile_arn": both(PROFILE_ARN),
    });
    world.ok(world.mount.write("roles/demo", role).await);
    world
}

fn broken(answer: &serde_json::Map<String, Value>) -> Vec<&str> {
    answer["broken"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn a_healthy_role_of_two_regions_is_ok_in_both() {
    let world = two_places().await;

    let answer = check(&world).await;

    assert!(broken(&answer).is_empty(), "{answer:?}");
    for link in ["04_account_and_region", "05_endpoint", "12_create_session", "13_identity"] {
        assert!(text(&answer, link).starts_with("ok: "), "{link}: {answer:?}");
        assert!(text(&answer, &format!("{link}@{WEST}")).starts_with("ok: "), "{link}: {answer:?}");
    }
    assert!(!answer.contains_key(&format!("01_ca@{WEST}")), "what is the mount's stands once");
    assert!(answer["summary"].as_str().unwrap().starts_with("ok: "), "{}", answer["summary"]);
}

#[tokio::test]
async fn a_trust_policy_that_lacks_the_second_anchor_is_named_with_its_region() {
    let world = two_places().await;
    world
        .change(|state| {
            role_of(state, "demo")["trust_policy"]["Statement"][0]["Condition"]["ArnEquals"]
                ["aws:SourceArn"] = json!(TRUST_ANCHOR_ARN);
        })
        .await;

    let answer = check(&world).await;

    assert!(broken(&answer).contains(&"11_trust_policy@eu-west-1"), "{answer:?}");
    assert!(!broken(&answer).contains(&"11_trust_policy"), "{answer:?}");
    let verdict = text(&answer, "11_trust_policy@eu-west-1");
    assert!(verdict.contains(&in_the_west(TRUST_ANCHOR_ARN)), "{verdict}");
    assert!(answer["summary"].as_str().unwrap().starts_with("broken: "), "{}", answer["summary"]);
}

#[tokio::test]
async fn an_anchor_that_is_not_there_and_a_region_that_is_not_enabled_are_named_with_their_region() {
    let world = two_places().await;
    world.change(|state| state["regions"][WEST]["trust_anchors"] = json!([])).await;
    let without_anchor = check(&world).await;
    let world = two_places().await;
    let unwell = [(WEST.to_owned(), serde_json::from_value(json!({ "not_enabled": true })).unwrap())];
    world.aws.set_knobs(Knobs { regions: unwell.into(), ..Knobs::default() });
    let not_enabled = check(&world).await;

    for answer in [&without_anchor, &not_enabled] {
        let named = broken(answer);
        assert!(!named.is_empty() && named.iter().all(|key| key.ends_with("@eu-west-1")), "{answer:?}");
    }
    assert!(broken(&without_anchor).contains(&"07_trust_anchor@eu-west-1"), "{without_anchor:?}");
}

#[tokio::test]
async fn a_session_of_a_region_whose_clock_is_ahead_is_never_said_to_last_longer_than_it_was_asked_for() {
    let world = two_places().await;
    let knobs = |knobs: Value| serde_json::from_value(knobs).unwrap();
    let regions = [
        (REGION.to_owned(), knobs(json!({ "dead": true }))),
        (WEST.to_owned(), knobs(json!({ "clock_offset_seconds": 120 }))),
    ];
    world.aws.set_knobs(Knobs { regions: regions.into(), ..Knobs::default() });

    let answer = world.ok(world.creds("demo").await);

    assert_eq!(answer["region"], WEST);
    assert!(answer["ttl"].as_u64().unwrap() <= 3600, "{}", answer["ttl"]);
}

#[tokio::test]
async fn a_place_that_refuses_by_policy_is_an_answer_and_the_next_place_is_not_asked() {
    let world = two_places().await;
    world
        .change(|state| {
            role_of(state, "demo")["trust_policy"]["Statement"][0]["Condition"]["ArnEquals"]
                ["aws:SourceArn"] = json!(in_the_west(TRUST_ANCHOR_ARN));
        })
        .await;
    let asked = world.asked("CreateSession").await;

    let refused = world.creds("demo").await;

    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(world.asked("CreateSession").await, asked + 1);
}

#[tokio::test]
async fn with_both_places_down_a_read_says_so_in_time_and_goes_on_when_one_is_back() {
    let world = two_places().await;
    let down = || serde_json::from_value(json!({ "dead": true })).unwrap();
    let both = [(REGION.to_owned(), down()), (WEST.to_owned(), down())];
    world.aws.set_knobs(Knobs { regions: both.into(), ..Knobs::default() });

    let refused = world.creds("demo").await;
    world.aws.set_knobs(Knobs { regions: [(REGION.to_owned(), down())].into(), ..Knobs::default() });
    let answer = harness::until("the place that is back", std::time::Duration::from_secs(60), async || {
        Some(world.creds("demo").await).filter(|reply| reply.status == 200)
    })
    .await;

    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(answer.data["region"], WEST);
}
