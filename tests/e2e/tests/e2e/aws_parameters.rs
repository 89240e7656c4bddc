//! `vault-config/aws/parameters.sh`: what it reads from Vault is what the templates take.

use std::os::unix::fs::PermissionsExt;

use e2e::templates::Templates;
use e2e::{config_file, script};
use harness::{ACCOUNT, CliRun, PROFILE_ARN, ROLE_ARN, Stage, TRUST_ANCHOR_ARN};
use serde_json::{Map, Value, json};

const TEMPLATES: Templates = Templates::within(concat!(env!("CARGO_TARGET_TMPDIR"), "/cfn-lint"));
const ROLE: &str = "arn:aws:iam::111122223333:role/iamra/teams/payments-api";

/// Runs the script with the operator's policy alone.
async fn run(stage: &Stage, args: &[&str]) -> CliRun {
    let rules = std::fs::read_to_string(config_file("policies/operator.hcl")).unwrap();
    let token = stage.vault.token("operator", &rules).await;
    script(&stage.vault, &token, "aws/parameters.sh", args, &[]).await
}

/// The parameters that it prints.
async fn printed(stage: &Stage, args: &[&str]) -> Map<String, Value> {
    let said = run(stage, args).await.ok();
    let parameters: Vec<Value> = serde_json::from_str(&said).unwrap();
    let pairs = parameters.into_iter().map(|mut one| {
        assert_eq!(one.as_object().unwrap().len(), 2, "{one}");
        (one["ParameterKey"].as_str().unwrap().to_owned(), one["ParameterValue"].take())
    });
    pairs.collect()
}

/// The resources of a template with exactly these parameters.
fn made(template: &str, parameters: &Map<String, Value>) -> Value {
    let mut values = json!({
        "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": harness::REGION,
        "ApplicationBoundary": "b", "ManagementBoundary": "m", "Role.Arn": ROLE, "Profile.ProfileArn": PROFILE_ARN,
        "TrustAnchor.TrustAnchorArn": TRUST_ANCHOR_ARN,
        "TrustAnchorRole.Arn": "t", "RevocationRole.Arn": "r", "CheckRole.Arn": "c",
    });
    values.as_object_mut().unwrap().extend(parameters.clone());
    let made = TEMPLATES.resolve(template, &values).unwrap();
    let known = made["parameters"].as_array().unwrap();
    for name in parameters.keys() {
        assert!(known.contains(&json!(name)), "{template} has no parameter {name}");
    }
    made
}

/// A stage with a service account that the set-up script made.
async fn stage() -> Stage {
    let stage = Stage::dev().await;
    let _ = stage.root().delete("iamra/roles/demo").await.ok();
    set_up(&stage, &["--cluster", "prod", "--role-arn", ROLE, "payments/api"]).await;
    stage
}

async fn set_up(stage: &Stage, args: &[&str]) {
    let ca = stage.vault.folder().join("cluster-ca.pem");
    std::fs::write(&ca, stage.ca_pem("iamra").await).unwrap();
    let ca = ca.display().to_string();
    let args = [&["--kubernetes-host", "https://127.0.0.1:6443", "--kubernetes-ca", &ca], args].concat();
    let _ = script(&stage.vault, stage.vault.root_token(), "kubernetes/setup.sh", &args, &[]).await.ok();
}

/// Removes the anchor that the configuration names.
async fn without_anchor(stage: &Stage) {
    let neither = json!({ "default_trust_anchor_arn": "", "default_profile_arn": "" });
    let _ = stage.root().write("iamra/config", neither).await.ok();
}

#[tokio::test]
async fn a_new_account_gets_the_bundle_of_both_issuers_and_the_path_of_the_roles() {
    let stage = stage().await;
    let next = json!({ "common_name": "next", "issuer_name": "next" });
    let _ = stage.root().write("iamra/root/generate/internal", next).await.ok();

    let parameters = printed(&stage, &["management", "ApplicationActions=s3:*,sqs:*"]).await;

    let account = made("aws/management.yaml", &parameters);
    let held = &account["resources"]["TrustAnchor"]["Source"]["SourceData"]["X509CertificateData"];
    assert_eq!(held.as_str().unwrap().trim_end(), stage.trust_bundle("iamra").await.trim_end());
    assert_eq!(held.as_str().unwrap().matches("BEGIN").count(), 2);
    assert_eq!(parameters["ApplicationRolePath"], "/iamra/teams/");
    assert_eq!(parameters.len(), 3);
}

#[tokio::test]
async fn an_account_whose_anchor_is_known_gets_its_arn_and_no_bundle() {
    let stage = stage().await;
    let _ = stage.root().write("iamra/trust-anchors/main", harness::managed_anchor()).await.ok();
    let _ = stage.root().write("iamra/roles/other", json!({ "role_arn": ROLE_ARN })).await.ok();

    let parameters = printed(&stage, &["management", "--anchor", "main", "ApplicationActions=s3:*"]).await;

    let account = made("aws/management.yaml", &parameters);
    assert_eq!(account["outputs"]["TrustAnchorArn"], TRUST_ANCHOR_ARN);
    let expected = json!({ "TrustAnchorArn": TRUST_ANCHOR_ARN, "ApplicationActions": "s3:*" });
    assert_eq!(Value::Object(parameters), expected, "a role is under no path of ours, so none is said");
}

#[tokio::test]
async fn a_path_that_is_left_out_is_reported_with_the_role_that_causes_it() {
    let stage = stage().await;
    let _ = stage.root().write("iamra/roles/other", json!({ "role_arn": ROLE_ARN })).await.ok();

    let said = run(&stage, &["management"]).await;

    assert!(said.stderr.contains("the IAM role of iamra/roles/other is under /;"), "{}", said.stderr);
    assert!(!said.ok().contains("ApplicationRolePath"));
}

#[tokio::test]
async fn a_bundle_that_no_parameter_holds_is_refused_and_an_anchor_takes_its_place() {
    let stage = stage().await;
    let next = json!({ "common_name": "next", "issuer_name": "next", "key_type": "ml-dsa" });
    let _ = stage.root().write("iamra/root/generate/internal", next).await.ok();

    let refused = run(&stage, &["management"]).await;
    let parameters = printed(&stage, &["management", &format!("TrustAnchorArn={TRUST_ANCHOR_ARN}")]).await;

    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("takes 4096") && refused.stderr.contains("TrustAnchorArn="));
    assert!(!parameters.contains_key("CaPem"));
}

#[tokio::test]
async fn a_service_account_gets_the_iam_role_that_its_engine_role_names() {
    let stage = stage().await;

    let parameters = printed(&stage, &["stack", "payments-api"]).await;

    let expected = json!({
        "RoleName": "payments-api", "RolePath": "/iamra/teams/", "SessionSeconds": "14400",
        "TrustAnchorArn": TRUST_ANCHOR_ARN, "Cluster": "prod", "Namespace": "payments", "ServiceAccount": "api",
    });
    assert_eq!(Value::Object(parameters.clone()), expected);
    let stack = made("aws/stack.yaml", &parameters)["resources"].take();
    let tested = &stack["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"];
    assert_eq!(tested["aws:PrincipalTag/x509Subject/CN"], "prod.payments.api");
}

#[tokio::test]
async fn a_role_that_names_its_sessions_gets_a_profile_that_takes_names() {
    let stage = stage().await;
    set_up(&stage, &["--cluster", "prod", "--role-session-name", "payments.api", "payments/api"]).await;

    let parameters = printed(&stage, &["stack", "payments-api"]).await;

    assert_eq!(made("aws/stack.yaml", &parameters)["resources"]["Profile"]["AcceptRoleSessionName"], true);
    assert_eq!(
        stage.root().read("iamra/roles/payments-api").await.ok().string("role_session_name"),
        "payments.api"
    );
}

#[tokio::test]
async fn without_a_trust_anchor_the_stack_makes_one() {
    let stage = stage().await;
    without_anchor(&stage).await;

    let parameters = printed(&stage, &["stack", "payments-api"]).await;

    assert!(!parameters.contains_key("TrustAnchorArn"));
    assert!(made("aws/stack.yaml", &parameters)["resources"]["TrustAnchor"].is_object());
}

#[tokio::test]
async fn a_role_for_many_service_accounts_serves_the_one_that_is_named() {
    let stage = stage().await;
    set_up(&stage, &["--cluster", "prod", "--templates", "--role-arn", ROLE, "payments"]).await;

    let parameters = printed(&stage, &["stack", "prod-pods", "payments/web", "RoleName=web"]).await;

    made("aws/stack.yaml", &parameters);
    let identity = ["Cluster", "Namespace", "ServiceAccount", "RoleName"].map(|name| &parameters[name]);
    assert_eq!(identity, ["prod", "payments", "web", "web"]);
}

/// The words that it prints for an association.
async fn words(stage: &Stage, args: &[&str]) -> Map<String, Value> {
    let said = run(stage, &[&["association"], args].concat()).await.ok();
    let words = said.split_whitespace().map(|word| word.split_once('=').expect("Key=Value"));
    words.map(|(key, value)| (key.to_owned(), json!(value))).collect()
}

async fn register(stage: &Stage, cluster: &str) {
    let accessor = json!({ "accessor": format!("auth_kubernetes_0000000{}", cluster.len()) });
    let _ = stage.root().write(&format!("iamra/clusters/{cluster}"), accessor).await.ok();
}

#[tokio::test]
async fn an_association_has_its_stack_before_it_has_an_engine_role_and_its_fields_from_the_stack() {
    let stage = stage().await;
    register(&stage, "prod").await;

    let parameters = words(&stage, &["payments/api", "ManagedPolicyArns=arn:aws:iam::aws:policy/a"]).await;
    let stack = made("aws/stack.yaml", &parameters);
    let fields = stack["outputs"]["Association"].as_str().unwrap();
    let write: Vec<&str> =
        ["write", "iamra/roles/payments.api"].into_iter().chain(fields.split(' ')).collect();
    let _ = stage.vault.cli(&write).await.ok();

    let expected = json!({
        "Cluster": "prod", "Namespace": "payments", "ServiceAccount": "api", "RoleName": "payments.api",
        "RolePath": "/iamra/teams/", "TrustAnchorArn": TRUST_ANCHOR_ARN, "ManagedPolicyArns": "arn:aws:iam::aws:policy/a",
    });
    assert_eq!(Value::Object(parameters), expected);
    let role = stage.root().read("iamra/roles/payments.api").await.ok();
    for (field, value) in [
        ("role_arn", json!(ROLE)),
        ("profile_arn", json!(PROFILE_ARN)),
        ("trust_anchor_arn", json!(TRUST_ANCHOR_ARN)),
        ("session_duration", json!(14_400)),
        ("clusters", json!(["prod"])),
        ("subject", json!("kubernetes")),
    ] {
        assert_eq!(role.data()[field], value, "{field}");
    }
    let tested = &stack["resources"]["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"];
    assert_eq!(tested["StringEquals"]["aws:PrincipalTag/x509Subject/CN"], "prod.payments.api");
}

#[tokio::test]
async fn an_association_that_is_there_names_its_service_account_itself() {
    let stage = stage().await;
    register(&stage, "prod").await;
    for role in ["payments.api.v2", "stage_payments.api", "no-association"] {
        let fields = json!({ "role_arn": ROLE, "subject": "kubernetes" });
        let _ = stage.root().write(&format!("iamra/roles/{role}"), fields).await.ok();
    }
    let identity = |parameters: &Map<String, Value>| {
        ["Cluster", "Namespace", "ServiceAccount"].map(|name| parameters[name].as_str().unwrap().to_owned())
    };

    let own = printed(&stage, &["stack", "payments.api.v2"]).await;
    let named = printed(&stage, &["stack", "stage_payments.api", "payments/api"]).await;

    assert_eq!(identity(&own), ["prod", "payments", "api.v2"]);
    assert_eq!(identity(&named), ["prod", "payments", "api"]);
    for role in ["stage_payments.api", "no-association"] {
        let refused = run(&stage, &["stack", role]).await;

        assert!(refused.stderr.contains("is for many service accounts"), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn what_an_association_cannot_know_is_asked_for() {
    let stage = stage().await;
    let nothing = run(&stage, &["association", "payments/api"]).await;
    register(&stage, "prod").await;
    register(&stage, "stage").await;
    let long = format!("payments/{}", "a".repeat(60));

    let named = words(&stage, &["payments/api", "--cluster", "stage", "RoleName=x"]).await;

    assert!(nothing.stderr.contains("no cluster is registered"), "{}", nothing.stderr);
    assert_eq!((&named["Cluster"], &named["RoleName"]), (&json!("stage"), &json!("x")));
    for (args, reason) in [
        (&["payments/api"][..], "several clusters are registered; name one with --cluster: prod stage"),
        (&["payments/api", "--cluster", "dev"], "cannot read iamra/clusters/dev"),
        (&["payments", "--cluster", "prod"], "'payments' is not namespace/serviceaccount"),
        (&["pay.ments/api", "--cluster", "prod"], "'pay.ments' is not the name of a namespace"),
        (&["payments/a_b", "--cluster", "prod"], "'a_b' is not the name of a service account"),
        (&["payments/api", "--clutser", "prod"], "takes --cluster NAME"),
        (&[&long, "--cluster", "prod"], "is cut in AWS"),
        (&["payments/api", "--cluster", "prod", "RolePath=/a b/"], "is no word by itself"),
        (&[], "usage:"),
    ] {
        let refused = run(&stage, &[&["association"], args].concat()).await;

        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{args:?} {}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{args:?}: {}", refused.stderr);
    }
    without_anchor(&stage).await;
    let refused = run(&stage, &["association", "payments/api", "--cluster", "prod"]).await;
    assert!(refused.stderr.contains("make the account's trust anchor first"), "{}", refused.stderr);
}

#[tokio::test]
async fn what_is_given_counts_more_than_what_vault_says() {
    let stage = stage().await;
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";

    let odd = r#"Name="a\b"#;
    let parameters =
        printed(&stage, &["stack", "payments-api", "RolePath=/x/", &format!("CaPem={pem}"), odd]).await;

    assert_eq!((&parameters["RolePath"], &parameters["CaPem"]), (&json!("/x/"), &json!(pem)));
    assert_eq!(parameters["Name"], r#""a\b"#);
    assert!(!parameters.contains_key("TrustAnchorArn"), "the templates take one of the two");
}

#[tokio::test]
async fn sessions_under_an_hour_get_a_role_of_an_hour() {
    let stage = stage().await;
    let _ = stage.root().patch("iamra/roles/payments-api", json!({ "session_duration": 900 })).await.ok();

    let parameters = printed(&stage, &["stack", "payments-api"]).await;

    assert_eq!(parameters["SessionSeconds"], "3600");
    made("aws/stack.yaml", &parameters);
}

#[tokio::test]
async fn a_number_of_vaults_that_is_none_is_refused_and_not_run() {
    let stage = stage().await;
    let mark = stage.vault.folder().join("ran");
    let false_vault = stage.vault.folder().join("false-vault");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *=session_duration*) echo 'a[$(touch {})]' ;; *) exec {} \"$@\" ;; esac\n",
        mark.display(),
        harness::binaries::vault().display()
    );
    std::fs::write(&false_vault, text).unwrap();
    std::fs::set_permissions(&false_vault, PermissionsExt::from_mode(0o755)).unwrap();
    let environment = [("VAULT_CLI", false_vault.to_str().unwrap())];

    let args = ["stack", "payments-api"];
    let refused =
        script(&stage.vault, stage.vault.root_token(), "aws/parameters.sh", &args, &environment).await;

    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("session_duration is not a number of seconds"), "{}", refused.stderr);
    assert!(!mark.exists());
}

#[tokio::test]
async fn what_has_no_answer_is_refused_with_the_reason_and_prints_nothing() {
    let stage = stage().await;
    set_up(&stage, &["--cluster", "prod", "--templates", "--role-arn", ROLE, "payments"]).await;
    let _ = stage.root().write("iamra/roles/plain", json!({ "role_arn": ROLE_ARN })).await.ok();
    let two = json!({ "role_arn": ROLE_ARN, "common_name": "a.b.c", "organization": ["a", "b"] });
    let _ = stage.root().write("iamra/roles/two", two).await.ok();
    let long = format!("payments/{}", "a".repeat(60));

    for (args, reason) in [
        (&["stack", "nobody"][..], "cannot read iamra/roles/nobody"),
        (&["stack", "plain"], "not one of kubernetes/setup.sh"),
        (&["stack", "two"], "has several values"),
        (&["stack", "prod-pods"], "is for many service accounts"),
        (&["stack", "prod-pods", &long], "is cut in AWS"),
        (&["stack", "prod-pods", "payments"], "is not namespace/serviceaccount"),
        (&["stack", "payments-api", "payments/web"], "is for prod.payments.api alone"),
        (&["management", "--anchor", "nowhere"], "cannot read iamra/trust-anchors/nowhere"),
        (&["management", "--anchor"], "usage:"),
        (&["--mount", "other", "management"], "cannot read other/trust-bundle"),
        (&["stack"], "usage:"),
        (&["stack", "payments-api", "A=b", "c"], "'c' is not Key=Value"),
    ] {
        let refused = run(&stage, args).await;

        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{args:?} {}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{args:?}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn a_mount_without_a_ca_says_how_to_make_one() {
    let stage = Stage::without_ca(harness::Vault::dev().await).await;

    let refused = run(&stage, &["management"]).await;

    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("vault write iamra/root/generate/internal"), "{}", refused.stderr);
}
