//! The set-up script of `vault-config/kubernetes`: one engine role, policy and auth role for each service account.

mod again;
mod associations;
mod templates;

use e2e::script;
use harness::{Api, CliRun, PROFILE_ARN, ROLE_ARN, Stage, TRUST_ANCHOR_ARN, Vault, in_the_west};
use serde_json::{Value, json};

const NAME: &str = "payments-api";
const HOST: &str = "https://127.0.0.1:6443";

/// The objects that the script writes for one service account.
const WRITTEN: [&str; 3] =
    ["iamra/roles/payments-api", "sys/policies/acl/payments-api", "auth/kubernetes/role/payments-api"];

/// Runs the script for a Vault outside the cluster `prod`.
async fn run(vault: &Vault, args: &[&str]) -> CliRun {
    let ca = vault.folder().join("cluster-ca.pem");
    std::fs::write(&ca, vault.root().without_token().read("iamra/ca/pem").await.ok().text).unwrap();
    let ca = ca.display().to_string();
    let outside = ["--kubernetes-host", HOST, "--kubernetes-ca", &ca, "--role-arn", ROLE_ARN];
    plainly(vault, &[&outside, args].concat()).await
}

/// The same with the cluster as the only argument.
async fn plainly(vault: &Vault, args: &[&str]) -> CliRun {
    let args = [&["--cluster", "prod"], args].concat();
    script(vault, vault.root_token(), "kubernetes/setup.sh", &args, &[]).await
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

/// The token of a service account after its login; the login itself needs a cluster.
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
async fn a_new_role_needs_an_iam_role() {
    let stage = Stage::dev().await;

    let refused = plainly(&stage.vault, &["payments/api"]).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("iamra/roles/payments-api is new"), "{}", refused.stderr);
    assert!(!stage.root().read("sys/auth").await.text.contains("kubernetes/"));
}

#[tokio::test]
async fn outside_the_cluster_a_run_that_cannot_configure_the_login_leaves_no_half_of_it() {
    let stage = Stage::dev().await;
    let args = ["--role-arn", ROLE_ARN, "payments/api"];

    for _ in 0..2 {
        let refused = plainly(&stage.vault, &args).await;

        assert_ne!(refused.code, 0, "{}", refused.stdout);
        assert!(refused.stderr.contains("give --kubernetes-host, --kubernetes-ca"), "{}", refused.stderr);
        assert!(!stage.root().read("sys/auth").await.text.contains("kubernetes/"));
    }
    assert_eq!(stage.root().read(WRITTEN[0]).await.status, 404);
}

#[tokio::test]
async fn a_login_without_a_configuration_gets_one() {
    let stage = Stage::dev().await;
    let _ = stage.root().write("sys/auth/kubernetes", json!({ "type": "kubernetes" })).await.ok();

    let refused = plainly(&stage.vault, &["--role-arn", ROLE_ARN, "payments/api"]).await;
    let _ = run(&stage.vault, &["payments/api"]).await.ok();

    assert_ne!(refused.code, 0, "{}", refused.stdout);
    let config = stage.root().read("auth/kubernetes/config").await.ok();
    assert_eq!(config.string("kubernetes_host"), HOST);
    assert_eq!(config.data()["disable_local_ca_jwt"], true);
}

#[tokio::test]
async fn what_the_script_needs_is_asked_for_before_anything_is_written() {
    let stage = Stage::dev().await;
    let (vault, empty) = (&stage.vault, stage.vault.folder().join("empty.pem"));
    std::fs::write(&empty, "").unwrap();
    let empty = empty.display().to_string();
    let host = ["--kubernetes-host", HOST];

    for (args, words) in [
        ([&host[..], &["--kubernetes-ca", &empty]].concat(), "cannot read a PEM certificate from"),
        ([&host[..], &["--kubernetes-ca", "/nowhere.pem"]].concat(), "cannot read a PEM certificate from"),
        ([&host[..], &["--mount", "elsewhere"]].concat(), "no engine answers at elsewhere/"),
    ] {
        let refused = plainly(vault, &[&args[..], &["--role-arn", ROLE_ARN, "payments/api"]].concat()).await;

        assert_eq!(refused.code, 1, "{args:?}: {}", refused.stdout);
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
    assert!(!stage.root().read("sys/auth").await.text.contains("kubernetes/"));
}

#[tokio::test]
async fn a_login_is_configured_anew_with_all_that_it_had() {
    let stage = set_up(&["payments/api"]).await;
    let root = stage.root();
    let mut expected = root.read("auth/kubernetes/config").await.ok().body["data"].clone();
    expected["use_annotations_as_alias_metadata"] = json!(true);
    let _ = root.write("auth/kubernetes/config", expected.clone()).await.ok();
    let other = "https://10.0.0.1:6443";

    let _ = plainly(&stage.vault, &["payments/api"]).await.ok();
    let same = root.read("auth/kubernetes/config").await.ok().body["data"].clone();
    let _ = plainly(&stage.vault, &["--kubernetes-host", other, "payments/api"]).await.ok();

    assert_eq!(same, expected);
    expected["kubernetes_host"] = json!(other);
    assert_eq!(root.read("auth/kubernetes/config").await.ok().body["data"], expected);
}

#[tokio::test]
async fn a_reviewers_token_is_not_lost_to_another_address() {
    let stage = set_up(&["payments/api"]).await;
    let root = stage.root();
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyZXZpZXdlciJ9.";
    let config =
        json!({ "kubernetes_host": HOST, "disable_local_ca_jwt": true, "token_reviewer_jwt": token });
    let _ = root.write("auth/kubernetes/config", config).await.ok();

    let refused =
        plainly(&stage.vault, &["--kubernetes-host", "https://10.0.0.1:6443", "payments/api"]).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("give --reviewer-jwt too"), "{}", refused.stderr);
    assert_eq!(root.read("auth/kubernetes/config").await.ok().string("kubernetes_host"), HOST);
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
        ("Payments/api", "not the name of a namespace"),
        ("pay.ments/api", "not the name of a namespace"),
        ("payments/", "not the name of a service account"),
        ("payments/a_b", "not the name of a service account"),
        ("payments/a/b", "not the name of a service account"),
        ("payments/{{x}}", "not the name of a service account"),
        ("payments/api=role/api", "not the ARN of an IAM role"),
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
    let not_both = format!("{TRUST_ANCHOR_ARN},{ROLE_ARN}");

    for (args, words) in [
        (["--cluster", "Prod.EU"], "DNS label"),
        (["--way", "listener"], "file, container or both"),
        (["--audience", ""], "any other service"),
        (["--audience", "-"], "--audience: the vault command cannot write the value -"),
        (["--lease", "none"], "leased or static"),
        (["--session-duration", "4h"], "number of seconds"),
        (["--kubernetes-host", ""], "give --kubernetes-host too"),
        (["--profile-arn", ROLE_ARN], "neither `default` nor the ARN of a Roles Anywhere profile"),
        (["--trust-anchor-arn", &not_both], "nor the ARN of a trust anchor"),
        (["--mount", "a b"], "not the path of a mount"),
        (["--mont", "x"], "no option --mont"),
    ] {
        let refused = run(&stage.vault, &[&args[..], &["payments/api"]].concat()).await;

        assert_eq!(refused.code, 1, "{args:?}");
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn the_anchors_and_profiles_of_two_regions_are_those_of_the_role() {
    let both = |arn: &str| format!("{arn},{}", in_the_west(arn));
    let (anchors, profiles) = (both(TRUST_ANCHOR_ARN), both(PROFILE_ARN));

    let stage = set_up(&["--trust-anchor-arn", &anchors, "--profile-arn", &profiles, "payments/api"]).await;

    let role = stage.root().read("iamra/roles/payments-api").await.ok();
    assert_eq!((role.string("trust_anchor_arn"), role.string("profile_arn")), (&*anchors, &*profiles));
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
