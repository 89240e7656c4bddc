//! The part of an emulated account that lets the engine manage its own trust anchor, deny sessions and check roles.

use serde_json::{Value, json};

use crate::stage::{ACCOUNT, REGION, TRUST_ANCHOR_ARN};

/// The profile of the engine's own sessions.
pub const MANAGEMENT_PROFILE_ARN: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/2b6f0c11-9d5e-4f3b-8c0a-5e1d7a9b3c03";
/// The IAM role that may write the trust anchor's bundle.
pub const MANAGEMENT_ROLE_ARN: &str = "arn:aws:iam::111122223333:role/vault/iamra-trust-anchor";
/// The IAM role that may write the inline policies that deny sessions.
pub const REVOCATION_ROLE_ARN: &str = "arn:aws:iam::111122223333:role/vault/iamra-revocation";
/// The IAM role that may read the causes of a refusal.
pub const CHECK_ROLE_ARN: &str = "arn:aws:iam::111122223333:role/vault/iamra-check";

/// The fields of a write of `trust-anchors/<name>` that uses all three.
pub fn managed_anchor() -> Value {
    json!({
        "trust_anchor_arn": TRUST_ANCHOR_ARN,
        "profile_arn": MANAGEMENT_PROFILE_ARN,
        "management_role_arn": MANAGEMENT_ROLE_ARN,
        "revocation_role_arn": REVOCATION_ROLE_ARN,
        "check_role_arn": CHECK_ROLE_ARN,
    })
}

/// A second region of the account.
pub const WEST: &str = "eu-west-1";

/// The same resource in the second region.
pub fn in_the_west(arn: &str) -> String {
    arn.replace(REGION, WEST)
}

/// The fields of a write of `trust-anchors/<name>` for the second region.
pub fn managed_anchor_in_the_west() -> Value {
    let mut fields = managed_anchor();
    for field in ["trust_anchor_arn", "profile_arn"] {
        fields[field] = json!(in_the_west(fields[field].as_str().unwrap_or_default()));
    }
    fields
}

/// Gives the account the same anchor and the same profiles in the second region. Every IAM role admits both anchors, and the engine's own
/// may manage both.
pub fn add_second_region(state: &mut Value) {
    state["regions"] =
        json!({ WEST: { "trust_anchors": state["trust_anchors"], "profiles": state["profiles"] } });
    let both = json!([TRUST_ANCHOR_ARN, in_the_west(TRUST_ANCHOR_ARN)]);
    for role in list(state, "roles") {
        role["trust_policy"]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"] = both.clone();
        if role["name"] == "iamra-trust-anchor" {
            role["policies"]["duty"]["Statement"][0]["Resource"] = both.clone();
        }
    }
}

/// The config's defaults that name both regions.
pub fn both_regions() -> Value {
    let both = |arn: &str| format!("{arn},{}", in_the_west(arn));
    json!({
        "default_trust_anchor_arn": both(TRUST_ANCHOR_ARN), "default_profile_arn": both(crate::stage::PROFILE_ARN),
    })
}

/// Adds the three roles and their profile to an emulator's state, each with the trust policy and the actions of its one duty, as
/// `vault-config/aws/management.yaml` has them (a test compares). They reach every role, whatever its path and boundary.
pub fn add_management(state: &mut Value) {
    let profile = json!({
        "id": MANAGEMENT_PROFILE_ARN.rsplit('/').next(), "name": "vault-iamra-management", "enabled": true,
        "role_arns": [MANAGEMENT_ROLE_ARN, REVOCATION_ROLE_ARN, CHECK_ROLE_ARN],
        "duration_seconds": 3600, "accept_role_session_name": false, "attribute_mappings": null,
        "session_policy": null,
    });
    list(state, "profiles").push(profile);
    let roles = format!("arn:aws:iam::{ACCOUNT}:role/*");
    let anchors = ["rolesanywhere:GetTrustAnchor", "rolesanywhere:UpdateTrustAnchor"];
    let policies = ["iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:ListRolePolicies"];
    let reads = ["rolesanywhere:GetTrustAnchor", "rolesanywhere:GetProfile", "iam:GetRole"];
    let anywhere = format!("arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:*");
    for (common_name, role, actions, resources) in [
        ("trust-anchor", "iamra-trust-anchor", &anchors[..], vec![TRUST_ANCHOR_ARN.to_owned()]),
        ("revocation", "iamra-revocation", &policies[..], vec![roles.clone()]),
        ("check", "iamra-check", &reads[..], vec![anywhere, roles.clone()]),
    ] {
        let allowed = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": actions, "Resource": resources },
        ]});
        list(state, "roles").push(json!({
            "name": role, "path": "/vault/", "max_session_duration": 3600,
            "trust_policy": trust_policy(common_name), "policies": { "duty": allowed },
        }));
    }
}

fn trust_policy(common_name: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": "rolesanywhere.amazonaws.com" },
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {
            "ArnEquals": { "aws:SourceArn": TRUST_ANCHOR_ARN },
            "StringEquals": {
                "aws:SourceAccount": ACCOUNT,
                "aws:PrincipalTag/x509Subject/O": "iamra-management",
                "aws:PrincipalTag/x509Subject/CN": common_name,
            },
        },
    }]})
}

fn list<'a>(state: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    state[name].as_array_mut().unwrap_or_else(|| panic!("the state has a list {name}"))
}
