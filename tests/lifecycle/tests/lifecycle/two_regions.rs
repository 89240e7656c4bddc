//! Work on trust anchors and denials where one of two regions does not answer.

use harness::{REGION, WEST};
use lifecycle::World;
use serde_json::json;

/// How many calls arrived in a region that is dead.
async fn arrived(world: &World, region: &str) -> usize {
    let log = harness::admin(world.aws.url(), "GET", "log", None).await;
    let entries = log.as_array().cloned().unwrap_or_default();
    entries.iter().filter(|entry| entry["region"] == region && entry["outcome"] == "dropped").count()
}

#[tokio::test]
async fn a_switch_names_the_region_that_does_not_answer_and_does_not_blame_its_bundle() {
    let world = World::in_two_regions().await;
    let root = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", root).await);
    world.ok(world.mount.write("trust-anchors/main/sync", json!({})).await);
    world.dead(Some(WEST));

    let early = world.mount.write("config/issuers", json!({ "default": "second" })).await;
    world.dead(None);
    let behind = world.mount.write("config/issuers", json!({ "default": "second" })).await;
    world.ok(world.mount.write("trust-anchors/west/sync", json!({})).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "second" })).await);

    assert_eq!(early.status, 503, "{early:?}");
    assert!(
        early.error.starts_with("trust-anchors/west in eu-west-1: AWS could not be reached"),
        "{early:?}"
    );
    assert!(
        behind.error.contains("trust-anchors/west does not hold the issuer \"second\" yet"),
        "{behind:?}"
    );
}

#[tokio::test]
async fn revocations_wait_once_for_a_region_that_does_not_answer_and_then_ask_the_other_one_first() {
    let world = World::in_two_regions().await;
    world.ok(world.creds("demo").await);
    world.dead(Some(REGION));

    world.ok(world.mount.write("roles/demo/revoke-sessions", json!({})).await);
    let first = arrived(&world, REGION).await;
    world.ok(world.mount.write("roles/demo/revoke-sessions", json!({})).await);

    assert!(first > 0);
    assert_eq!(arrived(&world, REGION).await, first, "nobody waits for it a second time");
}
