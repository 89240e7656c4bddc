//! One mount, roles in several AWS accounts: each has its own trust anchor, profile and management roles.

use aws_emulator::{Emulator, Options};
use harness::{ACCOUNT, ROLE_ARN};
use lifecycle::{World, role_of};
use serde_json::{Map, Value, json};

const OTHER: &str = "444455556666";
const BY_HAND: &str = "777788889999";
const UPDATE: &str = "rolesanywhere:UpdateTrustAnchor";

/// The usual world, and a second account beside its own, which is answered for at the same address.
struct Two {
    one: World,
    other: Emulator,
}

/// The same in another account.
fn in_account(account: &str, here: &Value) -> Value {
    serde_json::from_str(&here.to_string().replace(ACCOUNT, account)).unwrap()
}

/// The AWS of `account`, a copy of the usual one that is answered for at the same address.
async fn beside(one: &World, account: &str) -> Emulator {
    let state = serde_json::from_value(in_account(account, &one.state().await)).unwrap();
    let aws = Emulator::start(state, Options::default()).await;
    one.aws.join(&aws);
    aws
}

/// A role of the mount in `account`, by that account's anchor and profile.
async fn write_role(one: &World, name: &str, account: &str) {
    let mut role = json!({ "role_arn": ROLE_ARN, "profile_arn": harness::PROFILE_ARN });
    role["trust_anchor_arn"] = json!(harness::TRUST_ANCHOR_ARN);
    one.ok(one.mount.write(&format!("roles/{name}"), in_account(account, &role)).await);
}

/// How many certificates the anchor of an account holds.
async fn held(aws: &Emulator) -> usize {
    let state = harness::admin(aws.url(), "GET", "state", None).await;
    let pem = state["trust_anchors"][0]["certificates_pem"].as_str().unwrap_or_default();
    pem.matches("BEGIN CERTIFICATE").count()
}

impl Two {
    async fn new() -> Two {
        let one = World::new().await;
        let other = beside(&one, OTHER).await;
        one.ok(one.mount.write("trust-anchors/other", in_account(OTHER, &harness::managed_anchor())).await);
        write_role(&one, "other", OTHER).await;
        Two { one, other }
    }

    /// Changes the state of the other account.
    async fn change(&self, edit: impl FnOnce(&mut Value)) {
        let mut state = harness::admin(self.other.url(), "GET", "state", None).await;
        edit(&mut state);
        harness::admin(self.other.url(), "PUT", "state", Some(state)).await;
    }

    fn asked_there(&self, operation: &str) -> usize {
        self.other.log().iter().filter(|entry| entry.operation == operation).count()
    }

    /// A session in each account.
    async fn sessions(&self) -> [Map<String, Value>; 2] {
        [self.one.ok(self.one.creds("demo").await), self.one.ok(self.one.creds("other").await)]
    }

    async fn live(&self, sessions: &[Map<String, Value>; 2]) -> [bool; 2] {
        [self.one.caller(&sessions[0]).await.is_ok(), self.one.caller(&sessions[1]).await.is_ok()]
    }

    async fn sync(&self, name: &str) -> u16 {
        self.one.mount.write(&format!("trust-anchors/{name}/sync"), json!({})).await.status
    }
}

#[tokio::test]
async fn a_session_is_of_the_account_that_its_role_is_in() {
    let two = Two::new().await;

    let sessions = two.sessions().await;

    let accounts = [two.one.caller(&sessions[0]).await.unwrap(), two.one.caller(&sessions[1]).await.unwrap()];
    assert_eq!(accounts.map(|caller| caller.account), [ACCOUNT, OTHER]);
}

#[tokio::test]
async fn a_switch_waits_until_the_anchor_of_each_account_holds_the_next_issuer() {
    let two = Two::new().await;
    let mount = &two.one.mount;
    let next = json!({ "common_name": "second root", "issuer_name": "second" });
    two.one.ok(mount.write("root/generate/internal", next).await);
    two.change(|state| {
        let actions = &mut role_of(state, "iamra-trust-anchor")["policies"]["duty"]["Statement"][0]["Action"];
        actions.as_array_mut().unwrap().retain(|action| action != UPDATE);
    })
    .await;

    let synced = [two.sync("main").await, two.sync("other").await];
    let refused = mount.write("config/issuers", json!({ "default": "second" })).await;
    two.change(|state| {
        let actions = &mut role_of(state, "iamra-trust-anchor")["policies"]["duty"]["Statement"][0]["Action"];
        actions.as_array_mut().unwrap().push(json!(UPDATE));
    })
    .await;
    let mended = two.sync("other").await;
    two.one.ok(mount.write("config/issuers", json!({ "default": "second" })).await);

    assert_eq!((synced, mended), ([200, 400], 200));
    assert!(refused.error.contains("trust-anchors/other does not hold"), "{refused:?}");
    two.sessions().await;
}

#[tokio::test]
async fn a_rotation_brings_every_anchor_in_sync_but_the_one_that_is_kept_by_hand() {
    let two = Two::new().await;
    let mount = &two.one.mount;
    let third = beside(&two.one, BY_HAND).await;
    let mut entry = in_account(BY_HAND, &harness::managed_anchor());
    entry.as_object_mut().unwrap().remove("management_role_arn");
    two.one.ok(mount.write("trust-anchors/by-hand", entry).await);
    write_role(&two.one, "by-hand", BY_HAND).await;
    let next = json!({ "common_name": "second root", "issuer_name": "second" });
    two.one.ok(mount.write("root/generate/internal", next).await);

    mount.periodic().await;
    let holds = [two.one.held().await, held(&two.other).await, held(&third).await];
    two.one.ok(mount.write("config/issuers", json!({ "default": "second" })).await);
    let bundle = two.one.pem("trust-bundle").await;
    let mut state = harness::admin(third.url(), "GET", "state", None).await;
    state["trust_anchors"][0]["certificates_pem"] = json!(bundle);
    harness::admin(third.url(), "PUT", "state", Some(state)).await;

    assert_eq!(holds, [2, 2, 1]);
    assert!(third.log().iter().all(|entry| entry.operation == "CreateSession"), "{:?}", third.log());
    two.sessions().await;
    let session = two.one.ok(two.one.creds("by-hand").await);
    assert_eq!(two.one.caller(&session).await.unwrap().account, BY_HAND);
}

#[tokio::test]
async fn the_break_glass_of_a_role_is_broken_in_its_own_account_alone() {
    let two = Two::new().await;
    let sessions = two.sessions().await;

    two.one.ok(two.one.mount.write("roles/other/revoke-sessions", json!({})).await);

    assert_eq!(two.live(&sessions).await, [true, false]);
    assert_eq!((two.one.asked("PutRolePolicy").await, two.asked_there("PutRolePolicy")), (0, 1));
}

#[tokio::test]
async fn a_compromise_ends_the_sessions_of_every_account() {
    let two = Two::new().await;
    let next = json!({ "common_name": "second root", "issuer_name": "second" });
    two.one.ok(two.one.mount.write("root/generate/internal", next).await);
    let before = two.sessions().await;

    let answer = two.one.ok(two.one.mount.write("issuer/first/compromised", json!({})).await);
    let after = two.sessions().await;

    assert_eq!(answer["state"], "settling", "{answer:?}");
    assert_eq!((two.live(&before).await, two.live(&after).await), ([false; 2], [true; 2]));
}

#[tokio::test]
async fn a_check_looks_at_the_account_of_its_role() {
    let two = Two::new().await;
    two.change(|state| state["profiles"][0]["enabled"] = json!(false)).await;

    let here = two.one.ok(two.one.mount.read("check/demo").await);
    let there = two.one.ok(two.one.mount.read("check/other").await);

    assert_eq!(here["broken"], json!([]), "{here:#?}");
    assert_eq!(there["broken"], json!(["08_profile", "12_create_session"]), "{there:#?}");
    assert!(there["07_trust_anchor"].as_str().unwrap().starts_with("ok: "), "{there:#?}");
}

#[tokio::test]
async fn an_account_is_reached_by_another_of_its_anchors_when_the_first_one_lets_nobody_in() {
    let world = World::new().await;
    let session = world.ok(world.creds("demo").await);
    let mut away = harness::managed_anchor();
    away["trust_anchor_arn"] = json!(harness::TRUST_ANCHOR_ARN.replace("anchor/", "anchor/0"));
    world.ok(world.mount.write("trust-anchors/a-first", away).await);

    let reply = world.mount.write("roles/demo/revoke-sessions", json!({})).await;

    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(world.caller(&session).await.is_err());
}

#[tokio::test]
async fn a_check_looks_by_the_anchor_of_its_role_before_others_of_the_account() {
    let world = World::new().await;
    let away = harness::TRUST_ANCHOR_ARN.replace("anchor/0", "anchor/1");
    let ca = world.pem("ca/pem").await;
    world
        .change(|state| {
            let mut anchor = state["trust_anchors"][0].clone();
            anchor["id"] = json!(away.rsplit('/').next());
            anchor["certificates_pem"] = json!(ca);
            state["trust_anchors"].as_array_mut().unwrap().push(anchor);
            let text = role_of(state, "iamra-check").to_string().replace(harness::TRUST_ANCHOR_ARN, &away);
            let mut blind: Value = serde_json::from_str(&text).unwrap();
            blind["name"] = json!("iamra-blind");
            blind["policies"] = json!({});
            state["roles"].as_array_mut().unwrap().push(blind);
            let blind = harness::CHECK_ROLE_ARN.replace("iamra-check", "iamra-blind");
            state["profiles"][1]["role_arns"].as_array_mut().unwrap().push(json!(blind));
        })
        .await;
    let mut entry = harness::managed_anchor();
    entry["trust_anchor_arn"] = json!(away);
    entry["check_role_arn"] = json!(harness::CHECK_ROLE_ARN.replace("iamra-check", "iamra-blind"));
    world.ok(world.mount.write("trust-anchors/a-first", entry).await);

    let answer = world.ok(world.mount.read("check/demo").await);

    // ok alone would follow from CreateSession too
    for (link, seen) in [("07_trust_anchor", "is enabled and holds the CA"), ("08_profile", "lists the role")]
    {
        let said = answer[link].as_str().unwrap();
        assert!(said.starts_with("ok: the ") && said.contains(seen), "{said}");
    }
}
