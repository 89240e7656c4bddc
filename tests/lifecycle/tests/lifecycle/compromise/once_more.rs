//! Sessions end once more when AWS has forgotten the key, by a call or by Vault's tick.

use aws_emulator::Knobs;
use harness::ROLE_ARN;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{COMPLETE, SETTLING, again_after, minutes_pass, report, respond, with_next};

#[tokio::test]
async fn sessions_end_with_each_call_until_one_comes_when_aws_has_forgotten_the_issuer_and_then_nobodys() {
    let world = with_next().await;
    let first = respond(&world, json!({})).await;

    let mut ended = Vec::new();
    for minutes in [0, 14, 2, 60] {
        let (lives, answer) = again_after(&world, minutes).await;
        ended.push((lives, answer["state"].as_str().unwrap().to_owned()));
    }

    let states = [(false, SETTLING), (false, SETTLING), (false, COMPLETE), (true, COMPLETE)];
    assert_eq!(ended, states.map(|(lives, state)| (lives, state.to_owned())));
    let steps = report(&first);
    let at = first["again_at"].as_str().unwrap();
    assert!(steps.contains(&format!("later: end the sessions of {ROLE_ARN} once more")), "{steps}");
    assert!(steps.contains(&format!("the engine does it by itself at {at}")), "{steps}");
}

#[tokio::test]
async fn vaults_tick_ends_sessions_once_more_when_it_is_time_and_not_again() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    let mut lives = Vec::new();
    for minutes in [0, 16, 60] {
        let session = world.ok(world.creds("demo").await);
        minutes_pass(&world, minutes).await;

        world.mount.periodic().await;

        lives.push(world.caller(&session).await.is_ok());
    }
    let (lived_on, answer) = again_after(&world, 0).await;

    assert_eq!((lives, lived_on), (vec![true, false, true], true));
    assert_eq!(answer["state"], COMPLETE, "{}", report(&answer));
}

#[tokio::test]
async fn what_vaults_tick_could_not_end_it_ends_later() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    let session = world.ok(world.creds("demo").await);
    world.forbid("iamra-revocation", "iam:PutRolePolicy").await;
    minutes_pass(&world, 16).await;

    world.mount.periodic().await;
    let lived_on = world.caller(&session).await.is_ok();
    world.permit("iamra-revocation", "iam:PutRolePolicy").await;
    minutes_pass(&world, 6).await;
    world.mount.periodic().await;

    assert!(lived_on && world.caller(&session).await.is_err());
}

#[tokio::test]
async fn vaults_tick_ends_no_session_that_it_cannot_note() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    let session = world.ok(world.creds("demo").await);
    minutes_pass(&world, 16).await;

    world.mount.storage.break_after(0);
    world.mount.periodic().await;
    let lived_on = world.caller(&session).await.is_ok();
    world.mount.storage.break_after(usize::MAX);
    world.mount.periodic().await;

    assert!(lived_on && world.caller(&session).await.is_err());
}

#[tokio::test]
async fn an_anchor_that_cannot_be_looked_at_and_gives_no_role_its_sessions_keeps_nothing_due() {
    let world = with_next().await;
    let mut gone = harness::managed_anchor();
    gone["trust_anchor_arn"] = json!(harness::TRUST_ANCHOR_ARN.replace("0f9f4a3c", "00000000"));
    world.ok(world.mount.write("trust-anchors/gone", gone).await);
    let first = respond(&world, json!({ "force": true })).await;
    minutes_pass(&world, 16).await;

    world.mount.periodic().await;
    let later = world.mount.delete("issuer/first").await;

    assert!(report(&first).contains("failed") && first["again_at"].is_string(), "{}", report(&first));
    assert_eq!((later.status, later.error.as_str()), (204, ""), "{}", report(&first));
}

#[tokio::test]
async fn an_anchor_is_clear_from_when_it_was_seen_so_and_not_from_when_the_call_began() {
    let world = with_next().await;
    world.aws.set_knobs(Knobs { latency_ms: 700, ..Knobs::default() });

    respond(&world, json!({})).await;

    let log = world.aws.log();
    let updated = log.iter().rfind(|entry| entry.operation == "UpdateTrustAnchor").unwrap();
    let updated = OffsetDateTime::parse(&updated.at, &Rfc3339).unwrap().unix_timestamp();
    let storage = &world.mount.storage;
    let key = format!("compromise/{}", storage.list("compromise/").await.unwrap().remove(0));
    let record: Value = storage.get_json(&key).await.unwrap().unwrap();
    let clear_since = record["clear_since"][harness::TRUST_ANCHOR_ARN].as_i64().unwrap();
    assert!(clear_since >= updated, "{clear_since} is {} s too early", updated - clear_since);
}

#[tokio::test]
async fn what_vaults_tick_could_not_look_at_it_looks_at_later_and_ends_sessions_then() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    world.forbid("iamra-trust-anchor", "rolesanywhere:GetTrustAnchor").await;
    minutes_pass(&world, 16).await;

    world.mount.periodic().await;
    let session = world.ok(world.creds("demo").await);
    world.permit("iamra-trust-anchor", "rolesanywhere:GetTrustAnchor").await;
    minutes_pass(&world, 6).await;
    world.mount.periodic().await;

    assert!(world.caller(&session).await.is_err(), "nobody had seen the anchor clear before");
}
