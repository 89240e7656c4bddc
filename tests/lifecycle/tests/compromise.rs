//! An issuer whose key may be in other hands is put out of use, here and at AWS.

use aws_emulator::Knobs;
use futures_util::future::join_all;
use harness::ROLE_ARN;
use lifecycle::World;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use vault_backend::testing::Probe;

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
    steps.map(|(_, told)| told.as_str().unwrap()).collect::<Vec<_>>().join("\n")
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
    let told = report(&first);
    let at = first["again_at"].as_str().unwrap();
    assert!(told.contains(&format!("later: end the sessions of {ROLE_ARN} once more")), "{told}");
    assert!(told.contains(&format!("the engine does it by itself at {at}")), "{told}");
}

#[tokio::test]
async fn vaults_tick_ends_sessions_once_more_when_it_is_time_and_not_again() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    let mut lives = Vec::new();
    for minutes in [0, 16, 60] {
        let session = world.ok(world.creds("demo").await);
        minutes_pass(&world, minutes).await;

        world.mount.tick().await;

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

    world.mount.tick().await;
    let lived_on = world.caller(&session).await.is_ok();
    world.permit("iamra-revocation", "iam:PutRolePolicy").await;
    minutes_pass(&world, 6).await;
    world.mount.tick().await;

    assert!(lived_on && world.caller(&session).await.is_err());
}

#[tokio::test]
async fn vaults_tick_ends_no_session_that_it_cannot_note() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    let session = world.ok(world.creds("demo").await);
    minutes_pass(&world, 16).await;

    world.mount.storage.break_after(0);
    world.mount.tick().await;
    let lived_on = world.caller(&session).await.is_ok();
    world.mount.storage.break_after(usize::MAX);
    world.mount.tick().await;

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

    world.mount.tick().await;
    let later = world.mount.delete("issuer/first").await;

    assert!(report(&first).contains("failed") && first["again_at"].is_string(), "{}", report(&first));
    assert_eq!((later.status, later.error.as_str()), (204, ""), "{}", report(&first));
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

    let told = report(&answer);
    assert_eq!(answer["state"], "incomplete");
    for words in
        ["test/trust-bundle", "vault patch test/roles/pinned issuer_ref=default", "Revoke active sessions"]
    {
        assert!(told.contains(words), "no {words} in:\n{told}");
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
    assert!(report(&held).contains("once more: when its trust anchor"), "{}", report(&held));
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

    let told = report(&answer);
    assert!(world.caller(&session).await.is_err());
    assert!(told.contains("vault write -force test/roles/demo/revoke-sessions"), "{told}");
}

#[tokio::test]
async fn what_the_keys_holder_may_have_done_as_the_engine_itself_stands_in_the_report() {
    let world = with_next().await;
    respond(&world, json!({})).await;
    let second = world.pem("ca/pem").await;
    let stranger = Box::pin(World::by_hand()).await.pem("ca/pem").await;
    world.anchor_holds(&format!("{second}{stranger}")).await;

    let told = report(&respond(&world, json!({})).await);

    assert!(told.contains("is no issuer of this mount"), "{told}");
    for role in [harness::MANAGEMENT_ROLE_ARN, harness::REVOCATION_ROLE_ARN, harness::CHECK_ROLE_ARN] {
        assert!(told.contains(role), "no {role} in:\n{told}");
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

/// The same key once more: a certificate that a company's root has signed, with the key of `first`.
fn certified_again(key_pem: &str) -> String {
    certified_as("renewed", key_pem)
}

fn certified_as(name: &str, key_pem: &str) -> String {
    let key = rcgen::KeyPair::from_pem(key_pem).unwrap();
    let params = ca_params(name, rcgen::BasicConstraints::Constrained(0));
    params.self_signed(&key).unwrap().pem() + key_pem
}

fn ca_params(name: &str, constraints: rcgen::BasicConstraints) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(constraints);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2036, 1, 1);
    params
}

async fn import(world: &World, pem_bundle: &str, name: &str) -> vault_backend::testing::Reply {
    let body = json!({ "pem_bundle": pem_bundle, "issuer_name": name });
    world.mount.write("issuers/import/bundle", body).await
}

/// A world whose anchor holds `brought`, the default, and whose second issuer has the same key.
async fn one_key_twice() -> (World, String) {
    let world = World::new().await;
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    world.ok(import(&world, &certified_again(&key), "brought").await);
    world.ok(world.mount.write("trust-anchors/main/sync", json!({})).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "brought" })).await);
    world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);
    world.ok(import(&world, &certified_again(&key), "renewed").await);
    (world, key)
}

#[tokio::test]
async fn another_certificate_of_the_same_key_does_not_take_over() {
    let (world, _) = one_key_twice().await;

    let reply = world.mount.write("issuer/brought/compromised", json!({})).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.error.contains("with a key of its own"), "{}", reply.error);
}

#[tokio::test]
async fn every_certificate_of_the_key_goes_and_none_comes_back() {
    let (world, key) = one_key_twice().await;
    world.ok(world.mount.write("issuer/renewed", json!({ "disabled": true })).await);
    let next = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", next).await);

    let answer = world.ok(world.mount.write("issuer/brought/compromised", json!({})).await);
    let enabled = world.mount.write("issuer/renewed", json!({ "disabled": false })).await;
    let too_early = world.mount.delete("issuer/brought").await;
    world.ok(world.mount.delete_with("issuer/brought", json!({ "force": true })).await);
    world.ok(world.mount.delete("issuer/renewed").await);
    let imported = import(&world, &certified_again(&key), "again").await;

    assert_eq!(answer["state"], SETTLING, "{}", report(&answer));
    assert!(too_early.error.contains("ends sessions once more: delete it then"), "{too_early:?}");
    for refused in [enabled, imported] {
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.error.contains("compromised since"), "{}", refused.error);
    }
    assert!(world.caller(&world.ok(world.creds("demo").await)).await.is_ok());
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

    let told = report(&respond(&world, json!({})).await);

    assert!(told.contains(&format!("put what test/trust-bundle shows into {away}")), "{told}");
}

/// A crash before the `n`-th write of the response, and the same command on what it left. Whether the first call came to its end.
async fn crashed_after(writes: usize) -> bool {
    let mut world = with_next().await;
    let session = world.ok(world.creds("demo").await);
    world.mount.storage.break_after(writes);
    let whole = world.mount.write(COMPROMISED, json!({})).await;
    world.mount = Box::pin(Probe::over(world.mount.storage.survived())).await.unwrap();

    let answer = respond(&world, json!({})).await;
    let next = world.ok(world.creds("demo").await);

    let told = report(&answer);
    assert_eq!(answer["state"], SETTLING, "after {writes} writes: {told}");
    assert_eq!(
        world.ok(world.mount.read("issuer/first").await)["state"],
        "compromised",
        "after {writes} writes"
    );
    assert!(world.caller(&session).await.is_err(), "after {writes} writes: {told}");
    assert!(world.caller(&next).await.is_ok(), "after {writes} writes: {told}");
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

/// A company's root, and two CAs below it as the engine imports them, each with its key.
fn company() -> (String, [String; 2]) {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let root = ca_params("company root", rcgen::BasicConstraints::Unconstrained)
        .self_signed(&root_key)
        .unwrap()
        .pem();
    let above = rcgen::Issuer::from_ca_cert_pem(&root, root_key).unwrap();
    let below = ["pods one", "pods two"].map(|name| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            ca_params(name, rcgen::BasicConstraints::Constrained(0)).signed_by(&key, &above).unwrap();
        format!("{}{}", certificate.pem(), key.serialize_pem())
    });
    (root, below)
}

/// The report while the anchor holds the root alone, that of a repeated call, and the one after it was taken out by hand.
async fn under_a_held_root(is_chain_known: bool) -> [Map<String, Value>; 3] {
    let world = World::by_hand().await;
    let (root, bundles) = company();
    for (bundle, name) in bundles.iter().zip(["one", "two"]) {
        let chain = if is_chain_known { root.as_str() } else { "" };
        world.ok(import(&world, &format!("{bundle}{chain}"), name).await);
        world.ok(world.mount.write("config/issuers", json!({ "default": "one" })).await);
        world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);
    }
    world.anchor_holds(&root).await;
    world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);
    let call =
        || async { world.ok(world.mount.write("issuer/one/compromised", json!({ "force": true })).await) };
    let before = world.ok(world.creds("demo").await);

    let held = call().await;
    assert!(world.caller(&before).await.is_err(), "{}", report(&held));
    let of_the_thief = world.ok(world.creds("demo").await);
    let repeated = call().await;
    assert!(world.caller(&of_the_thief).await.is_ok(), "a call that changes nothing ends nobody");
    world.anchor_holds(&world.pem("trust-bundle").await).await;
    let cleared = call().await;
    assert!(world.caller(&of_the_thief).await.is_err(), "{}", report(&cleared));
    [held, repeated, cleared]
}

#[tokio::test]
async fn an_anchor_that_holds_a_root_above_the_compromised_issuer_is_not_clear_until_it_is_taken_out() {
    for [held, repeated, cleared] in
        join_all([true, false].map(|known| Box::pin(under_a_held_root(known)))).await
    {
        for told in [report(&held), report(&repeated)] {
            assert!(told.contains("above the compromised issuer") && told.contains("trust-bundle"), "{told}");
            assert!(!told.contains("compromised issuer: trust-anchors/main: in step"), "{told}");
        }
        assert_eq!(cleared["state"], SETTLING, "{}", report(&cleared));
    }
}

/// The certificate alone.
fn certificate_of(pem_bundle: &str) -> &str {
    pem_bundle.split("-----BEGIN PRIVATE KEY-----").next().unwrap()
}

#[tokio::test]
async fn an_anchor_that_holds_another_certificate_of_the_compromised_key_is_not_clear_until_it_is_taken_out()
{
    let world = World::new().await;
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let (brought, elsewhere) = (certified_as("brought", &key), certified_as("elsewhere", &key));
    world.ok(import(&world, &brought, "brought").await);
    world.ok(world.mount.write("trust-anchors/main/sync", json!({})).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "brought" })).await);
    world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);
    let next = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", next).await);
    let call = || async { world.ok(world.mount.write("issuer/brought/compromised", json!({})).await) };
    call().await;
    let bundle = world.pem("trust-bundle").await;
    world.anchor_holds(&format!("{bundle}{}", certificate_of(&elsewhere))).await;

    let held = report(&call().await);
    world.anchor_holds(&bundle).await;
    let cleared = report(&call().await);

    assert!(held.contains("which is another certificate of the compromised key"), "{held}");
    assert!(!held.contains("compromised issuer: trust-anchors/main: in step"), "{held}");
    assert!(cleared.contains("compromised issuer: trust-anchors/main: in step"), "{cleared}");
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

    world.mount.tick().await;
    let session = world.ok(world.creds("demo").await);
    world.permit("iamra-trust-anchor", "rolesanywhere:GetTrustAnchor").await;
    minutes_pass(&world, 6).await;
    world.mount.tick().await;

    assert!(world.caller(&session).await.is_err(), "nobody had seen the anchor clear before");
}
