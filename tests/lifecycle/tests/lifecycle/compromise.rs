//! An issuer whose key may be in other hands is put out of use, here and at AWS.

mod of_the_key;
mod once_more;
mod two_regions;

use futures_util::future::join_all;
use harness::ROLE_ARN;
use lifecycle::World;
use serde_json::{Map, Value, json};
use vault_backend::testing::TestMount;

const COMPROMISED: &str = "issuer/first/compromised";
const UPDATE: &str = "rolesanywhere:UpdateTrustAnchor";
/// The engine's part is done; its own IAM roles are left to people.
const COMPLETE: &str = "by_hand";
/// The same, but for the sessions that AWS may still make.
const SETTLING: &str = "settling";

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
    let steps = answer.iter().filter(|(name, _)| name.starts_with("step_"));
    steps.map(|(_, step)| step.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Has everything that is noted of the compromise been so `minutes` earlier.
async fn minutes_pass(world: &World, minutes: i64) {
    let storage = &world.mount.storage;
    let key = format!("compromise/{}", storage.list("compromise/").await.unwrap().remove(0));
    let mut record: Value = storage.get_json(&key).await.unwrap().unwrap();
    let earlier = |time: &mut Value| *time = json!(time.as_i64().unwrap() - minutes * 60);
    for times in ["clear_since", "ended"] {
        let times = record.get_mut(times).and_then(Value::as_object_mut);
        times.into_iter().flat_map(|times| times.values_mut()).for_each(earlier);
    }
    record.get_mut("again_at").into_iter().for_each(earlier);
    storage.put_json(&key, &record).await.unwrap();
}

/// A session that is handed out now, and the next one after the same command has come `minutes` later.
async fn again_after(world: &World, minutes: i64) -> (bool, Map<String, Value>) {
    let session = world.ok(world.creds("demo").await);
    minutes_pass(world, minutes).await;
    let answer = respond(world, json!({})).await;
    (world.caller(&session).await.is_ok(), answer)
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

    assert_eq!(answer["state"], SETTLING, "{}", report(&answer));
    assert!(!anchor_holds(&world, &first).await, "{}", report(&answer));
    assert!(world.caller(&session).await.is_err());
    let next = world.ok(world.creds("demo").await);
    assert!(world.caller(&next).await.is_ok());
    assert_eq!(world.ok(world.mount.read("issuer/first").await)["state"], "compromised");
    assert_eq!(world.ok(world.mount.read("issuer/first").await)["disabled"], true);
}

/// On a mount of thousands of roles each further pass costs thousands of calls of Vault's storage.
#[tokio::test]
async fn a_response_reads_each_role_once_and_a_tick_none() {
    let world = with_next().await;
    let names: Vec<String> = (0..40).map(|number| format!("role-{number}")).collect();
    for name in &names {
        world.ok(world.mount.write(&format!("roles/{name}"), json!({ "role_arn": ROLE_ARN })).await);
    }
    let reads = |before: usize| -> Vec<String> {
        let gets = world.mount.storage.gets().split_off(before);
        gets.into_iter().filter(|key| key.starts_with("role/")).collect()
    };
    let before = world.mount.storage.gets().len();

    respond(&world, json!({})).await;
    let mut responded = reads(before);
    let before = world.mount.storage.gets().len();
    assert_eq!(world.mount.periodic().await.status, 204);

    responded.sort();
    let mut each: Vec<String> = names.iter().map(|name| format!("role/{name}")).collect();
    each.push("role/demo".to_owned());
    each.sort();
    assert_eq!(responded, each);
    assert_eq!(reads(before), Vec::<String>::new());
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
    world.forbid("iamra-trust-anchor", UPDATE).await;

    let stopped = respond(&world, json!({})).await;
    let state = world.ok(world.mount.read("issuer/first").await)["state"].clone();
    world.permit("iamra-trust-anchor", UPDATE).await;
    let resumed = respond(&world, json!({})).await;

    assert_eq!((&stopped["state"], state), (&json!("incomplete"), json!("current")));
    assert!(report(&stopped).contains(UPDATE), "{}", report(&stopped));
    assert_eq!(resumed["state"], SETTLING, "{}", report(&resumed));
}

#[tokio::test]
async fn a_role_whose_sessions_could_not_be_ended_is_told_and_ended_by_the_next_call() {
    let world = with_next().await;
    let session = world.ok(world.creds("demo").await);
    world.forbid("iamra-revocation", "iam:PutRolePolicy").await;

    let first = respond(&world, json!({})).await;
    let lived_on = world.caller(&session).await.is_ok();
    world.permit("iamra-revocation", "iam:PutRolePolicy").await;
    let second = respond(&world, json!({})).await;

    assert_eq!(first["state"], "incomplete");
    assert!(lived_on && report(&first).contains("iam:PutRolePolicy"), "{}", report(&first));
    assert_eq!(second["state"], SETTLING, "{}", report(&second));
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

    let steps = report(&answer);
    assert_eq!(answer["state"], "incomplete");
    for words in
        ["test/trust-bundle", "vault patch test/roles/pinned issuer_ref=default", "Revoke active sessions"]
    {
        assert!(steps.contains(words), "no {words} in:\n{steps}");
    }
}

#[tokio::test]
async fn sessions_are_ended_once_more_when_an_anchor_that_could_not_be_cleared_is() {
    let world = with_next().await;
    world.ok(world.mount.write("trust-anchors/main/sync", json!({})).await);
    world.forbid("iamra-trust-anchor", UPDATE).await;

    let held = respond(&world, json!({})).await;
    let between = world.ok(world.creds("demo").await);
    respond(&world, json!({})).await;
    let lived_on = world.caller(&between).await.is_ok();
    world.permit("iamra-trust-anchor", UPDATE).await;
    let cleared = respond(&world, json!({})).await;

    assert_eq!(held["state"], "incomplete");
    let waits = format!("once more: until {} is seen without", harness::TRUST_ANCHOR_ARN);
    assert!(report(&held).contains(&waits), "{}", report(&held));
    assert!(lived_on, "a call that changes nothing ends nobody");
    assert_eq!(cleared["state"], SETTLING, "{}", report(&cleared));
    assert!(world.caller(&between).await.is_err(), "whoever had the key could make one until then");
}

#[tokio::test]
async fn an_anchor_that_is_cleared_by_hand_has_the_revocation_that_is_due_afterwards_told() {
    let world = with_next().await;
    let mut anchor = harness::managed_anchor();
    anchor.as_object_mut().unwrap().remove("management_role_arn");
    world.ok(world.mount.delete("trust-anchors/main").await);
    world.ok(world.mount.write("trust-anchors/main", anchor).await);
    let session = world.ok(world.creds("demo").await);

    let answer = respond(&world, json!({})).await;

    let steps = report(&answer);
    assert!(world.caller(&session).await.is_err());
    assert!(steps.contains("vault write -force test/roles/demo/revoke-sessions"), "{steps}");
}

#[tokio::test]
async fn what_the_keys_holder_may_have_done_as_the_engine_itself_stands_in_the_report() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    let second = world.pem("ca/pem").await;
    let stranger = Box::pin(World::by_hand()).await.pem("ca/pem").await;
    world.anchor_holds(&format!("{second}{stranger}")).await;

    let steps = report(&respond(&world, json!({})).await);

    assert!(steps.contains("is not an issuer of this mount"), "{steps}");
    for role in [harness::MANAGEMENT_ROLE_ARN, harness::REVOCATION_ROLE_ARN, harness::CHECK_ROLE_ARN] {
        assert!(steps.contains(role), "no {role} in:\n{steps}");
    }
}

#[tokio::test]
async fn two_operators_at_once_do_it_one_after_the_other() {
    let world = with_next().await;

    let (one, two) = tokio::join!(respond(&world, json!({})), respond(&world, json!({})));
    let next = world.ok(world.creds("demo").await);

    assert_eq!((&one["state"], &two["state"]), (&json!(SETTLING), &json!(SETTLING)));
    assert_eq!(world.asked("UpdateTrustAnchor").await, 2, "the next one in, the compromised one out");
    assert!(world.caller(&next).await.is_ok());
}

#[tokio::test]
async fn default_names_no_compromised_issuer_since_it_is_another_one_after_the_switch() {
    let world = with_next().await;

    let reply = world.mount.write("issuer/default/compromised", json!({})).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.error.contains("own id or name"), "{}", reply.error);
    assert_eq!(world.ok(world.mount.read("issuer/first").await)["state"], "current");
}

#[tokio::test]
async fn sessions_of_a_role_that_is_gone_end_too() {
    let world = with_next().await;
    let session = world.ok(world.creds("demo").await);
    world.ok(world.mount.delete("roles/demo").await);

    let answer = respond(&world, json!({})).await;

    assert!(world.caller(&session).await.is_err(), "{}", report(&answer));
}

#[tokio::test]
async fn an_anchor_that_a_role_names_and_nobody_looks_after_is_told_with_what_it_must_hold() {
    let world = with_next().await;
    let away = harness::TRUST_ANCHOR_ARN.replace("anchor/", "anchor/0");
    let role = json!({ "role_arn": harness::ROLE_ARN, "trust_anchor_arn": away });
    world.ok(world.mount.write("roles/away", role).await);

    let steps = report(&respond(&world, json!({})).await);

    assert!(steps.contains(&format!("put the certificates of test/trust-bundle into {away}")), "{steps}");
}

/// A crash before the `n`-th write of the response, and the same command on what it left. Whether the first call came to its end.
async fn crashed_after(writes: usize) -> bool {
    let mut world = with_next().await;
    let session = world.ok(world.creds("demo").await);
    world.mount.storage.break_after(writes);
    let whole = world.mount.write(COMPROMISED, json!({})).await;
    world.mount = Box::pin(TestMount::over(world.mount.storage.survived())).await.unwrap();

    let answer = respond(&world, json!({})).await;
    let next = world.ok(world.creds("demo").await);

    let steps = report(&answer);
    assert_eq!(answer["state"], SETTLING, "after {writes} writes: {steps}");
    assert_eq!(
        world.ok(world.mount.read("issuer/first").await)["state"],
        "compromised",
        "after {writes} writes"
    );
    assert!(world.caller(&session).await.is_err(), "after {writes} writes: {steps}");
    assert!(world.caller(&next).await.is_ok(), "after {writes} writes: {steps}");
    whole.data.get("state") == Some(&json!(SETTLING))
}

#[tokio::test]
async fn a_response_that_a_crash_ended_at_any_write_is_ended_by_the_next_call() {
    let ended = join_all((0..12).map(|writes| Box::pin(crashed_after(writes)))).await;

    assert_eq!((ended.first(), ended.last()), (Some(&false), Some(&true)), "{ended:?}");
}

#[tokio::test]
async fn the_issuer_that_is_next_is_not_put_out_of_use_by_mistake() {
    let world = with_next().await;

    let reply = world.mount.write("issuer/second/compromised", json!({})).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(
        reply.error.contains("is the next issuer") && reply.error.contains("force=true"),
        "{}",
        reply.error
    );
    assert_eq!(world.ok(world.mount.read("issuer/second").await)["state"], "next");
}
