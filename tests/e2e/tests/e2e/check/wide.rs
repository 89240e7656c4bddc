//! `vault read iamra/check/web` of a role with two regions and a target in a second account: healthy, and broken at each link that those add.

use e2e::pages;
use harness::{
    Emulator, PROFILE_ARN, REGION, ROLE_ARN, Stage, TARGET_ROLE_ARN, TRUST_ANCHOR_ARN, admin, second_account,
};
use serde_json::{Value, json};

use super::{PAGE, change, rows_of, shown, stage, table, write};

const WEST: &str = "eu-west-1";

fn in_the_west(arn: &str) -> String {
    arn.replace(REGION, WEST)
}

/// The stage of the other tables, whose account has a second region, beside an account with a target.
async fn wide() -> (Stage, Emulator) {
    let stage = stage(true).await;
    let target =
        second_account(&stage.aws, &json!({ "StringEquals": { "sts:ExternalId": "pool:42/a" } })).await;
    edit(&target, |account| account["regions"] = json!({ WEST: {} })).await;
    change(&stage, |account| {
        account["regions"] =
            json!({ WEST: { "trust_anchors": account["trust_anchors"], "profiles": account["profiles"] } });
        sources(account, &[TRUST_ANCHOR_ARN, &in_the_west(TRUST_ANCHOR_ARN)]);
    })
    .await;
    (stage, target)
}

/// Lets the IAM role be assumed through these anchors.
fn sources(account: &mut Value, anchors: &[&str]) {
    account["roles"][0]["trust_policy"]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"] =
        json!(anchors);
}

async fn edit(aws: &Emulator, edit: impl FnOnce(&mut Value)) {
    let mut account = admin(aws.url(), "GET", "state", None).await;
    edit(&mut account);
    admin(aws.url(), "PUT", "state", Some(account)).await;
}

/// The role with both places and the target.
fn role(external_id: &str) -> Value {
    let both = |arn: &str| format!("{arn},{}", in_the_west(arn));
    json!({
        "role_arn": ROLE_ARN, "trust_anchor_arn": both(TRUST_ANCHOR_ARN), "profile_arn": both(PROFILE_ARN),
        "target_role_arn": TARGET_ROLE_ARN, "external_id": external_id, "session_tags": { "team": "payments" },
    })
}

/// One fault on either side, and the key at which the table reports it.
struct Fault {
    what: &'static str,
    hub: fn(&mut Value),
    target: fn(&mut Value),
    external_id: &'static str,
    key: &'static str,
}

const NOTHING: Fault = Fault { what: "", hub: |_| (), target: |_| (), external_id: "pool:42/a", key: "" };

fn without(account: &mut Value, action: &str) {
    let actions = &mut account["roles"][0]["trust_policy"]["Statement"][0]["Action"];
    actions.as_array_mut().expect("a list of actions").retain(|known| known != action);
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "The trust policy names the first region's trust anchor alone.",
        hub: |account| sources(account, &[TRUST_ANCHOR_ARN]),
        key: "11_trust_policy@eu-west-1",
        ..NOTHING
    },
    Fault {
        what: "The second region's trust anchor is gone.",
        hub: |account| account["regions"][WEST]["trust_anchors"] = json!([]),
        key: "07_trust_anchor@eu-west-1",
        ..NOTHING
    },
    Fault {
        what: "The second region's profile does not list the role.",
        hub: |account| account["regions"][WEST]["profiles"][0]["role_arns"] = json!([]),
        key: "08_profile@eu-west-1",
        ..NOTHING
    },
    Fault {
        what: "The target asks for another external id.",
        external_id: "pool:43/b",
        key: "17_target_role",
        ..NOTHING
    },
    Fault {
        what: "The target's trust policy does not allow sts:SetSourceIdentity.",
        target: |account| without(account, "sts:SetSourceIdentity"),
        key: "18_target_source_identity",
        ..NOTHING
    },
    Fault {
        what: "The target's trust policy does not allow sts:TagSession.",
        target: |account| without(account, "sts:TagSession"),
        key: "19_target_session_tags",
        ..NOTHING
    },
];

#[tokio::test]
async fn a_role_with_two_regions_and_a_target_is_shown_whole_and_broken_at_each_further_link() {
    let (stage, target) = wide().await;
    write(&stage, "iamra/roles/web", role("pool:42/a")).await;
    let healthy = table(&stage, "two regions and a target, healthy").await;
    assert!(healthy.contains("13_identity@eu-west-1") && healthy.contains("17_target_role"), "{healthy}");
    assert!(!healthy.contains("broken: "), "{healthy}");
    pages::hold(PAGE, "wide-healthy", &shown(&healthy));
    let (hub, other) =
        (admin(stage.aws.url(), "GET", "state", None).await, admin(target.url(), "GET", "state", None).await);

    let mut document = String::new();
    for fault in FAULTS {
        admin(stage.aws.url(), "PUT", "state", Some(hub.clone())).await;
        admin(target.url(), "PUT", "state", Some(other.clone())).await;
        edit(&stage.aws, fault.hub).await;
        edit(&target, fault.target).await;
        write(&stage, "iamra/roles/web", role(fault.external_id)).await;

        let table = table(&stage, fault.what).await;

        let row = table.lines().find(|line| line.split(' ').next() == Some(fault.key)).unwrap_or_default();
        assert!(row.contains("broken: ") && row.contains(" — cure: "), "{}: {row}\n{table}", fault.what);
        document.push_str(&rows_of(fault.what, &table));
    }
    pages::hold(PAGE, "wide", &format!("{document}\n"));
}
