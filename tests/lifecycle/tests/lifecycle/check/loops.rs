//! Looks at AWS again and again: what they cost the account, and whom they hold up.

use aws_emulator::Knobs;
use futures_util::future::join_all;
use harness::ROLE_ARN;
use lifecycle::World;
use serde_json::{Value, json};
use vault_backend::testing::TestResponse;

use super::{check, healthy, text};

const SYNC: &str = "trust-anchors/main/sync";

/// Lets a test look often without waiting for the rate.
async fn quick() -> World {
    let world = healthy().await;
    limit(&world, 1000).await;
    world
}

async fn limit(world: &World, rate: u32) {
    let mut config = world.config();
    config["rate_limit"] = json!(rate);
    config["rate_burst"] = json!(rate);
    world.ok(world.mount.write("config", config).await);
}

async fn sync(world: &World) -> TestResponse {
    world.mount.write(SYNC, json!({})).await
}

fn deny_all() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "*", "Resource": "*" }] })
}

#[tokio::test]
async fn checks_in_a_row_make_the_engine_one_session_of_its_own() {
    let world = quick().await;

    for _ in 0..5 {
        assert_eq!(check(&world).await["broken"], json!([]));
    }

    assert_eq!(world.asked("CreateSession").await, 5 + 1);
    assert_eq!(world.asked("GetTrustAnchor").await, 5, "what is seen is looked at anew");
}

#[tokio::test]
async fn what_aws_refused_the_engine_is_not_asked_by_each_check() {
    let world = quick().await;
    world
        .change(|state| {
            lifecycle::role_of(state, "iamra-check")["trust_policy"]["Statement"] = json!([]);
        })
        .await;

    for _ in 0..5 {
        assert!(
            text(&check(&world).await, "07_trust_anchor").starts_with("ok: CreateSession succeeded through")
        );
    }

    assert_eq!(world.asked("CreateSession").await, 5 + 1);
}

#[tokio::test]
async fn a_session_of_the_engines_that_somebody_denied_is_used_by_one_check_at_most() {
    let world = quick().await;
    check(&world).await;
    world.put_policy("iamra-check", "locked", deny_all()).await;

    let denied = check(&world).await;
    check(&world).await;

    assert!(text(&denied, "11_trust_policy").contains("was not checked"), "{denied:?}");
    assert_eq!(world.asked("CreateSession").await, 3 + 2);
}

#[tokio::test]
async fn a_caller_who_gets_no_session_by_the_role_costs_none() {
    let world = quick().await;
    world.ok(world.mount.patch("roles/demo", json!({ "common_name": "{{identity.entity.name}}" })).await);
    let calls = world.aws.log().len();

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["03_certificate"]), "{answer:?}");
    assert!(text(&answer, "07_trust_anchor").contains("AWS was not asked"), "{answer:?}");
    assert_eq!(text(&answer, "05_endpoint"), "not checked: an earlier link is broken");
    assert_eq!(world.aws.log().len(), calls);
}

#[tokio::test]
async fn more_checks_at_once_than_a_few_are_told_to_come_later() {
    let world = quick().await;

    let replies = join_all((0..6).map(|_| world.mount.read("check/demo"))).await;

    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503, 503, 503]);
    let later = replies.iter().find(|reply| reply.status == 503).unwrap();
    assert!(later.error.contains("2 checks are under way") && later.error.contains("ask again"), "{later:?}");
}

#[tokio::test]
async fn a_loop_of_checks_has_no_reader_wait_and_aws_throttle_nobody() {
    let world = healthy().await;
    world.aws.set_knobs(Knobs { max_tps: Some(10), ..Knobs::default() });
    let names = ["a", "b", "c", "d"];
    for name in names {
        let role = json!({ "role_arn": ROLE_ARN, "common_name": "demo" });
        world.ok(world.mount.write(&format!("roles/{name}"), role).await);
    }
    let looping = async {
        loop {
            join_all((0..3).map(|_| world.mount.read("check/demo"))).await;
        }
    };
    let readers = async {
        world.asked_beyond("CreateSession", 11).await;
        join_all(names.map(|name| world.creds(name))).await
    };

    let replies = tokio::select! {
        () = looping => unreachable!("it has no end"),
        replies = readers => replies,
    };

    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(throttled(&world).await, 0);
}

/// How many calls AWS throttled.
async fn throttled(world: &World) -> usize {
    let log = harness::admin(world.aws.url(), "GET", "log", None).await;
    log.as_array().unwrap().iter().filter(|entry| entry["status"] == 429).count()
}

#[tokio::test]
async fn looks_at_an_anchor_share_a_session_until_its_bundle_changes() {
    let world = quick().await;
    for _ in 0..3 {
        world.ok(world.mount.read(SYNC).await);
    }
    let looked = world.asked("CreateSession").await;
    let root = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", root).await);

    let changed = world.ok(sync(&world).await);
    let wrote = world.asked("CreateSession").await;
    world.ok(world.mount.read(SYNC).await);

    assert_eq!(changed["changed"], json!(true), "{changed:?}");
    assert_eq!((looked, wrote, world.asked("CreateSession").await), (1, 1, 2));
}

#[tokio::test]
async fn what_ends_sessions_is_dated_by_a_session_of_its_own_each_time() {
    let world = quick().await;
    let answers = [(); 2].map(|()| world.mount.write("roles/demo/revoke-sessions", json!({})));
    for answer in answers {
        world.ok(answer.await);
    }

    assert_eq!(world.asked("CreateSession").await, 2);
}

#[tokio::test]
async fn what_ends_sessions_waits_for_no_crowd_of_readers() {
    let world = healthy().await;
    limit(&world, 1).await;
    for number in 0..30 {
        // of an IAM role whose sessions do not end: whether AWS knows it makes no difference to its turns
        let role = json!({ "role_arn": "arn:aws:iam::111122223333:role/crowd", "common_name": "demo" });
        world.ok(world.mount.write(&format!("roles/crowd-{number}"), role).await);
    }
    let crowd = async {
        let paths: Vec<String> = (0..30).map(|number| format!("creds/crowd-{number}")).collect();
        join_all(paths.iter().map(|path| world.mount.read(path))).await
    };

    let ended = tokio::select! {
        replies = crowd => panic!("the crowd was served first: {}", replies.len()),
        ended = world.mount.write("roles/demo/revoke-sessions", json!({})) => ended,
    };

    assert_eq!(ended.status, 200, "{ended:?}");
}
