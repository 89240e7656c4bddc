//! What a revocation must not miss, and what it must not take from others unasked.

mod denials;
mod hops;

use std::time::Duration;

use aws_emulator::Knobs;
use harness::{ROLE_ARN, until};
use lifecycle::{World, role_of};
use serde_json::{Map, Value, json};
use vault_backend::testing::TestResponse;

const OTHER_ROLE_ARN: &str = "arn:aws:iam::111122223333:role/other";
/// How long a denial may take until it is in force: far more than the emulator delays it.
const IN_FORCE: Duration = Duration::from_secs(60);

/// A read of `role` by `entity`.
async fn session_of(world: &mut World, role: &str, entity: &str) -> Map<String, Value> {
    world.mount.entity_id = Some(entity.to_owned());
    world.ok(world.creds(role).await)
}

async fn revoke(world: &World, fields: Value) -> TestResponse {
    world.mount.write("revoke", fields).await
}

/// Whether AWS takes the next signed call of the session.
async fn lives(world: &World, session: &Map<String, Value>) -> bool {
    world.caller(session).await.is_ok()
}

/// A world in which the role `demo` names its sessions itself; each caller has one of its own.
async fn self_named() -> World {
    let world = World::new().await;
    world.change(|state| state["profiles"][0]["accept_role_session_name"] = json!(true)).await;
    let role = json!({ "role_arn": ROLE_ARN, "role_session_name": "worker", "session_sharing": "none" });
    world.ok(world.mount.write("roles/demo", role).await);
    world
}

/// A world in which `roles/other` leads to an IAM role that the engine may not write to.
async fn with_other_role() -> World {
    let world = World::new().await;
    world
        .change(|state| {
            let mut other = role_of(state, "demo").clone();
            other["name"] = json!("other");
            state["roles"].as_array_mut().unwrap().push(other);
            state["profiles"][0]["role_arns"].as_array_mut().unwrap().push(json!(OTHER_ROLE_ARN));
            role_of(state, "iamra-revocation")["policies"]["duty"]["Statement"][0]["Resource"] =
                json!(OTHER_ROLE_ARN);
        })
        .await;
    world.ok(world.mount.write("roles/other", json!({ "role_arn": OTHER_ROLE_ARN })).await);
    world
}

#[tokio::test]
async fn after_a_break_glass_that_aws_was_slow_to_let_in_the_next_session_lives() {
    let world = World::new().await;
    let before = world.ok(world.creds("demo").await);
    let asked = world.asked("CreateSession").await;
    world.aws.set_knobs(Knobs { latency_ms: 1500, ..Knobs::default() });

    let soon_well = async {
        world.asked_beyond("CreateSession", asked).await;
        world.aws.set_knobs(Knobs::default());
    };
    let (reply, ()) = tokio::join!(world.mount.write("roles/demo/revoke-sessions", json!({})), soon_well);
    world.ok(reply);
    let next = world.ok(world.creds("demo").await);

    assert!(!lives(&world, &before).await);
    assert!(lives(&world, &next).await, "a session that was made after it is not denied");
}

#[tokio::test]
async fn the_break_glass_says_how_many_sessions_it_ends_that_were_handed_out_here() {
    let world = World::new().await;
    for _ in 0..3 {
        world.ok(world.creds("demo").await);
    }

    let data = world.ok(world.mount.write("roles/demo/revoke-sessions", json!({})).await);

    assert_eq!(data["sessions"], 3, "{data:?}");
}

#[tokio::test]
async fn a_break_glass_of_a_moment_to_come_is_brought_back_to_now() {
    let world = World::new().await;
    world.ok(world.mount.write("roles/demo/revoke-sessions", json!({})).await);
    let (name, document) = world.policies("demo").await.into_iter().next().unwrap();
    let moment = document.as_str().unwrap().split("TokenIssueTime\":\"").nth(1).unwrap();
    let year = &moment[..4];
    let ahead = document.as_str().unwrap().replace(&format!("\"{year}-"), "\"2099-");
    assert_ne!(ahead, document.as_str().unwrap(), "the moment stands in the document");
    world.put_policy("demo", &name, json!(ahead)).await;

    world.ok(world.mount.write("roles/demo/revoke-sessions", json!({})).await);

    let next = world.ok(world.creds("demo").await);
    assert!(lives(&world, &next).await);
}

#[tokio::test]
async fn a_serial_number_alone_does_not_end_a_session_that_its_role_named() {
    let mut world = self_named().await;
    let one = session_of(&mut world, "demo", "one").await;
    world.forget_and_restart().await;

    let reply = revoke(&world, json!({ "serial_number": one["serial_number"], "role": "demo" })).await;

    assert_eq!(reply.status, 400, "a denial by serial number would have no effect: {reply:?}");
    assert!(reply.error.contains("role_session_name"), "{}", reply.error);
    assert!(reply.error.contains("test/roles/demo/revoke-sessions"), "{}", reply.error);
    assert!(world.policies("demo").await.is_empty());
}

#[tokio::test]
async fn callers_of_one_source_identity_are_not_ended_together_unless_it_is_forced() {
    let mut world = self_named().await;
    let one = session_of(&mut world, "demo", "one").await;
    let two = session_of(&mut world, "demo", "two").await;

    let refused = revoke(&world, json!({ "entity_id": "one" })).await;
    let lived_on = lives(&world, &one).await && lives(&world, &two).await;
    world.ok(revoke(&world, json!({ "entity_id": "one", "force": true })).await);

    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.error.contains("source identity \"CN=demo\""), "{}", refused.error);
    assert!(refused.error.contains("force=true"), "{}", refused.error);
    assert!(lived_on, "a refusal ends nothing");
    assert!(!lives(&world, &one).await && !lives(&world, &two).await);
}

#[tokio::test]
async fn sessions_that_end_along_are_not_handed_out_again() {
    let mut world = self_named().await;
    let shared = json!({ "role_arn": ROLE_ARN, "common_name": "demo", "session_sharing": "identity" });
    world.ok(world.mount.write("roles/shared", shared).await);
    let one = session_of(&mut world, "demo", "one").await;
    let along = session_of(&mut world, "shared", "two").await;

    world.ok(revoke(&world, json!({ "serial_number": one["serial_number"], "force": true })).await);

    let next = session_of(&mut world, "shared", "two").await;
    assert!(!lives(&world, &along).await);
    assert!(lives(&world, &next).await);
}

#[tokio::test]
async fn a_serial_number_of_another_role_is_refused_with_the_role_it_is_of() {
    let world = World::new().await;
    world.ok(world.mount.write("roles/second", json!({ "role_arn": ROLE_ARN })).await);
    let one = world.ok(world.creds("demo").await);

    let reply = revoke(&world, json!({ "serial_number": one["serial_number"], "role": "second" })).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("belongs to the role \"demo\""), "{}", reply.error);
}

#[tokio::test]
async fn an_iam_role_that_cannot_be_reached_keeps_no_other_sessions_alive() {
    let mut world = with_other_role().await;
    let kept = session_of(&mut world, "demo", "one").await;
    let ended = session_of(&mut world, "other", "one").await;

    let data = world.ok(revoke(&world, json!({ "entity_id": "one" })).await);

    assert!(lives(&world, &kept).await && !lives(&world, &ended).await);
    assert_eq!(data["revoked"].as_array().unwrap().len(), 1);
    let failed = data["failed"][0].as_str().unwrap();
    assert!(failed.starts_with(ROLE_ARN) && failed.contains("iam:GetRolePolicy"), "{failed}");
}

#[tokio::test]
async fn a_denial_that_iam_does_not_show_yet_is_not_lost_to_the_next_one() {
    let world = World::new().await;
    let (one, two) = (world.ok(world.creds("demo").await), world.ok(world.creds("demo").await));
    world.aws.set_knobs(Knobs { policy_delay_ms: 4000, policy_reads_delayed: true, ..Knobs::default() });

    let first = world.ok(revoke(&world, json!({ "serial_number": one["serial_number"] })).await);
    let second = world.ok(revoke(&world, json!({ "serial_number": two["serial_number"] })).await);

    assert_eq!((&first["seen_at_iam"], &second["seen_at_iam"]), (&json!(false), &json!(false)));
    let (_, document) = world.policies("demo").await.into_iter().next().unwrap();
    for session in [&one, &two] {
        let name = session["serial_number"].as_str().unwrap().replace(':', "");
        assert!(document.as_str().unwrap().contains(&name), "no {name} in {document}");
    }
}

#[tokio::test]
async fn a_denial_that_iam_refused_does_not_come_with_the_next_one() {
    let world = World::new().await;
    let (one, two) = (world.ok(world.creds("demo").await), world.ok(world.creds("demo").await));

    world.forbid("iamra-revocation", "iam:PutRolePolicy").await;
    let refused = revoke(&world, json!({ "serial_number": one["serial_number"] })).await;
    world.permit("iamra-revocation", "iam:PutRolePolicy").await;
    world.ok(revoke(&world, json!({ "serial_number": two["serial_number"] })).await);

    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(lives(&world, &one).await && !lives(&world, &two).await);
}

#[tokio::test]
async fn a_serial_number_that_is_not_known_says_in_which_iam_role_it_is_denied_and_takes_another() {
    let mut world = with_other_role().await;
    let moved = session_of(&mut world, "other", "one").await;
    world.ok(world.mount.write("roles/other", json!({ "role_arn": ROLE_ARN })).await);
    world
        .change(|state| {
            role_of(state, "iamra-revocation")["policies"]["duty"]["Statement"][0]["Resource"] = json!("*");
        })
        .await;
    world.forget_and_restart().await;
    let fields = json!({ "serial_number": moved["serial_number"], "role": "other" });

    let elsewhere = revoke(&world, fields.clone()).await;
    let lived_on = lives(&world, &moved).await;
    let mut of_then = fields;
    of_then["role_arn"] = json!(OTHER_ROLE_ARN);
    let there = world.ok(revoke(&world, of_then).await);

    let warnings = elsewhere.warnings.join("\n");
    assert!(
        lived_on && warnings.contains(&format!("denied in {ROLE_ARN}")) && warnings.contains("role_arn="),
        "{warnings}"
    );
    assert_eq!(there["role_arns"], json!([OTHER_ROLE_ARN]));
    assert!(!lives(&world, &moved).await);
}

#[tokio::test]
async fn whoever_revokes_an_entity_is_told_how_to_find_those_that_were_merged_into_it() {
    let mut world = World::new().await;
    session_of(&mut world, "demo", "survivor").await;

    let found = revoke(&world, json!({ "entity_id": "survivor" })).await;
    let unknown = revoke(&world, json!({ "entity_id": "nobody" })).await;

    let command = |id: &str| format!("vault read -field=merged_entity_ids identity/entity/id/{id}");
    assert!(found.warnings.join("\n").contains(&command("survivor")), "{found:?}");
    assert!(unknown.error.contains(&command("nobody")), "{}", unknown.error);
}

#[tokio::test]
async fn sessions_of_before_the_record_are_told_of_beside_those_that_are_ended() {
    let mut world = World::new().await;
    let before = session_of(&mut world, "demo", "one").await;
    world.forget_and_restart().await;
    let after = session_of(&mut world, "demo", "one").await;

    let reply = revoke(&world, json!({ "entity_id": "one" })).await;

    assert_eq!((lives(&world, &before).await, lives(&world, &after).await), (true, false));
    let is_warned = reply
        .warnings
        .iter()
        .any(|warning| warning.contains("from before the mount's record of sessions, which begins at "));
    assert!(is_warned, "{:?}", reply.warnings);
}

#[tokio::test]
async fn nobody_is_handed_a_denied_session_while_iam_is_slow_to_show_the_denial() {
    let mut world = World::new().await;
    let role = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
    world.ok(world.mount.write("roles/demo", role).await);
    for command in ["revoke", "roles/demo/revoke-sessions"] {
        let kept = session_of(&mut world, "demo", "one").await;
        let fields = match command {
            "revoke" => json!({ "serial_number": kept["serial_number"] }),
            _ => json!({}),
        };
        let puts = world.asked("PutRolePolicy").await;
        world.aws.set_knobs(Knobs { policy_delay_ms: 3000, policy_reads_delayed: true, ..Knobs::default() });

        let meanwhile = async {
            world.asked_beyond("PutRolePolicy", puts).await;
            world.ok(world.creds("demo").await)
        };
        let (reply, session) = tokio::join!(world.mount.write(command, fields), meanwhile);
        world.ok(reply);
        world.aws.set_knobs(Knobs::default());
        until("the denial in force", IN_FORCE, async || (!lives(&world, &kept).await).then_some(())).await;

        assert!(lives(&world, &session).await, "{command}");
    }
}

#[tokio::test]
async fn a_denial_whose_answer_was_lost_leaves_nobody_with_a_dead_session() {
    let mut world = World::new().await;
    let role = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
    world.ok(world.mount.write("roles/demo", role).await);
    let kept = session_of(&mut world, "demo", "one").await;

    let reads = world.asked("GetRolePolicy").await;
    let soon_lost = async {
        world.asked_beyond("GetRolePolicy", reads).await;
        world.aws.set_knobs(Knobs { lose_reply_next: 2, ..Knobs::default() });
    };
    let command = world.mount.write("roles/demo/revoke-sessions", json!({}));
    let (reply, ()) = tokio::join!(command, soon_lost);
    let next = world.ok(world.creds("demo").await);

    assert!(reply.status >= 400, "{reply:?}");
    assert!(!lives(&world, &kept).await && lives(&world, &next).await);
}

#[tokio::test]
async fn who_asks_for_a_session_while_it_is_revoked_gets_another_one() {
    let mut world = World::new().await;
    let role = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
    world.ok(world.mount.write("roles/demo", role).await);
    let session = session_of(&mut world, "demo", "one").await;
    world.aws.set_knobs(Knobs { latency_ms: 300, ..Knobs::default() });
    world.mount.entity_id = Some("two".to_owned());

    let fields = json!({ "serial_number": session["serial_number"] });
    let (reply, other) = tokio::join!(world.mount.write("revoke", fields), async {
        tokio::task::yield_now().await;
        world.ok(world.creds("demo").await)
    });

    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!lives(&world, &session).await && lives(&world, &other).await);
}

#[tokio::test]
async fn an_unknown_serial_number_of_a_role_whose_callers_share_has_to_be_forced() {
    let mut world = World::new().await;
    let role = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
    world.ok(world.mount.write("roles/demo", role).await);
    let session = session_of(&mut world, "demo", "one").await;
    world.forget_and_restart().await;
    let fields = json!({ "serial_number": session["serial_number"], "role": "demo" });

    let refused = revoke(&world, fields.clone()).await;
    let lived_on = lives(&world, &session).await;
    let mut forced = fields;
    forced["force"] = json!(true);
    world.ok(revoke(&world, forced).await);

    assert!(refused.status == 400 && refused.error.contains("force=true"), "{refused:?}");
    assert!(lived_on && !lives(&world, &session).await);
}

#[tokio::test]
async fn a_break_glass_without_room_does_not_name_itself_as_the_cure() {
    let world = World::new().await;
    let actions: Vec<String> = (0..508).map(|number| format!("s3:GetObject{number:05}")).collect();
    let stuffing = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": actions, "Resource": "*" },
    ]});
    world.put_policy("demo", "somebody-elses", stuffing).await;

    let reply = world.mount.write("roles/demo/revoke-sessions", json!({})).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(
        !reply.error.contains("revoke-sessions") && !reply.error.contains("the others take"),
        "{reply:?}"
    );
    assert!(reply.error.contains("managed policy"), "{}", reply.error);
}

#[tokio::test]
async fn a_cluster_that_is_not_registered_is_told_apart_from_one_without_sessions() {
    let world = World::new().await;

    let reply = revoke(&world, json!({ "cluster": "nope" })).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(
        reply.error.contains("there is no cluster \"nope\": vault list test/clusters"),
        "{}",
        reply.error
    );
}
