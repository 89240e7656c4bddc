//! Roles with `target_role_arn`: pods get into a second account, are kept out of it, and are thrown out of it.

use e2e::say;
use harness::{Emulator, ROLE_ARN, Reply, Stage, TARGET_ACCOUNT, TARGET_ROLE_ARN, admin, second_account};
use serde_json::{Value, json};

/// A stage with a second account, whose role asks for an external id and a tag.
struct TwoAccounts {
    stage: Stage,
    target: Emulator,
}

impl TwoAccounts {
    async fn begin() -> TwoAccounts {
        let stage = Stage::dev().await;
        stage.manage_anchor().await;
        let condition =
            json!({ "StringEquals": { "sts:ExternalId": "pool:42/a", "aws:RequestTag/team": "payments" } });
        let target = second_account(&stage.aws, &condition).await;
        let two = TwoAccounts { stage, target };
        two.role("chained", json!({})).await;
        two
    }

    /// Writes a role that leads into the second account, with these changes.
    async fn role(&self, name: &str, changes: Value) {
        let path = format!("iamra/roles/{name}");
        let whole = json!({
            "role_arn": ROLE_ARN, "target_role_arn": TARGET_ROLE_ARN, "external_id": "pool:42/a",
            "session_tags": { "team": "payments" }, "session_sharing": "identity", "session_duration": 14_400,
        });
        let _ = self.stage.root().delete(&path).await.ok();
        let _ = self.stage.root().write(&path, whole).await.ok();
        let _ = self.stage.root().patch(&path, changes).await.ok();
    }

    async fn lives(&self, session: &Reply) -> bool {
        self.stage.caller(session).await.is_ok()
    }

    /// Edits the state of one account.
    async fn change(aws: &Emulator, edit: impl FnOnce(&mut Value)) {
        let mut state = admin(aws.url(), "GET", "state", None).await;
        edit(&mut state);
        admin(aws.url(), "PUT", "state", Some(state)).await;
    }

    /// Does what the printed command does, with credentials of the target's account.
    async fn apply(&self, policy: &Value) {
        let document: Value = serde_json::from_str(policy.as_str().expect("a document")).unwrap();
        TwoAccounts::change(&self.target, |state| {
            state["roles"][0]["policies"] = json!({ "iamra-revoked": document });
        })
        .await;
    }
}

#[tokio::test]
async fn a_session_gets_into_the_second_account_and_its_neighbours_do_not() {
    let two = TwoAccounts::begin().await;

    let session = two.stage.creds("chained").await.ok();

    let who = two.stage.caller(&session).await.unwrap();
    let serial = session.string("serial_number").replace(':', "");
    assert_eq!(who.account, TARGET_ACCOUNT);
    assert_eq!(who.arn, format!("arn:aws:sts::{TARGET_ACCOUNT}:assumed-role/target/{serial}"));
    assert_eq!((session.string("role_arn"), session.string("account_id")), (TARGET_ROLE_ARN, TARGET_ACCOUNT));
    for (name, changes) in [
        ("untagged", json!({ "session_tags": null })),
        ("other-team", json!({ "session_tags": { "team": "orders" } })),
        ("no-id", json!({ "external_id": null })),
        ("other-id", json!({ "external_id": "pool:43/b" })),
    ] {
        two.role(name, changes).await;

        let refused = two.stage.creds(name).await.refused(400);

        assert!(refused.contains("is not authorized to perform: sts:AssumeRole"), "{name}: {refused}");
        assert!(refused.contains("the target's trust policy needs a statement"), "{name}: {refused}");
    }
    let document = two.stage.root().read("iamra/container/chained").await.ok();
    assert_eq!(document.body["AccountId"], TARGET_ACCOUNT, "{document:?}");
}

#[tokio::test]
async fn a_revocation_with_the_printed_statement_ends_the_session_and_the_hop_and_leaves_the_next_one() {
    let two = TwoAccounts::begin().await;
    two.role("neighbour", json!({ "common_name": "neighbour" })).await;
    let (session, neighbour) =
        (two.stage.creds("chained").await.ok(), two.stage.creds("neighbour").await.ok());
    let serial = session.string("serial_number").to_owned();
    let known = two.stage.root().read(&format!("iamra/sessions/{}", serial.replace(':', "-"))).await.ok();
    assert_eq!(known.data()["hops"][0]["access_key"], session.data()["access_key"]);

    let revoke = json!({ "serial_number": serial, "force": true });
    let report = two.stage.root().write("iamra/revoke", revoke).await.ok();

    assert!(two.lives(&session).await, "a denial of the first session does not reach the hop");
    let told = report.warnings().join("\n");
    assert!(told.contains("aws iam put-role-policy --role-name target"), "{told}");
    say(&told);
    two.apply(&report.data()["target_policies"][TARGET_ROLE_ARN]).await;
    assert!(!two.lives(&session).await, "the statement ends it");
    assert!(two.lives(&neighbour).await, "and nobody else's");
    // the statement denies what was issued until the end of its second
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let next = two.stage.creds("chained").await.ok();
    assert_ne!(next.string("serial_number"), serial);
    assert!(two.lives(&next).await, "a later hop of the same identity goes on");

    let report = two.stage.root().write("iamra/roles/chained/revoke-sessions", json!({})).await.ok();
    two.apply(&report.data()["target_policies"][TARGET_ROLE_ARN]).await;
    assert_eq!((two.lives(&next).await, two.lives(&neighbour).await), (false, false), "{report:?}");
}

/// A change on each side, and the link at which `check` reports it.
struct Case {
    what: &'static str,
    hub: fn(&mut Value),
    target: fn(&mut Value),
    role: fn() -> Value,
    link: &'static str,
    cure: &'static str,
}

const NOTHING: Case = Case { what: "", hub: |_| (), target: |_| (), role: || json!({}), link: "", cure: "" };

fn without(statement: &mut Value, action: &str) {
    statement["Action"].as_array_mut().unwrap().retain(|known| known != action);
}

const CASES: &[Case] = &[
    Case {
        what: "the external id is another one",
        role: || json!({ "external_id": "pool:43/b" }),
        link: "17_target_role",
        cure: r#""sts:ExternalId":"pool:43/b""#,
        ..NOTHING
    },
    Case {
        what: "the first role may not hop",
        hub: |state| state["roles"][0]["policies"] = json!({}),
        link: "17_target_role",
        cure: "in a policy of demo: ",
        ..NOTHING
    },
    Case {
        what: "the boundary denies hops",
        hub: |state| {
            state["roles"][0]["permissions_boundary"] = json!({
                "arn": "arn:aws:iam::111122223333:policy/bound",
                "policy": { "Version": "2012-10-17", "Statement": [
                    { "Effect": "Allow", "Action": "*", "Resource": "*" },
                    { "Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*" },
                ]},
            });
        },
        link: "17_target_role",
        cure: "TargetRoleArns of vault-config/aws/management.yaml",
        ..NOTHING
    },
    Case {
        what: "the target lets nobody set a source identity",
        target: |state| {
            without(&mut state["roles"][0]["trust_policy"]["Statement"][0], "sts:SetSourceIdentity");
        },
        link: "18_target_source_identity",
        cure: r#""sts:SetSourceIdentity""#,
        ..NOTHING
    },
    Case {
        what: "the target lets nobody tag sessions",
        target: |state| without(&mut state["roles"][0]["trust_policy"]["Statement"][0], "sts:TagSession"),
        link: "19_target_session_tags",
        cure: r#""sts:TagSession""#,
        ..NOTHING
    },
    Case {
        what: "tags are over AWS's packed size",
        role: || {
            let mut tags: serde_json::Map<String, Value> =
                (0..10).map(|number| (format!("k{number}"), json!("x".repeat(200)))).collect();
            tags.insert("team".to_owned(), json!("payments"));
            json!({ "session_tags": tags })
        },
        link: "19_target_session_tags",
        cure: "set fewer tags",
        ..NOTHING
    },
];

#[tokio::test]
async fn check_walks_the_hop_and_names_what_is_broken_with_its_cure() {
    let two = TwoAccounts::begin().await;
    let read = async || two.stage.root().read("iamra/check/chained").await.ok();
    let healthy = read().await;
    for link in ["17_target_role", "18_target_source_identity", "19_target_session_tags"] {
        assert!(healthy.string(link).starts_with("ok: "), "{link}: {healthy:?}");
    }
    assert!(healthy.string("19_target_session_tags").contains("team=payments"), "{healthy:?}");
    assert!(!two.stage.root().read("iamra/check/demo").await.ok().data().contains_key("17_target_role"));
    let hub = admin(two.stage.aws.url(), "GET", "state", None).await;
    let target = admin(two.target.url(), "GET", "state", None).await;
    for case in CASES {
        admin(two.stage.aws.url(), "PUT", "state", Some(hub.clone())).await;
        admin(two.target.url(), "PUT", "state", Some(target.clone())).await;
        TwoAccounts::change(&two.stage.aws, case.hub).await;
        TwoAccounts::change(&two.target, case.target).await;
        two.role("chained", (case.role)()).await;

        let report = read().await;

        let verdict = report.string(case.link);
        say(&format!("{}\n    {} {verdict}", case.what, case.link));
        assert!(verdict.starts_with("broken: AWS refused with "), "{}: {report:?}", case.what);
        assert!(verdict.contains(case.cure), "{}: {verdict}", case.what);
        assert!(report.data()["12_create_session"].as_str().unwrap().starts_with("ok: "), "{report:?}");
    }
}
