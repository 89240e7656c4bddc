//! One auth role and one policy for the associations of a cluster.

use harness::{CliRun, ROLE_ARN, Stage, Vault};
use serde_json::{Value, json};

use super::{HOST, all, plainly, script};

const ROLE: &str = "auth/kubernetes/role/associations";
const POLICY: &str = "sys/policies/acl/prod-associations";
const WRITTEN: [&str; 3] = ["iamra/clusters/prod", POLICY, ROLE];

/// Runs the script for the associations of `prod`, outside of that cluster.
async fn run(vault: &Vault, args: &[&str]) -> CliRun {
    let ca = vault.folder().join("cluster-ca.pem");
    std::fs::write(&ca, vault.root().without_token().read("iamra/ca/pem").await.ok().text).unwrap();
    let ca = ca.display().to_string();
    let outside = ["--cluster", "prod", "--kubernetes-host", HOST, "--kubernetes-ca", &ca, "--associations"];
    script(vault, vault.root_token(), "kubernetes/setup.sh", &[&outside, args].concat(), &[]).await
}

async fn set_up(args: &[&str]) -> Stage {
    let stage = Stage::dev().await;
    let _ = run(&stage.vault, args).await.ok();
    stage
}

async fn policy(stage: &Stage) -> String {
    stage.root().read(POLICY).await.ok().string("policy").to_owned()
}

async fn namespaces(stage: &Stage) -> Value {
    stage.root().read(ROLE).await.ok().data()["bound_service_account_namespaces"].clone()
}

/// The paths that a policy opens.
fn paths(policy: &str) -> Vec<&str> {
    policy.lines().filter_map(|line| line.strip_prefix("path \"")?.split('"').next()).collect()
}

#[tokio::test]
async fn one_run_writes_the_cluster_a_policy_and_an_auth_role_with_batch_tokens() {
    let stage = set_up(&[]).await;
    let root = stage.root();

    let accessor = root.read("sys/auth/kubernetes").await.ok().string("accessor").to_owned();
    assert_eq!(root.read("iamra/clusters/prod").await.ok().string("accessor"), accessor);
    let role = root.read(ROLE).await.ok();
    for (field, value) in [
        ("bound_service_account_names", json!(["*"])),
        ("bound_service_account_namespaces", json!(["*"])),
        ("audience", json!("iamra")),
        ("token_policies", json!(["prod-associations"])),
        ("token_no_default_policy", json!(true)),
        ("token_type", json!("batch")),
        ("token_ttl", json!(300)),
        ("token_max_ttl", json!(300)),
    ] {
        assert_eq!(role.data()[field], value, "{field}");
    }
    let alias = format!("{{{{identity.entity.aliases.{accessor}.metadata.service_account");
    let own = format!("iamra/container/{alias}_namespace}}}}.{alias}_name}}}}");
    assert_eq!(paths(&policy(&stage).await), [own]);
    assert_eq!(policy(&stage).await.matches("\"read\"").count(), 1);
    assert_eq!(root.list("iamra/roles").await.keys(), ["demo"], "it writes no engine role");
}

#[tokio::test]
async fn a_second_run_takes_nothing_back_that_it_does_not_name() {
    let stage = set_up(&["payments"]).await;
    let tuned = json!({
        "token_ttl": 60, "token_policies": ["prod-associations", "more"], "audience": "elsewhere",
        "token_bound_cidrs": "10.0.0.0/8",
        "bound_service_account_namespace_selector": r#"{"matchLabels":{"team":"a"}}"#,
    });
    let _ = stage.root().write(ROLE, tuned).await.ok();
    let before = all(stage.root(), &WRITTEN).await;

    let _ = run(&stage.vault, &[]).await.ok();
    let _ = plainly(&stage.vault, &["--associations", "payments"]).await.ok();

    assert_eq!(all(stage.root(), &WRITTEN).await, before);
    assert_eq!(before[2]["audience"], "elsewhere");
}

#[tokio::test]
async fn the_namespaces_are_those_of_the_last_run_that_names_some() {
    let stage = set_up(&["payments", "billing"]).await;

    let named = namespaces(&stage).await;
    let _ = run(&stage.vault, &[]).await.ok();
    let kept = namespaces(&stage).await;
    let _ = run(&stage.vault, &["*"]).await.ok();

    assert_eq!((named, kept), (json!(["payments", "billing"]), json!(["payments", "billing"])));
    assert_eq!(namespaces(&stage).await, json!(["*"]));
}

#[tokio::test]
async fn the_fallback_is_a_path_that_stays_until_default_takes_it_out() {
    let stage = set_up(&["--fallback", "demo"]).await;
    let with = policy(&stage).await;

    let _ = run(&stage.vault, &[]).await.ok();
    let kept = policy(&stage).await;
    let other = json!({ "role_arn": ROLE_ARN });
    let _ = stage.root().write("iamra/roles/any.one@x", other).await.ok();
    let _ = run(&stage.vault, &["--fallback", "any.one@x"]).await.ok();
    let changed = policy(&stage).await;
    let _ = run(&stage.vault, &["--fallback", "default"]).await.ok();

    assert_eq!(paths(&with)[1..], ["iamra/container/demo"]);
    assert_eq!(kept, with);
    assert_eq!(paths(&changed)[1..], ["iamra/container/any.one@x"]);
    assert_eq!(paths(&policy(&stage).await).len(), 1);
}

#[tokio::test]
async fn a_fallback_that_does_not_exist_is_refused_unless_the_same_run_makes_it() {
    let stage = Stage::dev().await;

    let refused = run(&stage.vault, &["--fallback", "prod-pods"]).await;
    let nothing = stage.root().read(ROLE).await.status;
    let made = ["--fallback", "prod-pods", "--templates", "--role-arn", ROLE_ARN, "payments"];
    let said = run(&stage.vault, &made).await.ok();

    assert_eq!((refused.code, nothing), (1, 404));
    assert!(
        refused.stderr.contains("there is no iamra/roles/prod-pods: write it first"),
        "{}",
        refused.stderr
    );
    assert_eq!(paths(&policy(&stage).await)[1..], ["iamra/container/prod-pods"]);
    assert_eq!(namespaces(&stage).await, json!(["payments"]));
    let pods = stage.root().read("auth/kubernetes/role/prod-pods").await.ok();
    assert_eq!(pods.data()["audience"], "vault");
    assert_eq!(stage.root().read(ROLE).await.ok().data()["audience"], "iamra");
    assert_eq!(said.matches("the pods of prod in payments are prod.<namespace>.<serviceaccount>").count(), 2);
}

#[tokio::test]
async fn a_policy_that_was_changed_by_hand_stays_and_an_option_over_it_is_refused() {
    let stage = set_up(&[]).await;
    let theirs = format!("{}\npath \"secret/x\" {{ capabilities = [\"read\"] }}", policy(&stage).await);
    let _ = stage.root().write(POLICY, json!({ "policy": theirs })).await.ok();

    let kept = run(&stage.vault, &[]).await;
    let refused = run(&stage.vault, &["--fallback", "demo"]).await;

    assert!(kept.stderr.contains("vault policy delete prod-associations"), "{}", kept.stderr);
    assert_eq!((kept.code, refused.code), (0, 1));
    assert!(refused.stderr.contains("--fallback demo would take that back"), "{}", refused.stderr);
    assert_eq!(policy(&stage).await, theirs);
}

#[tokio::test]
async fn what_is_somebody_elses_is_refused_and_nothing_is_written() {
    let stage = Stage::dev().await;
    let root = stage.root();
    let _ = root.write("sys/auth/kubernetes", json!({ "type": "kubernetes" })).await.ok();
    let role = |names: &str, policies: &str| {
        json!({ "bound_service_account_names": names, "bound_service_account_namespaces": "x",
            "audience": "x", "token_policies": policies })
    };
    let theirs = json!({ "policy": "# by hand" });
    let _ = root.write("sys/policies/acl/b_prod-associations", theirs).await.ok();
    let _ = root.write("auth/kubernetes/role/c_associations", role("*", "other")).await.ok();
    let own = role("api", "d_prod-associations");
    let _ = root.write("auth/kubernetes/role/d_associations", own).await.ok();
    let before = root.list("auth/kubernetes/role").await.keys();

    for (args, words) in [
        (["--prefix", "b_"], "was not written for the associations of prod; it starts: # by hand"),
        (["--prefix", "c_"], "has the policies [other] and not c_prod-associations"),
        (["--prefix", "d_"], "is for the service accounts [api]"),
    ] {
        let refused = run(&stage.vault, &args).await;

        assert_eq!(refused.code, 1, "{args:?}: {}", refused.stdout);
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
    assert_eq!(root.list("auth/kubernetes/role").await.keys(), before);
    assert_eq!(root.read("iamra/clusters/prod").await.status, 404);
}

#[tokio::test]
async fn an_option_that_an_association_has_no_use_for_is_refused() {
    let stage = Stage::dev().await;

    for (args, words) in [
        (&["--way", "container"][..], "opens container/ alone"),
        (&["--role-arn", ROLE_ARN], "makes no engine role"),
        (&["--lease", "static"], "makes no engine role"),
        (&["--key-type", "default"], "makes no engine role"),
        (&["payments/api"], "is not the name of a namespace"),
        (&["--fallback", "a/b"], "nor the name of an engine role"),
        (&["--fallback", "-a"], "nor the name of an engine role"),
    ] {
        let refused = run(&stage.vault, args).await;

        assert_eq!(refused.code, 1, "{args:?}");
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
    let refused = plainly(&stage.vault, &["--fallback", "demo", "payments/api"]).await;
    assert!(refused.stderr.contains("--associations writes: give that too"), "{}", refused.stderr);
    assert!(!stage.root().read("sys/auth").await.text.contains("kubernetes/"));
}

#[tokio::test]
async fn every_name_and_path_is_the_options() {
    let stage = Stage::dev().await;
    stage.vault.mount("aws/iamra", harness::binaries::PLUGIN).await;
    let options =
        ["--mount", "aws/iamra", "--auth-mount", "k8s/prod", "--prefix", "eu_", "--audience", "aws"];

    let said = run(&stage.vault, &options).await.ok();

    let root = stage.root();
    let policy = root.read("sys/policies/acl/eu_prod-associations").await.ok().string("policy").to_owned();
    let accessor = root.read("sys/auth/k8s/prod").await.ok().string("accessor").to_owned();
    assert!(
        policy.contains(&format!("path \"aws/iamra/container/eu_{{{{identity.entity.aliases.{accessor}.")),
        "{policy}"
    );
    assert_eq!(root.read("auth/k8s/prod/role/eu_associations").await.ok().string("audience"), "aws");
    assert_eq!(root.read("aws/iamra/clusters/prod").await.ok().string("accessor"), accessor);
    assert!(said.contains("aws/iamra/roles/eu_<namespace>.<serviceaccount>"), "{said}");
}

#[tokio::test]
async fn a_cluster_whose_auth_mount_is_another_one_now_gets_the_policy_of_that() {
    let stage = set_up(&["--fallback", "demo"]).await;
    let root = stage.root();
    let fields = json!({ "role_arn": ROLE_ARN, "subject": "kubernetes" });
    let _ = root.write("iamra/roles/payments.api", fields).await.ok();
    let _ = root.delete("sys/auth/kubernetes").await.ok();
    let _ = root.write("sys/auth/kubernetes", json!({ "type": "kubernetes" })).await.ok();

    let refused = run(&stage.vault, &[]).await;
    let (_, cure) = refused.stderr.trim_end().split_once("if that mount is gone, vault ").expect("a cure");
    let _ = stage.vault.cli(&cure.split(' ').collect::<Vec<_>>()).await.ok();
    let _ = run(&stage.vault, &[]).await.ok();

    let accessor = root.read("sys/auth/kubernetes").await.ok().string("accessor").to_owned();
    assert_eq!(policy(&stage).await.matches(&accessor).count(), 2);
    assert_eq!(paths(&policy(&stage).await)[1..], ["iamra/container/demo"]);
}
