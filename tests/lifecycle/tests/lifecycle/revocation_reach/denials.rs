//! What a mount notes of the denials in IAM roles, and takes out of them when they are over.

use aws_emulator::Knobs;
use harness::ROLE_ARN;
use lifecycle::{World, role_of};
use serde_json::{Map, Value, json};
use vault_backend::testing::TestMount;

use super::{lives, revoke};

#[tokio::test]
async fn the_next_revocation_takes_out_what_is_over() {
    let world = World::new().await;
    let (one, two) = (world.ok(world.creds("demo").await), world.ok(world.creds("demo").await));
    world.ok(revoke(&world, json!({ "serial_number": one["serial_number"] })).await);
    let (name, document) = world.policies("demo").await.into_iter().next().unwrap();
    let past = document.as_str().unwrap().replace("Until2026", "Until2025");
    world.put_policy("demo", &name, json!(past)).await;
    let mount: TestMount<engine::Engine> =
        Box::pin(TestMount::over(world.mount.storage.clone())).await.unwrap();
    let fields = json!({ "serial_number": two["serial_number"], "role": "demo" });

    world.ok(mount.write("revoke", fields).await);

    let (_, document) = world.policies("demo").await.into_iter().next().unwrap();
    let name_of = |session: &Map<String, Value>| session["serial_number"].as_str().unwrap().replace(':', "");
    let document = document.as_str().unwrap();
    assert!(!document.contains(&name_of(&one)) && document.contains(&name_of(&two)), "{document}");
}

#[tokio::test]
async fn what_is_over_leaves_the_iam_role_with_vaults_tick() {
    let world = World::new().await;
    let one = world.ok(world.creds("demo").await);
    world.ok(revoke(&world, json!({ "serial_number": one["serial_number"] })).await);
    let key = "denials/111122223333.demo";
    let mut record: Value = world.mount.storage.get_json(key).await.unwrap().unwrap();
    record["until"] = json!(1_700_000_000);
    world.mount.storage.put_json(key, &record).await.unwrap();
    let (name, document) = world.policies("demo").await.into_iter().next().unwrap();
    let past = document.as_str().unwrap().replace("Until2026", "Until2025");
    world.put_policy("demo", &name, json!(past)).await;
    let mount: TestMount<engine::Engine> =
        Box::pin(TestMount::over(world.mount.storage.clone())).await.unwrap();

    mount.periodic().await;

    assert!(world.policies("demo").await.is_empty());
    assert_eq!(mount.storage.get_json::<Value>(key).await.unwrap(), None);
}

#[tokio::test]
async fn vaults_tick_leaves_a_denial_that_still_matters() {
    let world = World::new().await;
    let one = world.ok(world.creds("demo").await);
    world.ok(revoke(&world, json!({ "serial_number": one["serial_number"] })).await);
    let reads = world.asked("GetRolePolicy").await;

    world.mount.periodic().await;

    assert_eq!(world.asked("GetRolePolicy").await, reads);
    assert!(!lives(&world, &one).await);
}

/// A world with one more IAM role and a role of the engine's that leads there.
async fn with_iam_role(name: &str) -> World {
    let world = World::new().await;
    let arn = ROLE_ARN.replace("role/demo", &format!("role/{name}"));
    world
        .change(|state| {
            let mut other = role_of(state, "demo").clone();
            other["name"] = json!(name);
            state["roles"].as_array_mut().unwrap().push(other);
            state["profiles"][0]["role_arns"].as_array_mut().unwrap().push(json!(arn));
        })
        .await;
    world.ok(world.mount.write("roles/other", json!({ "role_arn": arn })).await);
    world
}

#[tokio::test]
async fn sessions_of_an_iam_role_with_dots_in_a_row_end_and_are_noted_under_a_key_that_vault_takes() {
    let world = with_iam_role("..app..one").await;
    let one = world.ok(world.creds("other").await);

    world.ok(world.mount.write("roles/other/revoke-sessions", json!({})).await);

    assert!(!lives(&world, &one).await);
    let puts = world.mount.storage.puts();
    let noted: Vec<_> = puts.iter().filter(|key| key.starts_with("denials/")).collect();
    assert!(!noted.is_empty() && noted.iter().all(|key| !key.contains("..")), "{noted:?}");
}

#[tokio::test]
async fn a_denial_that_cannot_be_noted_is_made_all_the_same_and_says_what_is_left_to_do() {
    for break_glass in [true, false] {
        let world = World::new().await;
        let one = world.ok(world.creds("demo").await);
        world.mount.storage.break_after(0);

        let reply = if break_glass {
            world.mount.write("roles/demo/revoke-sessions", json!({})).await
        } else {
            revoke(&world, json!({ "serial_number": one["serial_number"] })).await
        };

        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(!lives(&world, &one).await);
        let unrecorded = reply.warnings.iter().find(|warning| warning.contains("could not record"));
        assert!(
            unrecorded.is_some_and(|warning| warning.contains("delete the policy after 20")),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn a_denial_that_this_node_may_not_note_is_left_to_one_that_may() {
    let world = World::new().await;
    let one = world.ok(world.creds("demo").await);
    world.mount.storage.fail_writes(true);

    let reply = world.mount.write("roles/demo/revoke-sessions", json!({})).await;

    assert_eq!((reply.status, reply.error.as_str()), (500, "cannot write to readonly storage"));
    assert!(lives(&world, &one).await, "the node that Vault forwards it to denies it");
}

/// Notes that the IAM roles hold denials which are over.
async fn over(world: &World, roles: &[&str]) {
    for role in roles {
        let record = json!({ "role_arn": ROLE_ARN.replace("role/demo", &format!("role/{role}")), "until": 1_700_000_000 });
        world.mount.storage.put_json(&format!("denials/111122223333.{role}"), &record).await.unwrap();
    }
}

async fn noted(world: &World) -> Vec<String> {
    world.mount.storage.list("denials/").await.unwrap()
}

#[tokio::test]
async fn what_is_over_in_two_iam_roles_leaves_them_by_one_session_of_the_engine() {
    let world = with_iam_role("app").await;
    over(&world, &["app", "demo"]).await;
    world.mount.periodic().await;
    over(&world, &["app", "demo"]).await;
    let mount: TestMount<engine::Engine> =
        Box::pin(TestMount::over(world.mount.storage.clone())).await.unwrap();
    let asked = world.asked("CreateSession").await;

    mount.periodic().await;

    assert!(noted(&world).await.is_empty());
    // one looks at the trust anchor
    assert_eq!(world.asked("CreateSession").await - asked, 2);
}

#[tokio::test]
async fn what_is_over_waits_for_the_next_tick_while_a_revocation_is_under_way() {
    let world = with_iam_role("app").await;
    world.mount.periodic().await;
    over(&world, &["app"]).await;
    let mount: TestMount<engine::Engine> =
        Box::pin(TestMount::over(world.mount.storage.clone())).await.unwrap();
    world.aws.set_knobs(Knobs { latency_ms: 400, ..Knobs::default() });

    let revocation = async {
        let reply = mount.write("roles/demo/revoke-sessions", json!({})).await;
        (reply, std::time::Instant::now())
    };
    let tick = async {
        mount.periodic().await;
        std::time::Instant::now()
    };
    let ((revoked, revoked_at), ticked_at) = tokio::join!(revocation, tick);
    let left = noted(&world).await;
    mount.periodic().await;

    assert_eq!(revoked.status, 200, "{revoked:?}");
    assert!(ticked_at < revoked_at, "the tick waited for the revocation");
    let app = "111122223333.app".to_owned();
    assert!(left.contains(&app), "{left:?}");
    assert!(!noted(&world).await.contains(&app), "the next tick took it out");
}
