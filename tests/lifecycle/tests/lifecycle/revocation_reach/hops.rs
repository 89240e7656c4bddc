//! Sessions of a second account that the denied sessions made: what the answers tell of them, and what ends them.

use aws_emulator::Emulator;
use harness::{ROLE_ARN, TARGET_ROLE_ARN, admin, second_account};
use lifecycle::World;
use serde_json::{Map, Value, json};

use super::{lives, revoke};

/// A world whose role `demo` leads into a second account.
struct TwoAccounts {
    world: World,
    target: Emulator,
}

impl TwoAccounts {
    async fn new() -> Self {
        let world = World::new().await;
        let target = second_account(&world.aws, &json!({})).await;
        let role = json!({ "role_arn": ROLE_ARN, "target_role_arn": TARGET_ROLE_ARN });
        world.ok(world.mount.write("roles/demo", role).await);
        Self { world, target }
    }

    async fn session(&self) -> Map<String, Value> {
        let session = self.world.ok(self.world.creds("demo").await);
        assert_eq!(session["role_arn"], TARGET_ROLE_ARN);
        session
    }

    /// Applies the policy of an answer with credentials of the target's account.
    async fn apply(&self, answer: &Map<String, Value>) {
        let policy = answer["target_policies"][TARGET_ROLE_ARN].as_str().expect("a policy for the target");
        let mut state = admin(self.target.url(), "GET", "state", None).await;
        let document: Value = serde_json::from_str(policy).unwrap();
        state["roles"][0]["policies"] = json!({ "iamra-revoked": document });
        admin(self.target.url(), "PUT", "state", Some(state)).await;
    }

    /// A bucket of the record of sessions, by its key.
    async fn bucket(&self) -> String {
        self.world.recorded().await;
        format!("session/{}", self.world.mount.storage.list("session/").await.unwrap().remove(0))
    }
}

const BREAK_GLASS: &str = "roles/demo/revoke-sessions";

#[tokio::test]
async fn the_break_glass_has_the_policy_that_ends_the_hops_and_leaves_the_next_one() {
    let two = TwoAccounts::new().await;
    let session = two.session().await;

    let answer = two.world.ok(two.world.mount.write(BREAK_GLASS, json!({})).await);

    let (lived_on, next) = (lives(&two.world, &session).await, two.session().await);
    two.apply(&answer).await;
    let live = [lives(&two.world, &session).await, lives(&two.world, &next).await];
    assert_eq!((lived_on, live), (true, [false, true]), "{answer:?}");
}

#[tokio::test]
async fn a_break_glass_names_the_parts_of_the_record_that_are_damaged_and_ends_the_rest() {
    let two = TwoAccounts::new().await;
    let session = two.session().await;
    let damaged = format!("{}damaged", two.bucket().await);
    two.world.mount.storage.put(&damaged, b"{".to_vec()).await.unwrap();

    let reply = two.world.mount.write(BREAK_GLASS, json!({})).await;

    let told = reply.warnings.iter().find(|warning| warning.contains(&damaged));
    assert!(told.is_some_and(|told| told.contains("they are denied with the others")), "{reply:?}");
    two.apply(&reply.data).await;
    assert!(!lives(&two.world, &session).await);
}

#[tokio::test]
async fn a_break_glass_denies_what_it_must_although_storage_gives_no_record() {
    let mut two = TwoAccounts::new().await;
    two.world.ok(two.world.mount.write("roles/plain", json!({ "role_arn": ROLE_ARN })).await);
    let one = two.world.ok(two.world.creds("plain").await);
    two.bucket().await;
    two.world.restart().await;
    two.world.mount.storage.fail_reads("session/");

    let reply = two.world.mount.write(BREAK_GLASS, json!({})).await;

    assert_eq!((reply.status, &reply.data["sessions"]), (200, &json!(0)), "{reply:?}");
    assert!(!lives(&two.world, &one).await);
    let told = reply.warnings.iter().find(|warning| warning.contains("cannot be read: session/; "));
    assert!(told.is_some_and(|told| told.contains("\"Revoke active sessions\"")), "{reply:?}");
}

#[tokio::test]
async fn the_response_to_a_leaked_key_tells_of_the_hops_too() {
    let two = TwoAccounts::new().await;
    let root = json!({ "common_name": "second root", "issuer_name": "second" });
    two.world.ok(two.world.mount.write("root/generate/internal", root).await);
    two.session().await;

    let answer = two.world.ok(two.world.mount.write("issuer/first/compromised", json!({})).await);

    let report = json!(answer).to_string();
    assert!(report.contains("aws iam put-role-policy --role-name target"), "{report}");
}

#[tokio::test]
async fn a_serial_number_that_the_record_lacks_has_the_policy_that_ends_its_hops_and_no_others() {
    let mut two = TwoAccounts::new().await;
    let (session, neighbour) = (two.session().await, two.session().await);
    assert_ne!(session["serial_number"], neighbour["serial_number"]);
    two.world.forget_and_restart().await;

    let fields = json!({ "serial_number": session["serial_number"], "role": "demo" });
    let reply = revoke(&two.world, fields).await;

    let told = reply.warnings.join("\n");
    assert!(told.contains("aws iam put-role-policy --role-name target "), "{reply:?}");
    assert!(told.contains("which sessions of further roles it made"), "{told}");
    let lived_on = lives(&two.world, &session).await;
    two.apply(&reply.data).await;
    let live = [lives(&two.world, &session).await, lives(&two.world, &neighbour).await];
    assert_eq!((lived_on, live), (true, [false, true]), "{reply:?}");
}

#[tokio::test]
async fn a_serial_number_that_the_record_lacks_of_a_role_without_a_target_now_has_the_policy_for_any_target()
{
    let mut two = TwoAccounts::new().await;
    let session = two.session().await;
    two.world.ok(two.world.mount.delete("roles/demo").await);
    two.world.ok(two.world.mount.write("roles/demo", json!({ "role_arn": ROLE_ARN })).await);
    two.world.forget_and_restart().await;

    let fields = json!({ "serial_number": session["serial_number"], "role": "demo" });
    let reply = revoke(&two.world, fields).await;

    assert_eq!(reply.data.get("target_policies"), None);
    let told = reply.warnings.join("\n");
    let policy = told.split("--policy-document '").nth(1).unwrap().split('\'').next().unwrap();
    two.apply(json!({ "target_policies": { TARGET_ROLE_ARN: policy } }).as_object().unwrap()).await;
    assert!(!lives(&two.world, &session).await, "{told}");
}

#[tokio::test]
async fn where_a_serial_number_names_no_session_of_the_iam_role_it_still_names_those_of_the_target() {
    let mut two = TwoAccounts::new().await;
    two.world.change(|state| state["profiles"][0]["accept_role_session_name"] = json!(true)).await;
    let named =
        json!({ "role_arn": ROLE_ARN, "target_role_arn": TARGET_ROLE_ARN, "role_session_name": "worker" });
    two.world.ok(two.world.mount.write("roles/demo", named).await);
    let session = two.session().await;
    two.world.forget_and_restart().await;

    let fields = json!({ "serial_number": session["serial_number"], "role": "demo" });
    let refused = revoke(&two.world, fields).await;

    assert_eq!(refused.status, 400, "{refused:?}");
    let name = session["serial_number"].as_str().unwrap().replace(':', "");
    assert!(refused.error.contains(&format!(r#""aws:userid":["*:{name}"]"#)), "{}", refused.error);
}

#[tokio::test]
async fn hops_of_sessions_that_end_along_are_told_of_too() {
    let mut two = TwoAccounts::new().await;
    two.world.change(|state| state["profiles"][0]["accept_role_session_name"] = json!(true)).await;
    let named = json!({ "role_arn": ROLE_ARN, "role_session_name": "worker", "common_name": "demo" });
    two.world.ok(two.world.mount.write("roles/named", named).await);
    let hop = two.session().await;
    two.world.mount.entity_id = Some("one".to_owned());
    let one = two.world.ok(two.world.creds("named").await);

    let fields = json!({ "serial_number": one["serial_number"], "force": true });
    let answer = two.world.ok(revoke(&two.world, fields).await);

    two.apply(&answer).await;
    assert_eq!((lives(&two.world, &one).await, lives(&two.world, &hop).await), (false, false), "{answer:?}");
}

#[tokio::test]
async fn a_denial_that_aws_refuses_still_has_the_command_that_ends_the_hops() {
    let two = TwoAccounts::new().await;
    let session = two.session().await;
    two.world.forbid("iamra-revocation", "iam:PutRolePolicy").await;

    let one = revoke(&two.world, json!({ "serial_number": session["serial_number"] })).await;
    let all = two.world.mount.write(BREAK_GLASS, json!({})).await;

    for refused in [one, all] {
        assert_eq!(refused.status, 400, "{refused:?}");
        let is_told = ["iam:PutRolePolicy", "aws iam put-role-policy --role-name target "]
            .iter()
            .all(|text| refused.error.contains(text));
        assert!(is_told, "{}", refused.error);
    }
}
