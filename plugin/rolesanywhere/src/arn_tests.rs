//! Claims about ARNs.

use super::*;

const ANCHOR: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f3c1c0e-95f2-4b1a-9d5f-3d4d1a2b3c4d";
const PROFILE: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/7f3c1c0e-95f2-4b1a-9d5f-3d4d1a2b3c4d";

#[test]
fn the_parts_of_a_trust_anchor_are_read() {
    let arn: TrustAnchorArn = ANCHOR.parse().unwrap();

    assert_eq!(arn.region().as_str(), "eu-central-1");
    assert_eq!(arn.account(), "111122223333");
    assert_eq!(arn.partition(), Partition::Aws);
    assert_eq!(arn.to_string(), ANCHOR);
}

#[test]
fn the_name_of_a_role_leaves_its_path_out() {
    let plain: RoleArn = "arn:aws:iam::111122223333:role/demo".parse().unwrap();
    let deep: RoleArn = "arn:aws-cn:iam::111122223333:role/team/a:b/demo@x".parse().unwrap();

    assert_eq!(plain.name(), "demo");
    assert_eq!(deep.name(), "demo@x");
    assert_eq!(deep.partition(), Partition::AwsCn);
}

#[test]
fn swapped_arns_say_which_kind_was_given() {
    let anchor_as_profile = ANCHOR.parse::<ProfileArn>().unwrap_err();
    let profile_as_role = PROFILE.parse::<RoleArn>().unwrap_err();
    let session_as_role = "arn:aws:sts::111122223333:assumed-role/demo/x".parse::<RoleArn>().unwrap_err();
    let bucket_as_anchor = "arn:aws:s3:::bucket".parse::<TrustAnchorArn>().unwrap_err();

    assert_eq!(anchor_as_profile.to_string(), "is a trust anchor, a profile ARN is expected");
    assert_eq!(profile_as_role.to_string(), "is a profile, a role ARN is expected");
    assert_eq!(session_as_role.to_string(), "is an assumed role, a role ARN is expected");
    assert_eq!(
        bucket_as_anchor.to_string(),
        "is an ARN of the service \"s3\" with the resource \"bucket\", a trust anchor ARN is expected"
    );
}

#[test]
fn an_account_that_is_not_12_digits_is_refused() {
    for account in ["", "11112222333", "1111222233334", "11112222333x"] {
        let anchor = format!("arn:aws:rolesanywhere:eu-central-1:{account}:trust-anchor/a");
        let role = format!("arn:aws:iam::{account}:role/demo");

        assert_eq!(anchor.parse::<TrustAnchorArn>(), Err(ArnError::Account(account.to_owned())));
        assert_eq!(role.parse::<RoleArn>(), Err(ArnError::Account(account.to_owned())));
    }
}

#[test]
fn an_arn_of_1012_characters_is_refused_by_its_length() {
    let at_bound = format!("arn:aws:iam::111122223333:role/{}/demo", "p".repeat(500));
    let anchor = format!("arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/{}", "a".repeat(951));

    assert!(at_bound.parse::<RoleArn>().is_ok());
    assert_eq!(anchor.len(), 1012);
    assert_eq!(anchor.parse::<TrustAnchorArn>(), Err(ArnError::TooLong(1012)));
    assert!(anchor[..1011].parse::<TrustAnchorArn>().is_ok());
}

#[test]
fn a_region_of_another_partition_is_refused_with_both_names() {
    let err = "arn:aws:rolesanywhere:cn-north-1:111122223333:profile/a".parse::<ProfileArn>().unwrap_err();

    assert_eq!(
        err.to_string(),
        "has the region cn-north-1, which belongs to the partition aws-cn and not to aws"
    );
}

#[test]
fn malformed_arns_are_refused() {
    let cases = [
        "",
        "arn",
        "arn:aws:rolesanywhere:eu-central-1:111122223333",
        "ARN:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a",
        "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/",
        "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor",
        "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchors/a",
        "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a\n",
        "arn:aws:rolesanywhere::111122223333:trust-anchor/a",
        "arn:aws-mars:rolesanywhere:eu-central-1:111122223333:trust-anchor/a",
        " arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a",
    ];

    for text in cases {
        assert!(text.parse::<TrustAnchorArn>().is_err(), "{text:?}");
    }
}

#[test]
fn a_role_has_no_region_and_a_legal_name() {
    for text in [
        "arn:aws:iam:eu-central-1:111122223333:role/demo",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role",
        "arn:aws:iam::111122223333:role/a b",
        "arn:aws:iam::111122223333:role/ü",
        "arn:aws:iam::111122223333:role/a b/demo",
        "arn:aws:iam::111122223333:role/*",
    ] {
        assert!(text.parse::<RoleArn>().is_err(), "{text:?}");
    }
}

#[test]
fn an_alias_names_an_anchor_or_a_profile() {
    let base = "arn:aws:rolesanywhere:eu-central-1:111122223333:alias";

    assert!(format!("{base}/trust-anchor/prod/eu").parse::<TrustAnchorArn>().is_ok());
    assert!(format!("{base}/profile/prod").parse::<ProfileArn>().is_ok());
    assert!(format!("{base}/profile/prod//x").parse::<ProfileArn>().is_err());
    assert!(format!("{base}/profile/prod").parse::<TrustAnchorArn>().is_err());
}

#[test]
fn an_arn_is_a_string_in_json() {
    let arn: ProfileArn = serde_json::from_value(serde_json::json!(PROFILE)).unwrap();
    let err = serde_json::from_value::<RoleArn>(serde_json::json!(PROFILE)).unwrap_err();

    assert_eq!(serde_json::to_value(&arn).unwrap(), serde_json::json!(PROFILE));
    assert!(err.to_string().contains("is a profile, a role ARN is expected"), "{err}");
}
