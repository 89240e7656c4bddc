//! Trust anchors kept in sync with the mount's issuers, at an AWS that keeps its own limits.

use harness::{TRUST_ANCHOR_ARN, managed_anchor};
use lifecycle::World;
use serde_json::{Value, json};
use vault_backend::testing::TestResponse;

const SYNC: &str = "trust-anchors/main/sync";

async fn sync(world: &World) -> TestResponse {
    world.mount.write(SYNC, json!({})).await
}

/// Makes another issuer beside the one that signs; the answer.
async fn next(world: &World, name: &str) -> serde_json::Map<String, Value> {
    let root = json!({ "common_name": format!("{name} root"), "issuer_name": name });
    world.ok(world.mount.write("root/generate/internal", root).await)
}

/// A certificate authority that is not ours.
async fn foreign() -> String {
    World::by_hand().await.pem("ca/pem").await
}

#[tokio::test]
async fn an_anchor_that_holds_the_issuer_is_in_sync_and_is_not_written() {
    let world = World::new().await;

    let report = world.ok(sync(&world).await);

    assert_eq!((&report["in_step"], &report["changed"]), (&json!(true), &json!(false)));
    assert_eq!(world.asked("UpdateTrustAnchor").await, 0);
}

#[tokio::test]
async fn a_read_shows_what_would_change_and_changes_nothing() {
    let world = World::new().await;
    next(&world, "second").await;

    let report = world.ok(world.mount.read(SYNC).await);

    assert_eq!((&report["in_step"], &report["changed"]), (&json!(false), &json!(false)));
    assert_eq!(report["added"].as_array().unwrap().len(), 1);
    assert_eq!(world.held().await, 1);
}

#[tokio::test]
async fn the_next_issuer_is_added_and_a_second_write_changes_nothing() {
    let world = World::new().await;
    next(&world, "second").await;

    let first = world.ok(sync(&world).await);
    let again = world.ok(sync(&world).await);

    assert_eq!((&first["changed"], &again["changed"]), (&json!(true), &json!(false)));
    assert_eq!((world.held().await, world.asked("UpdateTrustAnchor").await), (2, 1));
}

#[tokio::test]
async fn an_issuer_that_was_deleted_leaves_the_anchor_and_the_one_that_signs_stays() {
    let world = World::new().await;
    next(&world, "second").await;
    world.ok(sync(&world).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "second" })).await);
    world.ok(world.mount.delete("issuer/first").await);

    let report = world.ok(sync(&world).await);

    assert_eq!(report["removed"].as_array().unwrap().len(), 1, "{report:?}");
    assert_eq!(world.held().await, 1);
    let answer = world.ok(world.creds("demo").await);
    assert!(world.caller(&answer).await.is_ok(), "the issuer that signs is held");
}

#[tokio::test]
async fn a_deleted_issuer_is_known_also_when_the_entry_of_its_anchor_was_written_anew() {
    let world = World::new().await;
    let entry = world.ok(world.mount.read("trust-anchors/main").await);
    next(&world, "second").await;
    world.ok(sync(&world).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "second" })).await);
    world.ok(world.mount.delete("trust-anchors/main").await);
    world.ok(world.mount.delete("issuer/first").await);

    world.ok(world.mount.write("trust-anchors/main", entry.into()).await);
    let report = world.ok(sync(&world).await);

    assert_eq!(report["removed"].as_array().unwrap().len(), 1, "{report:?}");
    assert_eq!((&report["foreign"], world.held().await), (&json!([]), 1));
}

#[tokio::test]
async fn what_somebody_else_put_there_stays_and_is_warned_of() {
    let world = World::new().await;
    world.anchor_holds(&format!("{}{}", world.pem("ca/pem").await, foreign().await)).await;

    let reply = sync(&world).await;

    assert_eq!(world.held().await, 2);
    assert!(
        reply.warnings.iter().any(|warning| warning.contains("not an issuer of this mount")),
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_foreign_certificate_that_leaves_no_room_is_named_and_nothing_is_written() {
    let world = World::new().await;
    world.anchor_holds(&format!("{}{}", world.pem("ca/pem").await, foreign().await)).await;
    next(&world, "second").await;

    let reply = sync(&world).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(
        reply.error.contains("at most 2 certificates, and 1 that this mount did not put there leave no room"),
        "{}",
        reply.error
    );
    assert_eq!(world.asked("UpdateTrustAnchor").await, 0);
}

#[tokio::test]
async fn an_anchor_that_holds_nothing_of_ours_says_that_the_first_time_is_by_hand() {
    let world = World::new().await;
    world.anchor_holds(&format!("{}{}", foreign().await, foreign().await)).await;

    let reply = sync(&world).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    for word in ["management_role_arn of trust-anchors/main", "Untrusted signing certificate", "trust-bundle"]
    {
        assert!(reply.error.contains(word), "no {word} in: {}", reply.error);
    }
}

#[tokio::test]
async fn an_anchor_of_aws_private_ca_is_told_apart() {
    let world = World::new().await;
    let arn = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/0f0f0f0f-1111-4222-8333-444444444444";
    world.change(|state| state["trust_anchors"][0]["acm_pca_arn"] = json!(arn)).await;

    let reply = sync(&world).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.error.contains(arn) && reply.error.contains("trust-bundle"), "{}", reply.error);
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named() {
    for action in ["rolesanywhere:GetTrustAnchor", "rolesanywhere:UpdateTrustAnchor"] {
        let world = World::new().await;
        next(&world, "second").await;
        world.forbid("iamra-trust-anchor", action).await;

        let reply = sync(&world).await;

        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.error.contains(action), "no {action} in: {}", reply.error);
        assert_eq!(world.held().await, 1);
    }
}

#[tokio::test]
async fn an_entry_without_a_management_role_says_how_to_give_it_one() {
    let world = World::by_hand().await;
    let mut entry = managed_anchor();
    entry.as_object_mut().unwrap().remove("management_role_arn");
    world.ok(world.mount.write("trust-anchors/main", entry).await);

    let reply = sync(&world).await;

    assert_eq!(reply.status, 400);
    assert!(
        reply.error.contains("vault patch test/trust-anchors/main management_role_arn=<arn>"),
        "{}",
        reply.error
    );
}

#[tokio::test]
async fn vaults_tick_brings_an_anchor_in_sync_and_then_leaves_it_alone() {
    let world = World::new().await;
    next(&world, "second").await;

    world.mount.periodic().await;
    let looks = world.asked("GetTrustAnchor").await;
    world.mount.periodic().await;

    assert_eq!(world.held().await, 2);
    assert_eq!(world.asked("GetTrustAnchor").await, looks);
}

#[tokio::test]
async fn a_tick_on_a_mount_that_is_going_away_does_nothing() {
    let world = World::new().await;
    next(&world, "second").await;
    world.mount.system.change(|fixed| fixed.tainted = true);

    world.mount.periodic().await;

    assert_eq!((world.held().await, world.asked("GetTrustAnchor").await), (1, 0));
}

#[tokio::test]
async fn an_update_whose_answer_was_lost_is_found_done_by_the_next_call() {
    let world = World::new().await;
    next(&world, "second").await;
    world.ok(world.mount.read(SYNC).await);
    harness::admin(world.aws.url(), "PUT", "knobs", Some(json!({ "lose_reply_next": 4 }))).await;
    let _lost = sync(&world).await;
    harness::admin(world.aws.url(), "PUT", "knobs", Some(json!({ "lose_reply_next": 0 }))).await;

    let report = world.ok(sync(&world).await);

    assert_eq!((&report["in_step"], world.held().await), (&json!(true), 2));
}

#[tokio::test]
async fn one_anchor_belongs_to_one_entry() {
    let world = World::new().await;

    let reply = world.mount.write("trust-anchors/again", managed_anchor()).await;

    assert_eq!(reply.status, 400);
    assert!(
        reply.error.contains(&format!("{TRUST_ANCHOR_ARN} is already managed by trust-anchors/main")),
        "{reply:?}"
    );
    assert_eq!(world.mount.read("trust-anchors/again").await.status, 404);
}

#[tokio::test]
async fn what_a_read_of_an_entry_returns_a_write_takes_and_a_role_of_another_account_is_refused() {
    let world = World::new().await;
    let read = world.ok(world.mount.read("trust-anchors/main").await);

    world.ok(world.mount.write("trust-anchors/main", Value::Object(read.clone())).await);
    let elsewhere = json!({ "check_role_arn": "arn:aws:iam::444455556666:role/check" });
    let reply = world.mount.patch("trust-anchors/main", elsewhere).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.starts_with("check_role_arn: arn:aws:iam::444455556666:role/check"), "{reply:?}");
    assert_eq!(world.ok(world.mount.read("trust-anchors/main").await), read);
}

#[tokio::test]
async fn no_role_may_have_the_subject_of_the_engine_itself() {
    let world = World::new().await;

    let role = json!({ "role_arn": harness::MANAGEMENT_ROLE_ARN, "organization": "iamra-management" });
    let reply = world.mount.write("roles/thief", role).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("reserved for the engine's own calls"), "{reply:?}");
}

#[tokio::test]
async fn a_switch_is_refused_until_every_anchor_holds_the_next_issuer() {
    let world = World::new().await;
    next(&world, "second").await;

    let early = world.mount.write("config/issuers", json!({ "default": "second" })).await;
    world.ok(sync(&world).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "second" })).await);

    assert_eq!(early.status, 400);
    assert!(early.error.contains("trust-anchors/main does not hold the issuer \"second\" yet"), "{early:?}");
    assert!(world.caller(&world.ok(world.creds("demo").await)).await.is_ok());
}

#[tokio::test]
async fn a_switch_by_force_asks_no_anchor() {
    let world = World::new().await;
    next(&world, "second").await;

    world.ok(world.mount.write("config/issuers", json!({ "default": "second", "force": true })).await);

    assert_eq!(world.asked("GetTrustAnchor").await, 0);
}

#[tokio::test]
async fn the_engine_comes_in_by_any_issuer_that_signs_where_the_default_is_disabled_or_gone() {
    for ends in ["disabled", "deleted"] {
        let world = World::new().await;
        let session = world.ok(world.creds("demo").await);
        next(&world, "second").await;
        world.ok(sync(&world).await);
        let forced = json!({ "disabled": true, "force": true });
        world.ok(world.mount.write("issuer/first", forced).await);
        if ends == "deleted" {
            world.ok(world.mount.delete_with("issuer/first", json!({ "force": true })).await);
        }

        let revoked = world.mount.write("roles/demo/revoke-sessions", json!({})).await;
        let synced = sync(&world).await;
        let switched = world.mount.write("config/issuers", json!({ "default": "second" })).await;

        world.ok(revoked);
        world.ok(synced);
        world.ok(switched);
        assert_eq!(world.held().await, 1, "{ends}");
        assert!(world.caller(&session).await.is_err(), "{ends}");
    }
}

#[tokio::test]
async fn a_look_does_not_keep_the_tick_from_taking_out_what_is_retired() {
    let world = World::new().await;
    next(&world, "second").await;
    world.ok(sync(&world).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "second" })).await);
    world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);

    world.ok(world.mount.read(SYNC).await);
    world.mount.periodic().await;

    assert_eq!(world.held().await, 1);
}

#[tokio::test]
async fn a_look_that_failed_is_repeated_at_once_for_a_new_issuer() {
    let world = World::new().await;
    let update = "rolesanywhere:GetTrustAnchor";
    world.forbid("iamra-trust-anchor", update).await;
    world.mount.periodic().await;
    world.permit("iamra-trust-anchor", update).await;
    next(&world, "second").await;

    world.mount.periodic().await;

    assert_eq!(world.held().await, 2);
}

#[tokio::test]
async fn two_ticks_at_once_look_once() {
    let world = World::new().await;

    tokio::join!(world.mount.periodic(), world.mount.periodic());

    assert_eq!(world.asked("GetTrustAnchor").await, 1);
}

#[tokio::test]
async fn an_issuer_that_a_person_put_into_the_anchor_leaves_it_after_it_was_deleted() {
    let world = World::by_hand().await;
    next(&world, "second").await;
    world.anchor_holds(&world.pem("trust-bundle").await).await;
    world.ok(world.mount.write("trust-anchors/main", managed_anchor()).await);
    world.ok(sync(&world).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "second" })).await);
    world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);
    world.ok(world.mount.delete("issuer/first").await);

    let report = world.ok(sync(&world).await);

    assert_eq!((report["removed"].as_array().unwrap().len(), world.held().await), (1, 1), "{report:?}");
}

#[tokio::test]
async fn an_issuer_reads_with_the_fingerprint_that_sync_shows_and_rotation_with_what_was_seen() {
    let world = World::new().await;
    next(&world, "second").await;
    let before = world.ok(world.mount.read("rotation").await)["next_step"].clone();

    let synced = world.ok(world.mount.write("trust-anchors/main/sync", json!({})).await);
    let after = world.ok(world.mount.read("rotation").await)["next_step"].clone();

    let sum = world.ok(world.mount.read("issuer/second").await)["sha256_fingerprint"].clone();
    assert_eq!(synced["added"], json!([sum]));
    assert!(
        before.as_str().unwrap().starts_with("let every trust anchor hold trust_bundle, then"),
        "{before}"
    );
    assert!(
        after.as_str().unwrap().starts_with("every trust anchor was seen with trust_bundle, then"),
        "{after}"
    );
}
