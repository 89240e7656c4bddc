//! An issuer whose key may be in other hands is put out of use, here and at AWS.

use harness::ROLE_ARN;
use lifecycle::World;
use serde_json::{Map, Value, json};

const COMPROMISED: &str = "issuer/first/compromised";

/// A world with a next issuer beside `first`.
async fn with_next() -> World {
    let world = World::new().await;
    let root = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", root).await);
    world
}

async fn respond(world: &World, fields: Value) -> Map<String, Value> {
    world.ok(world.mount.write(COMPROMISED, fields).await)
}

fn report(answer: &Map<String, Value>) -> String {
    let lines = answer["report"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether AWS takes a certificate of the issuer `first` still.
async fn anchor_holds(world: &World, pem: &str) -> bool {
    world.state().await["trust_anchors"][0]["certificates_pem"].as_str().unwrap().contains(pem.trim())
}

#[tokio::test]
async fn one_command_switches_clears_the_anchor_and_ends_the_sessions() {
    let world = with_next().await;
    let first = world.pem("ca/pem").await;
    let session = world.ok(world.creds("demo").await);

    let answer = respond(&world, json!({})).await;

    assert_eq!(answer["state"], "complete", "{}", report(&answer));
    assert!(!anchor_holds(&world, &first).await, "{}", report(&answer));
    assert!(world.caller(&session).await.is_err());
    let next = world.ok(world.creds("demo").await);
    assert!(world.caller(&next).await.is_ok());
    assert_eq!(world.ok(world.mount.read("issuer/first").await)["state"], "disabled");
}

#[tokio::test]
async fn a_second_call_ends_nobody_who_went_on() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    let session = world.ok(world.creds("demo").await);

    let answer = respond(&world, json!({})).await;

    assert_eq!(answer["state"], "complete", "{}", report(&answer));
    assert!(world.caller(&session).await.is_ok());
}

#[tokio::test]
async fn a_compromised_issuer_is_not_enabled_again() {
    let world = with_next().await;
    respond(&world, json!({})).await;

    let reply = world.mount.write("issuer/first", json!({ "disabled": false })).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("is compromised since"), "{}", reply.error);
}

#[tokio::test]
async fn without_another_issuer_the_command_that_makes_one_is_told_and_nothing_changes() {
    let world = World::new().await;
    let session = world.ok(world.creds("demo").await);

    let reply = world.mount.write(COMPROMISED, json!({})).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("vault write test/root/generate/internal"), "{}", reply.error);
    assert!(world.caller(&session).await.is_ok());
    assert_eq!(world.creds("demo").await.status, 200);
}

#[tokio::test]
async fn an_anchor_that_cannot_be_brought_along_stops_the_switch_until_it_can() {
    let world = with_next().await;
    world.forbid("iamra-trust-anchor", "rolesanywhere:UpdateTrustAnchor").await;

    let stopped = respond(&world, json!({})).await;
    let state = world.ok(world.mount.read("issuer/first").await)["state"].clone();
    world
        .change(|state| {
            let role = lifecycle::role_of(state, "iamra-trust-anchor");
            let actions = role["policies"]["duty"]["Statement"][0]["Action"].as_array_mut().unwrap();
            actions.push(json!("rolesanywhere:UpdateTrustAnchor"));
        })
        .await;
    let resumed = respond(&world, json!({})).await;

    assert_eq!((&stopped["state"], state), (&json!("incomplete"), json!("current")));
    assert!(report(&stopped).contains("rolesanywhere:UpdateTrustAnchor"), "{}", report(&stopped));
    assert_eq!(resumed["state"], "complete", "{}", report(&resumed));
}

#[tokio::test]
async fn a_role_whose_sessions_could_not_be_ended_is_told_and_ended_by_the_next_call() {
    let world = with_next().await;
    let session = world.ok(world.creds("demo").await);
    world.forbid("iamra-revocation", "iam:PutRolePolicy").await;

    let first = respond(&world, json!({})).await;
    let lived_on = world.caller(&session).await.is_ok();
    world
        .change(|state| {
            let role = lifecycle::role_of(state, "iamra-revocation");
            let actions = role["policies"]["duty"]["Statement"][0]["Action"].as_array_mut().unwrap();
            actions.push(json!("iam:PutRolePolicy"));
        })
        .await;
    let second = respond(&world, json!({})).await;

    assert_eq!(first["state"], "incomplete");
    assert!(lived_on && report(&first).contains("iam:PutRolePolicy"), "{}", report(&first));
    assert_eq!(second["state"], "complete", "{}", report(&second));
    assert!(world.caller(&session).await.is_err());
}

#[tokio::test]
async fn what_the_engine_may_not_do_stands_in_the_report_for_people() {
    let world = World::by_hand().await;
    let root = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", root).await);
    let pinned = json!({ "role_arn": ROLE_ARN, "issuer_ref": "first" });
    world.ok(world.mount.write("roles/pinned", pinned).await);

    let answer = respond(&world, json!({})).await;

    let told = report(&answer);
    assert_eq!(answer["state"], "incomplete");
    for words in
        ["test/trust-bundle", "vault patch test/roles/pinned issuer_ref=default", "Revoke active sessions"]
    {
        assert!(told.contains(words), "no {words} in:\n{told}");
    }
}
