//! The fields of a role about its hop: what is taken, and how the rest is refused.

use super::TARGET;
use crate::mounts::{ROLE, mount};
use serde_json::{Value, json};

/// The refusal of a role with a target and this field.
async fn refused(field: &str, value: Value) -> String {
    let mount = mount().await;
    let mut role = json!({ "role_arn": ROLE, "target_role_arn": TARGET });
    role[field] = value;
    let reply = mount.write("roles/app", role).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(mount.read("roles/app").await.status, 404, "nothing is half-stored");
    assert!(reply.error.starts_with(&format!("{field}: ")), "{}", reply.error);
    reply.error
}

#[tokio::test]
async fn what_is_out_of_awss_bounds_is_refused_by_field_value_and_bound() {
    let tags: Value = (0..51).map(|number| (format!("k{number}"), json!("v"))).collect();
    let cases = [
        ("target_role_arn", json!("arn:aws:iam::444455556666:user/a"), "arn:aws:iam::444455556666:user/a"),
        ("target_role_arn", json!(ROLE), "is role_arn itself"),
        ("target_role_arn", json!("arn:aws-cn:iam::444455556666:role/a"), "partition aws-cn"),
        ("external_id", json!("a"), "2 to 1224"),
        ("external_id", json!("a b"), "not ' '"),
        ("session_policy", json!(format!("{{{}}}", " ".repeat(2047))), "2049 characters, at most 2048"),
        ("session_policy", json!("{\"Version\":"), "is not JSON"),
        ("session_policy", json!("[]"), "not an object"),
        ("session_policy_arns", json!(["arn:aws:iam::111122223333:policy/a"]), "444455556666"),
        ("session_tags", tags, "51"),
        ("session_tags", json!({ "a,b": "v" }), "\"a,b\""),
        ("session_tags", json!({ "aws:a": "v" }), "AWS keeps for itself"),
        ("session_tags", json!({ "a": "v&w" }), "not '&'"),
        ("session_tags", json!({ "a": "x".repeat(257) }), "1 to 256"),
        ("session_tags", json!({ "a": "{{kubernetes.pod}}" }), "kubernetes.pod"),
        ("standard_tags", json!("eks"), "eks"),
        ("transitive_tag_keys", json!(["team"]), "\"team\""),
    ];
    for (field, value, part) in cases {
        let error = refused(field, value).await;

        assert!(error.contains(part), "{field}: {error}");
    }
}

#[tokio::test]
async fn a_field_of_the_hop_needs_the_target() {
    let mount = mount().await;
    for (field, value) in [
        ("external_id", json!("pool")),
        ("session_policy", json!("{}")),
        ("session_policy_arns", json!(["arn:aws:iam::aws:policy/A"])),
        ("standard_tags", json!("kubernetes")),
        ("session_tags", json!({ "a": "b" })),
        ("transitive_tag_keys", json!(["a"])),
    ] {
        let reply = mount.write("roles/app", json!({ "role_arn": ROLE, field: value })).await;

        assert_eq!(reply.status, 400, "{field}");
        assert!(
            reply.error.starts_with(&format!("{field}: allowed only with target_role_arn")),
            "{}",
            reply.error
        );
    }
}

#[tokio::test]
async fn what_a_read_shows_a_write_takes_and_a_patch_keeps() {
    let mount = mount().await;
    let role = json!({
        "role_arn": ROLE, "target_role_arn": TARGET, "external_id": "pool", "session_policy": "{}",
        "session_policy_arns": ["arn:aws:iam::aws:policy/A"], "session_tags": { "a": "{{role.name}}" },
        "transitive_tag_keys": ["a"], "session_duration": 43_200,
    });
    assert_eq!(mount.write("roles/app", role.clone()).await.error, "");
    let read = mount.read("roles/app").await.data;
    for (field, value) in role.as_object().unwrap() {
        assert_eq!(&read[field], value, "{field}");
    }
    let puts = mount.storage.puts();

    let shown: Value = read.clone().into_iter().collect();
    assert_eq!(mount.write("roles/app", shown).await.error, "");

    assert_eq!(mount.storage.puts(), puts);
}

#[tokio::test]
async fn allowed_role_arns_hold_for_the_target_too() {
    let mount = mount().await;
    mount.write("config", json!({ "allowed_role_arns": "arn:aws:iam::111122223333:role/*" })).await;

    let reply = mount.write("roles/app", json!({ "role_arn": ROLE, "target_role_arn": TARGET })).await;

    assert!(reply.error.starts_with(&format!("target_role_arn: {TARGET:?} matches none")), "{}", reply.error);
}

#[tokio::test]
async fn a_short_first_session_is_worth_a_warning() {
    let mount = mount().await;

    let reply = mount.write("roles/app", json!({ "role_arn": ROLE, "target_role_arn": TARGET })).await;

    assert!(reply.warnings.iter().any(|line| line.contains("43200 s is advised")), "{reply:?}");
}
