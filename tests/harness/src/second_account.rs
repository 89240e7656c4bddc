//! A second account at the address of a stage's AWS, with a role that sessions of the first one may assume.

use aws_emulator::{Emulator, Options};
use serde_json::{Value, json};

use crate::aws::admin;
use crate::stage::ACCOUNT;

/// The second account.
pub const TARGET_ACCOUNT: &str = "444455556666";
/// Its role.
pub const TARGET_ROLE_ARN: &str = "arn:aws:iam::444455556666:role/apps/target";
/// What a hop with tags needs, on both sides.
const ACTIONS: [&str; 3] = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"];

/// Starts the account beside `hub`, and lets the first role of `hub` hop to it on this `condition` of the target's trust policy.
///
/// # Panics
/// When the emulator does not take the states.
pub async fn second_account(hub: &Emulator, condition: &Value) -> Emulator {
    let mut state = admin(hub.url(), "GET", "state", None).await;
    state["roles"][0]["policies"]["hops"] = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ACTIONS, "Resource": TARGET_ROLE_ARN },
    ]});
    admin(hub.url(), "PUT", "state", Some(state)).await;
    let trust_policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": ACTIONS, "Condition": condition,
    }]});
    let account = json!({
        "account": TARGET_ACCOUNT,
        "roles": [{ "name": "target", "path": "/apps/", "max_session_duration": 3600, "trust_policy": trust_policy }],
    });
    let account = serde_json::from_value(account).expect("the emulator's state takes this shape");
    let target = Emulator::start(account, Options::default()).await;
    hub.join(&target);
    target
}
