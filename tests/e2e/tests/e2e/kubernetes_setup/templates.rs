//! One role for all pods of some namespaces.

use harness::{CliRun, Vault};
use serde_json::json;

use super::{all, run, set_up, token_of};

/// Runs the script for all pods of some namespaces.
async fn run_templates(vault: &Vault, args: &[&str]) -> CliRun {
    run(vault, &[&["--templates"], args].concat()).await
}

const TEMPLATED: [&str; 4] = [
    "iamra/clusters/prod",
    "iamra/roles/prod-pods",
    "sys/policies/acl/prod-pods",
    "auth/kubernetes/role/prod-pods",
];

#[tokio::test]
async fn one_templated_role_serves_the_pods_of_whole_namespaces() {
    let stage = set_up(&["--templates", "--way", "container", "payments", "billing"]).await;
    let root = stage.root();

    let accessor = root.read("sys/auth/kubernetes").await.ok().string("accessor").to_owned();
    assert_eq!(root.read("iamra/clusters/prod").await.ok().string("accessor"), accessor);
    let role = root.read("iamra/roles/prod-pods").await.ok();
    assert_eq!(role.data()["clusters"], json!(["prod"]));
    assert!(role.string("common_name").starts_with("{{kubernetes.cluster}}."), "{}", role.text);
    let login = root.read("auth/kubernetes/role/prod-pods").await.ok();
    assert_eq!(login.data()["bound_service_account_namespaces"], json!(["payments", "billing"]));
    assert_eq!(login.data()["bound_service_account_names"], json!(["*"]));
    let policy = root.read("sys/policies/acl/prod-pods").await.ok().string("policy").to_owned();
    assert!(
        policy.contains(r#""iamra/container/prod-pods""#) && policy.matches("path ").count() == 2,
        "{policy}"
    );
    let all = all(root, &TEMPLATED).await;
    let _ = run_templates(&stage.vault, &["--way", "container", "payments", "billing"]).await.ok();
    assert_eq!(self::all(root, &TEMPLATED).await, all, "a second run writes the same again");
}

#[tokio::test]
async fn a_templated_role_gives_nothing_to_who_is_no_pod() {
    let stage = set_up(&["--templates", "*"]).await;

    let api = token_of(&stage, "prod-pods").await;

    let text = api.read("iamra/creds/prod-pods").await.refused(400);
    assert!(text.contains("belongs to no entity"), "{text}");
}

#[tokio::test]
async fn a_templated_role_is_not_written_over_anothers_cluster_or_policy() {
    let stage = set_up(&["--templates", "payments"]).await;
    let before = all(stage.root(), &TEMPLATED).await;
    let theirs = json!({ "policy": "# by hand" });
    let _ = stage.root().write("sys/policies/acl/x-prod-pods", theirs).await.ok();

    for (args, words) in [
        (["--auth-mount", "other", "payments"], "the cluster prod is the auth mount"),
        (["--prefix", "x-", "payments"], "# by hand"),
        (["--role-arn", "x", "payments"], "not the ARN of an IAM role"),
        (["--way", "file", "payments/api"], "take namespaces"),
        (["--way", "file", "--templates"], "no namespace given"),
    ] {
        let refused = run_templates(&stage.vault, &args).await;

        assert_eq!(refused.code, 1, "{args:?}: {}", refused.stdout);
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
    assert_eq!(all(stage.root(), &TEMPLATED).await, before);
}
