//! A compromise where one of two regions does not answer: it is over when the slowest one has dropped the issuer.

use harness::{REGION, WEST, in_the_west};
use lifecycle::World;
use serde_json::{Map, Value, json};

use super::{COMPLETE, SETTLING, minutes_pass, report, respond};

/// A world of two regions whose anchors hold `first` and the next issuer, and whose second region is dead.
async fn without_the_west() -> World {
    let world = World::in_two_regions().await;
    let root = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", root).await);
    for name in ["main", "west"] {
        world.ok(world.mount.write(&format!("trust-anchors/{name}/sync"), json!({})).await);
    }
    world.dead(Some(WEST));
    world
}

/// How many certificates the anchor of the second region holds.
async fn held_in_the_west(world: &World) -> usize {
    let state = world.state().await;
    state["regions"][WEST]["trust_anchors"][0]["certificates_pem"].as_str().unwrap().matches("BEGIN").count()
}

async fn force(world: &World) -> Map<String, Value> {
    respond(world, json!({ "force": true })).await
}

#[tokio::test]
async fn nothing_is_switched_while_a_region_is_dead_unless_it_is_forced() {
    let world = without_the_west().await;
    let session = world.ok(world.creds("demo").await);

    let waiting = respond(&world, json!({})).await;
    let lives = world.caller(&session).await.is_ok();
    let forced = force(&world).await;

    let steps = report(&waiting);
    assert_eq!((&waiting["state"], lives), (&json!("incomplete"), true), "{steps}");
    assert!(steps.contains("trust-anchors/west in eu-west-1: AWS could not be reached"), "{steps}");
    assert!(steps.contains("failed: switch: not begun"), "{steps}");
    assert_eq!(forced["state"], "incomplete", "{}", report(&forced));
    assert!(world.caller(&session).await.is_err(), "{}", report(&forced));
    let next = world.ok(world.creds("demo").await);
    assert_eq!(next["region"], REGION);
}

#[tokio::test]
async fn the_anchor_that_keeps_a_compromise_open_is_named() {
    let world = without_the_west().await;

    let steps = report(&force(&world).await);

    let line = steps.lines().find(|line| line.contains("once more")).unwrap_or_default();
    assert!(line.contains(&in_the_west(harness::TRUST_ANCHOR_ARN)), "{steps}");
    assert!(!line.contains(harness::TRUST_ANCHOR_ARN), "{steps}");
}

#[tokio::test]
async fn vaults_tick_goes_on_with_a_compromise_when_the_region_is_back() {
    let world = without_the_west().await;
    let forced = force(&world).await;
    let session = world.ok(world.creds("demo").await);
    minutes_pass(&world, 6).await;
    world.mount.periodic().await;
    let (dead, lives) = (held_in_the_west(&world).await, world.caller(&session).await.is_ok());

    world.dead(None);
    minutes_pass(&world, 6).await;
    world.mount.periodic().await;
    let back = (held_in_the_west(&world).await, world.caller(&session).await.is_ok());
    let session = world.ok(world.creds("demo").await);
    minutes_pass(&world, 16).await;
    world.mount.periodic().await;

    assert!(forced["again_at"].is_string(), "{forced:?}");
    assert_eq!((dead, lives), (2, true), "nobody's session ends in vain");
    assert_eq!(back, (1, false), "the key could make sessions until the region dropped it");
    assert!(world.caller(&session).await.is_err(), "and for some minutes more");
    assert_eq!(respond(&world, json!({})).await["state"], COMPLETE);
}

#[tokio::test]
async fn a_role_of_the_living_region_alone_is_not_ended_by_each_look_at_the_dead_one() {
    let world = without_the_west().await;
    let alone = json!({
        "role_arn": harness::ROLE_ARN, "trust_anchor_arn": harness::TRUST_ANCHOR_ARN, "profile_arn": harness::PROFILE_ARN,
    });
    world.ok(world.mount.write("roles/demo", alone).await);
    world.ok(world.mount.patch("config", json!({
        "default_trust_anchor_arn": harness::TRUST_ANCHOR_ARN, "default_profile_arn": harness::PROFILE_ARN,
    })).await);
    force(&world).await;
    let session = world.ok(world.creds("demo").await);

    minutes_pass(&world, 6).await;
    world.mount.periodic().await;
    let lives = world.caller(&session).await.is_ok();
    minutes_pass(&world, 11).await;
    world.mount.periodic().await;

    assert!(lives && world.caller(&session).await.is_err());
    world.dead(None);
    let answer = respond(&world, json!({})).await;
    assert!([COMPLETE, SETTLING].map(Value::from).contains(&answer["state"]), "{}", report(&answer));
}
