//! What a role may be called, and which trust anchor and profile it fits.

use serde_json::{Value, json};

use super::callers::{PROD, clusters, pod, refused_role};
use crate::mounts::ROLE;

const CHINA: &str = "arn:aws-cn:iam::111122223333:role/app";

#[tokio::test]
async fn a_role_has_the_at_sign_in_its_name_on_every_path() {
    let mount = clusters().await.asked_by(pod(PROD, "payments", "api"));

    let written = mount.write("roles/deploy@payments", json!({ "role_arn": ROLE })).await;

    assert_eq!(written.error, "");
    assert_eq!(mount.read("roles/deploy@payments").await.data["role_arn"], ROLE);
    assert_eq!(mount.list("roles").await.data["keys"], json!(["deploy@payments"]));
    let preview = mount.read("preview/deploy@payments").await;
    assert_eq!(preview.data["source_identity"], "CN=deploy@payments", "{preview:?}");
    for path in ["creds", "sts", "container", "check"] {
        let answer = mount.read(&format!("{path}/deploy@payments")).await;
        assert_ne!(answer.status, 404, "{path}: {answer:?}");
    }
    let denied = mount.write("roles/deploy@payments/revoke-sessions", json!({})).await;
    assert!(denied.status != 404 && denied.status != 405, "{denied:?}");
    assert_eq!(mount.delete("roles/deploy@payments").await.error, "");
}

/// The names of associations: a service account's own name may have dots too.
#[tokio::test]
async fn a_role_has_dots_in_its_name_on_every_path() {
    let mount = clusters().await.asked_by(pod(PROD, "payments", "api"));

    for name in ["payments.api", "payments.api.v2", "stage_payments.api"] {
        let role = format!("roles/{name}");
        let written = mount.write(&role, json!({ "role_arn": ROLE })).await;

        assert_eq!(written.error, "");
        assert_eq!(mount.list("roles").await.data["keys"], json!([name]));
        assert_eq!(mount.patch(&role, json!({ "session_duration": 7200 })).await.error, "");
        assert_eq!(mount.read(&role).await.data["session_duration"], 7200);
        let preview = mount.read(&format!("preview/{name}")).await;
        assert_eq!(preview.data["source_identity"], format!("CN={name}"), "{preview:?}");
        for path in ["creds", "sts", "container", "check"] {
            let answer = mount.read(&format!("{path}/{name}")).await;
            assert_ne!(answer.status, 404, "{path}: {answer:?}");
        }
        let denied = mount.write(&format!("{role}/revoke-sessions"), json!({})).await;
        assert!(denied.status != 404 && denied.status != 405, "{denied:?}");
        assert_eq!(mount.delete(&role).await.error, "");
        assert_eq!(mount.read(&role).await.status, 404);
    }
}

#[tokio::test]
async fn the_at_sign_is_for_roles_alone() {
    let mount = clusters().await;

    for path in ["clusters/a@b", "trust-anchors/a@b", "issuer/a@b"] {
        assert_eq!(mount.read(path).await.status, 404, "{path}");
        assert_eq!(mount.write(path, json!({})).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_role_name_is_bound_by_the_common_name_only_where_it_is_the_common_name() {
    let mount = clusters().await.asked_by(pod(PROD, "payments", "api"));
    let name = format!("roles/{}", "a".repeat(65));
    let role = |common_name: Value| json!({ "role_arn": ROLE, "common_name": common_name });

    for common_name in [json!("app"), json!("{{kubernetes.uid}}"), json!("{{role.name | short}}")] {
        let written = mount.write(&name, role(common_name.clone())).await;

        assert_eq!(written.error, "", "{common_name}");
        let preview = mount.read(&name.replace("roles/", "preview/")).await;
        assert_eq!(preview.status, 200, "{preview:?}");
        mount.delete(&name).await;
    }
    for common_name in [Value::Null, json!("{{role.name}}")] {
        let refused = mount.write(&name, role(common_name.clone())).await;

        assert!(refused.error.contains("65 characters, 1 to 61 are allowed"), "{common_name}: {refused:?}");
    }
}

#[tokio::test]
async fn a_role_of_another_partition_than_its_own_anchor_is_refused() {
    let anchor = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f9f4a3c";
    let profile = "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0f9f4a3c";
    for (field, arn) in [("trust_anchor_arn", anchor), ("profile_arn", profile)] {
        let error = refused_role(json!({ "role_arn": CHINA, field: arn })).await;

        assert!(error.contains(&format!("partition aws-cn, but {field} is in aws;")), "{error}");
    }
    let duties = json!({ "trust_anchor_arn": anchor, "profile_arn": profile, "check_role_arn": CHINA });
    let error = clusters().await.write("trust-anchors/main", duties).await.error;
    assert!(error.starts_with("check_role_arn: ") && error.contains("partition aws-cn"), "{error}");
}

#[tokio::test]
async fn a_role_that_the_configs_anchor_does_not_fit_is_stored_with_a_warning() {
    let mount = clusters().await;

    for (arn, words) in [
        (CHINA, "is in partition aws-cn, but default_trust_anchor_arn is in aws;"),
        (
            "arn:aws:iam::444455556666:role/app",
            "is in account 444455556666, but default_trust_anchor_arn is in 111122223333;",
        ),
    ] {
        let written = mount.write("roles/app", json!({ "role_arn": arn })).await;

        let warning = format!("nobody gets credentials of this role: role_arn: {arn} {words}");
        assert!(written.warnings.iter().any(|found| found.starts_with(&warning)), "{written:?}");
        assert!(mount.read("creds/app").await.error.contains(words), "and so it is");
    }
    let fits = mount.write("roles/app", json!({ "role_arn": ROLE })).await;
    assert!(!fits.warnings.iter().any(|warning| warning.contains("nobody gets")), "{fits:?}");
}
