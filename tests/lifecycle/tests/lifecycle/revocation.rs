//! Sessions that are ended at AWS: by the break-glass, and one by one.

use std::time::Duration;

use aws_emulator::Knobs;
use futures_util::future::join_all;
use harness::ROLE_ARN;
use lifecycle::{World, role_of};
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use vault_backend::testing::TestResponse;

const BREAK_GLASS: &str = "roles/demo/revoke-sessions";

/// The answer of a read that succeeds.
async fn session(world: &World) -> Map<String, Value> {
    world.ok(world.creds("demo").await)
}

/// A read by `entity`.
async fn session_of(world: &mut World, entity: &str) -> Map<String, Value> {
    world.mount.entity_id = Some(entity.to_owned());
    session(world).await
}

async fn revoke(world: &World, fields: Value) -> TestResponse {
    world.mount.write("revoke", fields).await
}

/// Whether AWS takes the next signed call of the session.
async fn lives(world: &World, session: &Map<String, Value>) -> bool {
    world.caller(session).await.is_ok()
}

/// A world in which callers of `demo` share one session.
async fn shared() -> World {
    let world = World::new().await;
    let role = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
    world.ok(world.mount.write("roles/demo", role).await);
    world
}

#[tokio::test]
async fn the_break_glass_ends_every_session_and_the_next_read_has_one_that_lives() {
    let world = shared().await;
    let (one, two) = (session(&world).await, session(&world).await);

    let reply = world.mount.write(BREAK_GLASS, json!({})).await;

    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!lives(&world, &one).await && !lives(&world, &two).await);
    assert!(lives(&world, &session(&world).await).await, "what was kept for the next caller ended too");
    assert!(reply.warnings.iter().any(|warning| warning.contains("role chaining")), "{reply:?}");
}

/// As the engine role and the IAM role of an association have it.
#[tokio::test]
async fn sessions_of_a_role_with_a_dot_in_its_name_end_and_those_of_another_go_on() {
    let world = World::new().await;
    let arn = ROLE_ARN.replace("demo", "payments.api");
    world
        .change(|state| {
            let mut role = role_of(state, "demo").clone();
            role["name"] = json!("payments.api");
            state["roles"].as_array_mut().unwrap().push(role);
            state["profiles"][0]["role_arns"] = json!([ROLE_ARN, arn]);
        })
        .await;
    world.ok(world.mount.write("roles/payments.api", json!({ "role_arn": arn })).await);
    let (one, other) = (world.ok(world.creds("payments.api").await), session(&world).await);

    let reply = world.mount.write("roles/payments.api/revoke-sessions", json!({})).await;

    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!lives(&world, &one).await && lives(&world, &other).await);
    assert_eq!(world.policies("payments.api").await.len(), 1);
    assert!(world.mount.storage.get("denials/111122223333.payments.api").await.unwrap().is_some());
}

#[tokio::test]
async fn one_session_ends_by_its_serial_number_in_each_encoding_and_its_neighbour_goes_on() {
    let encodings: [fn(&str) -> String; 4] = [
        |colons| colons.to_owned(),
        |colons| colons.replace(':', ""),
        |colons| colons.replace(':', "").to_uppercase(),
        |colons| u128::from_str_radix(&colons.replace(':', ""), 16).unwrap().to_string(),
    ];
    for encode in encodings {
        let world = World::new().await;
        let (one, two) = (session(&world).await, session(&world).await);
        let serial = encode(one["serial_number"].as_str().unwrap());

        let reply = revoke(&world, json!({ "serial_number": serial })).await;

        assert_eq!(reply.status, 200, "{serial}: {reply:?}");
        assert!(!lives(&world, &one).await, "{serial}");
        assert!(lives(&world, &two).await, "{serial}");
    }
}

#[tokio::test]
async fn the_sessions_of_one_entity_end_and_those_of_another_go_on() {
    let mut world = World::new().await;
    let one = session_of(&mut world, "entity-one").await;
    let again = session_of(&mut world, "entity-one").await;
    let two = session_of(&mut world, "entity-two").await;

    let data = world.ok(revoke(&world, json!({ "entity_id": "entity-one" })).await);

    assert_eq!(data["revoked"].as_array().unwrap().len(), 2);
    assert!(!lives(&world, &one).await && !lives(&world, &again).await);
    assert!(lives(&world, &two).await);
}

#[tokio::test]
async fn a_shared_session_is_refused_until_it_is_forced_and_then_ends_for_all() {
    let mut world = shared().await;
    let one = session_of(&mut world, "entity-one").await;
    let two = session_of(&mut world, "entity-two").await;
    assert_eq!(one["serial_number"], two["serial_number"]);

    let refused = revoke(&world, json!({ "entity_id": "entity-one" })).await;
    let lived_on = lives(&world, &one).await;
    world.ok(revoke(&world, json!({ "entity_id": "entity-one", "force": true })).await);

    assert_eq!(refused.status, 400);
    assert!(refused.error.contains("too (at least 1)"), "{}", refused.error);
    assert!(refused.error.contains("force=true"), "{}", refused.error);
    assert!(lived_on, "a refusal ends nothing");
    assert!(!lives(&world, &two).await);
    let next = session_of(&mut world, "entity-two").await;
    assert!(lives(&world, &next).await, "the next read has a new one");
}

#[tokio::test]
async fn a_session_of_before_a_restart_ends_by_all_that_names_it() {
    let mut world = World::new().await;
    for which in ["serial_number", "entity_id"] {
        let before = session_of(&mut world, "one").await;
        let other = session_of(&mut world, "two").await;
        world.recorded().await;
        world.restart().await;

        let named = if which == "serial_number" { before[which].clone() } else { json!("one") };
        let reply = world.ok(revoke(&world, json!({ which: named })).await);

        assert!(!lives(&world, &before).await && lives(&world, &other).await, "{which}: {reply:?}");
    }
}

#[tokio::test]
async fn a_session_that_the_record_does_not_have_ends_by_its_serial_number_and_role() {
    let mut world = World::new().await;
    let one = session(&world).await;
    let serial = one["serial_number"].clone();
    world.forget_and_restart().await;

    let alone = revoke(&world, json!({ "serial_number": serial })).await;
    let reply = revoke(&world, json!({ "serial_number": serial, "role": "demo" })).await;

    assert_eq!(alone.status, 400);
    assert!(alone.error.contains("give the role too"), "{}", alone.error);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!lives(&world, &one).await);
}

#[tokio::test]
async fn a_policy_under_our_name_that_is_not_ours_is_left_alone() {
    let world = World::new().await;
    session(&world).await;
    world.ok(world.mount.write(BREAK_GLASS, json!({})).await);
    let name = world.policies("demo").await.keys().next().unwrap().clone();
    let foreign = json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "Ours", "Effect": "Deny", "Action": "s3:*", "Resource": "*" },
    ]});
    world.put_policy("demo", &name, foreign.clone()).await;

    let reply = world.mount.write(BREAK_GLASS, json!({})).await;

    assert_eq!(reply.status, 400);
    assert!(
        reply.error.contains("differs from the one that this mount wrote, so it stays unchanged"),
        "{}",
        reply.error
    );
    assert_eq!(document(&world.policies("demo").await[&name]), foreign);
}

#[tokio::test]
async fn other_policies_of_the_role_are_not_touched() {
    let world = World::new().await;
    let other = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" },
    ]});
    world.put_policy("demo", "app", other.clone()).await;
    session(&world).await;

    world.ok(world.mount.write(BREAK_GLASS, json!({})).await);

    let policies = world.policies("demo").await;
    assert_eq!((policies.len(), document(&policies["app"])), (2, other));
}

#[tokio::test]
async fn where_somebody_else_used_up_the_room_nothing_changes_and_the_break_glass_is_offered() {
    let world = World::new().await;
    let one = session(&world).await;
    let actions: Vec<String> = (0..500).map(|number| format!("s3:GetObject{number:06}")).collect();
    let large = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": actions, "Resource": "*" },
    ]});
    world.put_policy("demo", "app", large).await;

    let reply = revoke(&world, json!({ "serial_number": one["serial_number"] })).await;

    assert_eq!(reply.status, 400);
    assert!(
        reply.error.contains("10240 characters") && reply.error.contains("revoke-sessions"),
        "{}",
        reply.error
    );
    assert_eq!(world.policies("demo").await.len(), 1);
    assert!(lives(&world, &one).await);
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_and_nothing_is_written() {
    for action in ["iam:GetRolePolicy", "iam:PutRolePolicy"] {
        let world = World::new().await;
        let one = session(&world).await;
        world.forbid("iamra-revocation", action).await;

        let reply = world.mount.write(BREAK_GLASS, json!({})).await;

        assert_eq!(reply.status, 400);
        assert!(reply.error.contains(action), "no {action} in: {}", reply.error);
        assert!(lives(&world, &one).await);
    }
}

#[tokio::test]
async fn a_role_with_a_path_is_reached_by_its_bare_name() {
    let world = World::new().await;
    let arn = "arn:aws:iam::111122223333:role/teams/payments/demo";
    world
        .change(|state| {
            role_of(state, "demo")["path"] = json!("/teams/payments/");
            state["profiles"][0]["role_arns"] = json!([arn]);
        })
        .await;
    world.ok(world.mount.write("roles/demo", json!({ "role_arn": arn })).await);
    let one = session(&world).await;

    world.ok(world.mount.write(BREAK_GLASS, json!({})).await);

    assert!(!lives(&world, &one).await);
}

#[tokio::test]
async fn without_a_revocation_role_the_command_that_names_one_is_told() {
    let world = World::by_hand().await;

    let reply = world.mount.write(BREAK_GLASS, json!({})).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("vault write test/trust-anchors/<name>"), "{}", reply.error);
    assert!(reply.error.contains("111122223333"), "{}", reply.error);
}

#[tokio::test]
async fn what_names_no_session_is_refused_with_what_to_give() {
    let world = World::new().await;
    for (fields, words) in [
        (json!({}), "give one of serial_number, entity_id and cluster"),
        (json!({ "serial_number": "0a", "entity_id": "one" }), "give one of"),
        (json!({ "serial_number": "hello" }), "serial_number: \"hello\" is not a serial number"),
        (json!({ "entity_id": "nobody" }), "knows no live session of it"),
        (json!({ "serial_number": "0a", "role": "none" }), "there is no role \"none\""),
    ] {
        let reply = revoke(&world, fields).await;

        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.error.contains(words), "{}", reply.error);
    }
}

#[tokio::test]
async fn two_revocations_at_once_both_count() {
    let world = World::new().await;
    let (one, two) = (session(&world).await, session(&world).await);

    let (first, second) = tokio::join!(
        revoke(&world, json!({ "serial_number": one["serial_number"] })),
        revoke(&world, json!({ "serial_number": two["serial_number"] })),
    );

    assert_eq!((first.status, second.status), (200, 200), "{first:?} {second:?}");
    assert!(!lives(&world, &one).await && !lives(&world, &two).await);
}

/// A policy as the emulator shows it: an object, or its text.
fn document(shown: &Value) -> Value {
    shown.as_str().map_or_else(|| shown.clone(), |text| serde_json::from_str(text).unwrap())
}

/// How long AWS takes for the read's CreateSession.
const AT_AWS: Duration = Duration::from_millis(120);

/// What ends sessions, with what it is asked.
const REVOCATIONS: [(&str, &str); 4] = [
    ("revoke", r#"{ "entity_id": "one" }"#),
    ("revoke", r#"{ "entity_id": "one", "force": true }"#),
    ("roles/demo/revoke-sessions", "{}"),
    ("issuer/first/compromised", "{}"),
];

/// A world in which the entity `one` asks, and a next issuer is ready.
async fn asked_by_one(sharing: &str) -> World {
    let mut world = World::new().await;
    let role = json!({ "role_arn": ROLE_ARN, "session_sharing": sharing });
    world.ok(world.mount.write("roles/demo", role).await);
    let root = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", root).await);
    world.mount.entity_id = Some("one".to_owned());
    world
}

/// A read, and a revocation `after` it began. Whether the read has a session that lives.
async fn schedule(sharing: &str, (path, fields): (&str, &str), after: Duration) -> (bool, TestResponse) {
    let world = asked_by_one(sharing).await;
    let fields: Value = serde_json::from_str(fields).unwrap();
    world.aws.set_knobs(Knobs { latency_ms: AT_AWS.as_millis().try_into().unwrap(), ..Knobs::default() });
    let revocation = async {
        sleep(after).await;
        world.mount.write(path, fields).await
    };

    let (read, revoked) = tokio::join!(world.creds("demo"), revocation);

    world.aws.set_knobs(Knobs::default());
    let known = revoked.status == 200 || revoked.error.contains("knows no live session");
    assert!(known, "{path} after {after:?}: {revoked:?}");
    (read.status == 200 && lives(&world, &read.data).await, read)
}

#[tokio::test]
async fn a_read_under_way_when_its_sessions_are_revoked_comes_to_none_that_lives() {
    let moments = (0..=7).map(|step| AT_AWS * step / 4);
    let schedules = moments.flat_map(|after| {
        REVOCATIONS.into_iter().zip(["none", "identity", "identity", "none"]).map(
            move |(revocation, sharing)| async move {
                (revocation, after, Box::pin(schedule(sharing, revocation, after)).await)
            },
        )
    });

    let ended = join_all(schedules).await;

    for (revocation, after, (lives, read)) in &ended {
        assert!(!lives, "{revocation:?} after {after:?}: {read:?}");
    }
    let refused = ended.iter().filter(|(.., (_, read))| read.status == 503);
    assert!(refused.clone().count() >= REVOCATIONS.len(), "reads were caught under way");
    for (.., (_, read)) in refused {
        assert!(read.error.contains("ask again"), "{read:?}");
    }
}

#[tokio::test]
async fn a_read_that_a_break_glass_holds_up_goes_on_with_a_session_that_lives() {
    let world = asked_by_one("none").await;
    let before = world.ok(world.creds("demo").await);
    let asked = world.asked("GetRolePolicy").await;

    let during = async {
        world.asked_beyond("GetRolePolicy", asked).await;
        sleep(Duration::from_millis(100)).await;
        world.creds("demo").await
    };
    let (reply, read) = tokio::join!(world.mount.write("roles/demo/revoke-sessions", json!({})), during);

    world.ok(reply);
    assert!(lives(&world, &world.ok(read)).await);
    assert!(!lives(&world, &before).await);
}
