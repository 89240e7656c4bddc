//! The AWS account beside the cluster: one anchor, three profiles, and the IAM roles that stories assume.

use harness::{ACCOUNT, PROFILE_ARN, REGION, TRUST_ANCHOR_ARN};
use serde_json::{Value, json};

use crate::registry;

/// A profile whose sessions last a minute, which AWS itself would not grant: stories outlast their expiry.
pub const MINUTE: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/7c1d9d53-8f0e-4a53-8f6a-2f0e6b1f4b60";

/// A profile whose sessions last four minutes: long enough to outlive a restart of Vault on a slow machine, short enough to see them
/// renewed after.
pub const FOUR_MINUTES: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/7c1d9d53-8f0e-4a53-8f6a-2f0e6b1f4c40";

/// The IAM role of the examples: only the certificate of the service account `payments/api` may assume it.
pub const PAYMENTS_API: &str = "arn:aws:iam::111122223333:role/payments-api";

/// An IAM role that each certificate of the anchor may assume.
pub const ANYBODY: &str = "arn:aws:iam::111122223333:role/anybody";

/// An IAM role that each certificate of the anchor may assume, and that may pull images from ECR.
pub const PULLS: &str = "arn:aws:iam::111122223333:role/pulls";

/// The cluster's name in certificates: subject O, first part of CN.
pub const CLUSTER: &str = "local";

/// The account, with an anchor that trusts this CA. An emulator takes it as its state.
pub fn state(ca_pem: &str) -> Value {
    let whose = json!({
        "aws:PrincipalTag/x509Subject/CN": format!("{CLUSTER}.payments.api"),
        "aws:PrincipalTag/x509Subject/O": CLUSTER,
        "aws:PrincipalTag/x509Subject/OU": "payments",
        "aws:SourceAccount": ACCOUNT,
    });
    let anybody = json!({ "aws:SourceAccount": ACCOUNT });
    let mut pulls = role(PULLS, &anybody);
    let pull = json!({ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" });
    pulls["policies"] = json!({ "pull": { "Version": "2012-10-17", "Statement": [pull] } });
    json!({
        "account": ACCOUNT,
        "region": REGION,
        "registry_password": registry::PASSWORD,
        "trust_anchors": [{ "id": id_of(TRUST_ANCHOR_ARN), "name": "vault", "certificates_pem": ca_pem }],
        "profiles": [
            profile(PROFILE_ARN, "hour", 3600),
            profile(MINUTE, "minute", 60),
            profile(FOUR_MINUTES, "four-minutes", 240),
        ],
        "roles": [role(PAYMENTS_API, &whose), role(ANYBODY, &anybody), pulls],
    })
}

fn profile(arn: &str, name: &str, seconds: u32) -> Value {
    json!({ "id": id_of(arn), "name": name, "role_arns": [PAYMENTS_API, ANYBODY, PULLS], "duration_seconds": seconds })
}

fn role(arn: &str, equals: &Value) -> Value {
    json!({ "name": id_of(arn), "max_session_duration": 43_200, "trust_policy": {
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "rolesanywhere.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": { "StringEquals": equals, "ArnEquals": { "aws:SourceArn": TRUST_ANCHOR_ARN } },
        }],
    }})
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulator_takes_the_account() {
        let state: aws_emulator::State = serde_json::from_value(state("")).unwrap();

        assert_eq!(state.profiles.iter().map(|profile| profile.duration_seconds).max(), Some(3600));
    }
}
