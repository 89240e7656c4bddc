//! The set-up script of `vault-config/kubernetes`: one engine role, policy and auth role for each service account.

use e2e::script;
use harness::{Api, CliRun, PROFILE_ARN, ROLE_ARN, Stage, Vault};
use serde_json::{Value, json};

const NAME: &str = "payments-api";

/// What the script writes for one service account.
const WRITTEN: [&str; 3] =
    ["iamra/roles/payments-api", "sys/policies/acl/payments-api", "auth/kubernetes/role/payments-api"];

async fn run(vault: &Vault, args: &[&str]) -> CliRun {
    let ca = vault.folder().join("cluster-ca.pem");
    std::fs::write(&ca, vault.root().without_token().read("iamra/ca/pem").await.ok().text).unwrap();
    let ca = ca.display().to_string();
    let outside = ["--cluster", "prod", "--kubernetes-ca", &ca, "--role-arn", ROLE_ARN];
    script(vault, vault.root_token(), "kubernetes/setup.sh", &[&outside, args].concat(), &[]).await
}

/// A stage on which the script has run with these arguments.
async fn set_up(args: &[&str]) -> Stage {
    let stage = Stage::dev().await;
    let _ = run(&stage.vault, args).await.ok();
    stage
}

async fn all(root: &Api, paths: &[&str]) -> Vec<Value> {
    let mut found = Vec::new();
    for path in paths {
        found.push(root.read(path).await.body["data"].clone());
    }
    found
}

/// What a service account that has logged in holds; the login itself needs a cluster.
async fn token_of(stage: &Stage, policy: &str) -> Api {
    let body = json!({ "policies": [policy], "no_default_policy": true });
    let created = stage.root().write("auth/token/create", body).await.ok();
    stage.root().with_token(created.body["auth"]["client_token"].as_str().unwrap())
}

#[tokio::test]
async fn the_certificate_names_cluster_namespace_and_service_account() {
    let stage = set_up(&["payments/api=arn:aws:iam::111122223333:role/api"]).await;

    let role = stage.root().read("iamra/roles/payments-api").await.ok();

    let data = role.data();
    assert_eq!(data["role_arn"], "arn:aws:iam::111122223333:role/api");
    assert_eq!(data["common_name"], "prod.payments.api");
    assert_eq!(data["organization"], json!(["prod"]));
    assert_eq!(data["organizational_unit"], json!(["payments"]));
    assert_eq!(data["uri_sans"], json!(["spiffe://prod/ns/payments/sa/api"]));
    assert_eq!(data["session_duration"], 14_400);
    assert_eq!(data["session_sharing"], "identity");
}

#[tokio::test]
async fn only_this_service_account_logs_in_and_gets_only_its_policy() {
    let stage = set_up(&["payments/api"]).await;

    let role = stage.root().read("auth/kubernetes/role/payments-api").await.ok();

    let data = role.data();
    assert_eq!(data["bound_service_account_names"], json!(["api"]));
    assert_eq!(data["bound_service_account_namespaces"], json!(["payments"]));
    assert_eq!(data["audience"], "vault");
    assert_eq!(data["token_policies"], json!([NAME]));
    assert_eq!(data["token_no_default_policy"], true);
    assert_eq!((&data["token_ttl"], &data["token_max_ttl"]), (&json!(3600), &json!(86_400)));
}

#[tokio::test]
async fn a_service_account_reads_its_own_role_and_nobody_elses() {
    let stage = set_up(&["payments/api", "payments/web"]).await;
    let api = token_of(&stage, NAME).await;

    let _ = api.read("iamra/creds/payments-api").await.ok();

    for path in
        ["iamra/creds/payments-web", "iamra/creds/demo", "iamra/container/payments-web", "iamra/config"]
    {
        assert_eq!(api.read(path).await.status, 403, "{path}");
    }
    assert_eq!(api.list("iamra/roles").await.status, 403);
    assert_eq!(api.write("iamra/creds/payments-api", json!({ "ttl": 900 })).await.status, 403);
}

#[tokio::test]
async fn the_listeners_way_opens_the_container_path_alone() {
    let stage = set_up(&["--way", "container", "payments/api"]).await;
    let api = token_of(&stage, NAME).await;

    let policy = stage.root().read("sys/policies/acl/payments-api").await.ok().string("policy").to_owned();

    assert_eq!(api.read("iamra/creds/payments-api").await.status, 403);
    assert!(policy.contains(r#""iamra/container/payments-api""#), "{policy}");
    assert_eq!(policy.matches("path ").count(), 2, "{policy}");
}

#[tokio::test]
async fn the_files_way_opens_the_creds_path_and_the_tokens_own_pages() {
    let stage = set_up(&["--way", "file", "payments/api"]).await;
    let api = token_of(&stage, NAME).await;

    let _ = api.read("iamra/creds/payments-api").await.ok();

    let _ = api.read("auth/token/lookup-self").await.ok();
    assert_eq!(api.read("iamra/container/payments-api").await.status, 403);
    let _ = api.write("auth/token/revoke-self", json!({})).await.ok();
}

#[tokio::test]
async fn a_second_run_writes_the_same_again() {
    let stage = set_up(&["payments/api"]).await;
    let before = all(stage.root(), &WRITTEN).await;

    let _ = run(&stage.vault, &["payments/api"]).await.ok();

    assert_eq!(all(stage.root(), &WRITTEN).await, before);
}

#[tokio::test]
async fn a_profile_that_is_given_stays_with_its_role_until_another_is_given() {
    let stage = set_up(&["--profile-arn", PROFILE_ARN, "payments/api"]).await;
    let profile = async || stage.root().read(WRITTEN[0]).await.ok().data().get("profile_arn").cloned();
    let given = profile().await;

    let _ = run(&stage.vault, &["payments/api", "payments/web"]).await.ok();
    let kept = profile().await;
    let _ = run(&stage.vault, &["--profile-arn", "default", "payments/api"]).await.ok();

    assert_eq!((&given, &kept), (&Some(json!(PROFILE_ARN)), &given));
    assert_eq!(profile().await, None);
    let web = stage.root().read("iamra/roles/payments-web").await.ok();
    assert_eq!(web.data().get("profile_arn"), None, "a new role has the config's profile");
}

#[tokio::test]
async fn an_operators_configuration_of_the_auth_mount_is_left_alone() {
    let stage = set_up(&["--kubernetes-host", "https://10.0.0.1:6443", "payments/api"]).await;

    let _ = run(&stage.vault, &["payments/web"]).await.ok();

    let config = stage.root().read("auth/kubernetes/config").await.ok();
    assert_eq!(config.string("kubernetes_host"), "https://10.0.0.1:6443");
}

#[tokio::test]
async fn another_mount_and_another_auth_mount_are_taken() {
    let stage = Stage::dev().await;
    stage.vault.mount("second", harness::binaries::PLUGIN).await;
    stage.set_up("second").await;

    let _ = run(&stage.vault, &["--mount", "second", "--auth-mount", "k8s/prod", "payments/api"]).await.ok();

    let api = token_of(&stage, NAME).await;
    assert_eq!(api.read("second/creds/payments-api").await.status, 200);
    assert_eq!(api.read("iamra/creds/payments-api").await.status, 403);
    let _ = stage.root().read("auth/k8s/prod/role/payments-api").await.ok();
}

#[tokio::test]
async fn a_bad_name_is_refused_and_nothing_is_written() {
    let stage = Stage::dev().await;
    let long = format!("payments/{}", "a".repeat(60));

    for (given, words) in [
        ("payments", "namespace/serviceaccount"),
        ("Payments/api", "no name of a namespace"),
        ("pay.ments/api", "no name of a namespace"),
        ("payments/", "no name of a service account"),
        ("payments/a_b", "no name of a service account"),
        ("payments/a/b", "no name of a service account"),
        ("payments/{{x}}", "no name of a service account"),
        ("payments/api=role/api", "no ARN of an IAM role"),
        ("iamra/operator", "register Job"),
        (long.as_str(), "AWS takes 61"),
    ] {
        let refused = run(&stage.vault, &["payments/web", given]).await;

        assert_eq!(refused.code, 1, "{given}: {}", refused.stdout);
        assert!(refused.stderr.contains(words), "{given}: {}", refused.stderr);
    }
    assert_eq!(stage.root().read("iamra/roles/payments-web").await.status, 404);
    assert!(!stage.root().read("sys/auth").await.text.contains("kubernetes/"));
}

#[tokio::test]
async fn a_bad_option_is_refused() {
    let stage = Stage::dev().await;

    for (args, words) in [
        (["--cluster", "Prod.EU"], "DNS label"),
        (["--way", "listener"], "file, container or both"),
        (["--audience", ""], "any other service"),
        (["--profile-arn", ROLE_ARN], "no ARN of a Roles Anywhere profile"),
        (["--mount", "a b"], "no path of a mount"),
        (["--mont", "x"], "no option --mont"),
    ] {
        let refused = run(&stage.vault, &[&args[..], &["payments/api"]].concat()).await;

        assert_eq!(refused.code, 1, "{args:?}");
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn two_service_accounts_of_one_name_are_refused_in_one_run() {
    let stage = Stage::dev().await;

    let refused = run(&stage.vault, &["a-b/c", "a/b-c"]).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("would both be a-b-c"), "{}", refused.stderr);
    assert_eq!(stage.root().read("iamra/roles/a-b-c").await.status, 404);
}

#[tokio::test]
async fn two_service_accounts_of_one_name_are_refused_in_two_runs() {
    let stage = set_up(&["a-b/c"]).await;
    let written = ["iamra/roles/a-b-c", "sys/policies/acl/a-b-c", "auth/kubernetes/role/a-b-c"];
    let before = all(stage.root(), &written).await;

    let refused = run(&stage.vault, &["a/b-c"]).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("belongs to the namespace [a-b], not to a"), "{}", refused.stderr);
    assert_eq!(all(stage.root(), &written).await, before);
}

#[tokio::test]
async fn another_clusters_service_account_of_the_same_name_is_refused() {
    let stage = set_up(&["payments/api"]).await;
    let before = all(stage.root(), &WRITTEN).await;

    let refused =
        run(&stage.vault, &["--cluster", "stage", "--auth-mount", "kubernetes-stage", "payments/api"]).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("prod.payments.api"), "{}", refused.stderr);
    assert_eq!(all(stage.root(), &WRITTEN).await, before);
}

#[tokio::test]
async fn a_second_cluster_has_a_prefix() {
    let stage = set_up(&["payments/api"]).await;
    let before = all(stage.root(), &WRITTEN).await;
    let second = ["--cluster", "stage", "--auth-mount", "stage", "--prefix", "stage-"];

    let _ = run(&stage.vault, &[&second[..], &["payments/api"]].concat()).await.ok();

    assert_eq!(all(stage.root(), &WRITTEN).await, before);
    let role = stage.root().read("iamra/roles/stage-payments-api").await.ok();
    assert_eq!(role.string("common_name"), "stage.payments.api");
    let api = token_of(&stage, "stage-payments-api").await;
    assert_eq!(api.read("iamra/creds/stage-payments-api").await.status, 200);
    assert_eq!(api.read("iamra/creds/payments-api").await.status, 403);
    let login = stage.root().read("auth/stage/role/stage-payments-api").await.ok();
    assert_eq!(login.data()["bound_service_account_names"], json!(["api"]));
}

#[tokio::test]
async fn a_policy_that_somebody_else_wrote_is_left_alone() {
    let stage = Stage::dev().await;
    let theirs = json!({ "policy": "# by hand\npath \"secret/*\" { capabilities = [\"read\"] }" });
    let _ = stage.root().write("sys/policies/acl/payments-api", theirs).await.ok();

    let refused = run(&stage.vault, &["payments/api"]).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("# by hand"), "{}", refused.stderr);
    assert_eq!(stage.root().read("iamra/roles/payments-api").await.status, 404);
}

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
        (["--role-arn", "x", "payments"], "no ARN of an IAM role"),
        (["--way", "file", "payments/api"], "takes namespaces"),
        (["--way", "file", "--templates"], "no namespace given"),
    ] {
        let refused = run_templates(&stage.vault, &args).await;

        assert_eq!(refused.code, 1, "{args:?}: {}", refused.stdout);
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
    assert_eq!(all(stage.root(), &TEMPLATED).await, before);
}

#[tokio::test]
async fn the_register_jobs_role_is_bound_to_its_own_service_account() {
    let stage = set_up(&["--register-job"]).await;

    let role = stage.root().read("auth/kubernetes/role/iamra-operator").await.ok();

    let data = role.data();
    assert_eq!(data["bound_service_account_names"], json!(["iamra-operator"]));
    assert_eq!(data["bound_service_account_namespaces"], json!(["vault"]));
    assert_eq!(data["token_policies"], json!(["iamra-operator"]));
    assert_eq!(data["token_no_default_policy"], true);
    let job = token_of(&stage, "iamra-operator").await;
    assert_eq!(job.read("sys/mounts/iamra").await.status, 200);
    assert_eq!(job.read("iamra/creds/demo").await.status, 403);
}
