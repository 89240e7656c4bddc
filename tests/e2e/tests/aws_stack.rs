//! The stack of AWS resources in `vault-config/aws`: linted, and its very trust policy asked who may come in.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use e2e::{config_file, script};
use harness::{ACCOUNT, MANAGEMENT_PROFILE_ARN, PROFILE_ARN, Stage, TRUST_ANCHOR_ARN, binaries};
use serde_json::{Map, Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/payments-api";

fn tool(name: &str) -> PathBuf {
    binaries::workspace().join("tests/tools/cfn-lint").join(name)
}

fn environment() -> &'static Path {
    Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/cfn-lint"))
}

/// Runs the pinned cfn-lint on the templates; the first run in a test process installs it.
fn linted() -> &'static Output {
    static RUN: OnceLock<Output> = OnceLock::new();
    RUN.get_or_init(|| {
        let templates = ["aws/stack.yaml", "aws/management.yaml"].map(config_file);
        Command::new(tool("run")).arg(environment()).args(templates).output().expect("bash runs")
    })
}

/// A template's resources as AWS would create them.
fn resources(stage: &Stage, template: &str, values: &Value) -> Value {
    assert!(linted().status.success(), "{}", String::from_utf8_lossy(&linted().stderr));
    let file = stage.vault.folder().join("stack-values.json");
    std::fs::write(&file, values.to_string()).unwrap();
    let resolved = Command::new(environment().join("bin/python"))
        .arg("-B")
        .arg(tool("resolve.py"))
        .args([config_file(template), file])
        .output()
        .unwrap();
    assert!(resolved.status.success(), "{}", String::from_utf8_lossy(&resolved.stderr));
    serde_json::from_slice(&resolved.stdout).unwrap()
}

/// The application's stack for the CA of a stage, and what else its parameters say.
async fn application(stage: &Stage, more: &[(&str, &str)]) -> Value {
    let mut values = json!({
        "CaPem": stage.ca_pem("iamra").await,
        "Cluster": "prod",
        "AWS::AccountId": ACCOUNT,
        "TrustAnchor.TrustAnchorArn": TRUST_ANCHOR_ARN,
        "Role.Arn": ROLE,
    });
    values
        .as_object_mut()
        .unwrap()
        .extend(more.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    resources(stage, "aws/stack.yaml", &values)
}

/// Profile mappings in the emulator's shape.
fn mappings(profile: &Value) -> Value {
    let fields = profile["AttributeMappings"].as_array().unwrap().iter().map(|mapping| {
        let rules = mapping["MappingRules"].as_array().unwrap().iter().map(|rule| rule["Specifier"].clone());
        (mapping["CertificateField"].as_str().unwrap().to_owned(), rules.collect())
    });
    Value::Object(fields.collect::<Map<String, Value>>())
}

/// A stage whose AWS is what the stack makes of an empty account, and whose roles are what the set-up script writes.
async fn created() -> Stage {
    let stage = Stage::dev().await;
    let stack = application(&stage, &[]).await;
    let (anchor, role, profile) = (&stack["TrustAnchor"], &stack["Role"], &stack["Profile"]);
    let id = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    let mut world = stage.admin("GET", "state", None).await;
    world["trust_anchors"] = json!([{
        "id": id(TRUST_ANCHOR_ARN), "name": anchor["Name"], "enabled": anchor["Enabled"],
        "certificates_pem": anchor["Source"]["SourceData"]["X509CertificateData"],
    }]);
    world["profiles"] = json!([{
        "id": id(PROFILE_ARN), "name": profile["Name"], "enabled": profile["Enabled"],
        "role_arns": profile["RoleArns"], "duration_seconds": profile["DurationSeconds"],
        "accept_role_session_name": profile["AcceptRoleSessionName"], "attribute_mappings": mappings(profile),
    }]);
    world["roles"] = json!([{
        "name": role["RoleName"], "path": role["Path"], "max_session_duration": role["MaxSessionDuration"],
        "trust_policy": role["AssumeRolePolicyDocument"],
    }]);
    stage.admin("PUT", "state", Some(world)).await;
    stage
}

/// Writes the engine role that the set-up script makes for a service account of a cluster.
async fn set_up(stage: &Stage, cluster: &str, account: &str) {
    let ca = stage.vault.folder().join("cluster-ca.pem");
    std::fs::write(&ca, stage.ca_pem("iamra").await).unwrap();
    let ca = ca.display().to_string();
    let args = ["--cluster", cluster, "--kubernetes-ca", &ca, "--role-arn", ROLE, account];
    let _ = script(&stage.vault, stage.vault.root_token(), "kubernetes/setup.sh", &args, &[]).await.ok();
}

#[test]
fn cfn_lint_finds_nothing() {
    let run = linted();

    let said = [&run.stdout[..], &run.stderr[..]].concat();
    assert!(run.status.success() && run.stdout.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn the_stack_admits_the_service_account_it_was_made_for() {
    let stage = created().await;
    set_up(&stage, "prod", "payments/api").await;

    let answer = stage.creds("payments-api").await.ok();

    assert_eq!(stage.caller(&answer).await.unwrap().arn, answer.string("arn"));
    assert_eq!(answer.string("source_identity"), "CN=prod.payments.api");
    assert!(answer.data()["ttl"].as_u64().unwrap() > 14_300, "{}", answer.data()["ttl"]);
}

#[tokio::test]
async fn the_tags_are_subject_and_spiffe_id_and_nothing_else() {
    let stage = created().await;
    set_up(&stage, "prod", "payments/api").await;
    let _ = stage.creds("payments-api").await.ok();

    let sessions = stage.sessions().await;

    let mut tags: Vec<(&String, &str)> = sessions[0]["tags"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (key, value.as_str().unwrap()))
        .collect();
    tags.sort_unstable();
    let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        tags,
        [
            "x509SAN/URI=spiffe://prod/ns/payments/sa/api",
            "x509Subject/CN=prod.payments.api",
            "x509Subject/O=prod",
            "x509Subject/OU=payments",
        ]
    );
}

#[tokio::test]
async fn the_stack_refuses_the_neighbours() {
    let stage = created().await;

    for (cluster, account, role) in [
        ("prod", "payments/web", "payments-web"),
        ("prod", "billing/api", "billing-api"),
        ("stage", "orders/api", "orders-api"),
    ] {
        set_up(&stage, cluster, account).await;

        let refused = stage.creds(role).await.refused(400);

        assert!(refused.contains("Unable to assume role"), "{cluster} {account}: {refused}");
    }
}

#[tokio::test]
async fn each_of_the_three_names_is_needed() {
    let stage = created().await;
    let whole = json!({
        "role_arn": ROLE, "common_name": "prod.payments.api", "organization": ["prod"],
        "organizational_unit": ["payments"],
    });
    let _ = stage.root().write("iamra/roles/whole", whole.clone()).await.ok();
    let _ = stage.creds("whole").await.ok();

    for (field, other) in [
        ("common_name", json!("prod.payments.web")),
        ("organization", json!(["stage"])),
        ("organization", json!([])),
        ("organizational_unit", json!(["billing"])),
        ("organizational_unit", json!([])),
    ] {
        let mut role = whole.clone();
        role[field] = other;
        let _ = stage.root().write("iamra/roles/other", role.clone()).await.ok();

        let refused = stage.creds("other").await.refused(400);

        assert!(refused.contains("Unable to assume role"), "{role}: {refused}");
    }
}

#[tokio::test]
async fn the_stack_refuses_another_trust_anchor_of_the_account() {
    let stage = created().await;
    set_up(&stage, "prod", "payments/api").await;
    let other = TRUST_ANCHOR_ARN.replace("0f9f4a3c", "1f9f4a3c");
    let mut world = stage.admin("GET", "state", None).await;
    let mut second = world["trust_anchors"][0].clone();
    second["id"] = json!(other.rsplit('/').next().unwrap());
    world["trust_anchors"].as_array_mut().unwrap().push(second);
    stage.admin("PUT", "state", Some(world)).await;

    let _ = stage.root().patch("iamra/roles/payments-api", json!({ "trust_anchor_arn": other })).await.ok();

    let refused = stage.creds("payments-api").await.refused(400);
    assert!(refused.contains("Unable to assume role"), "{refused}");
}

const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";

/// An IAM role of a template in the emulator's shape.
fn iam_role(name: &str, role: &Value) -> Value {
    let policies = role["Policies"].as_array().into_iter().flatten();
    let policies = policies
        .map(|policy| (policy["PolicyName"].as_str().unwrap().to_owned(), policy["PolicyDocument"].clone()));
    json!({
        "name": name, "path": role["Path"], "max_session_duration": 14_400,
        "trust_policy": role["AssumeRolePolicyDocument"], "policies": policies.collect::<Map<String, Value>>(),
    })
}

/// A stage whose AWS has both stacks, and an engine that looks after the anchor with what the second one made.
async fn managed(application_path: &str, boundary: &str) -> Stage {
    let stage = created().await;
    let names = ["TrustAnchorRole", "RevocationRole", "CheckRole"];
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/iamra-management/{name}");
    let mut values = json!({
        "TrustAnchorArn": TRUST_ANCHOR_ARN, "ApplicationBoundary": BOUNDARY, "ManagementBoundary": "management",
        "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": harness::REGION,
    });
    for name in names {
        values[format!("{name}.Arn")] = json!(arn(name));
    }
    let stack = resources(&stage, "aws/management.yaml", &values);
    let application =
        application(&stage, &[("RolePath", application_path), ("PermissionsBoundaryArn", boundary)]).await;
    let mut world = stage.admin("GET", "state", None).await;
    for name in names {
        let mut role = iam_role(name, &stack[name]);
        role["permissions_boundary"] =
            json!({ "arn": "management", "policy": stack["ManagementBoundary"]["PolicyDocument"] });
        world["roles"].as_array_mut().unwrap().push(role);
    }
    world["roles"][0]["path"] = application["Role"]["Path"].clone();
    if let Some(arn) = application["Role"]["PermissionsBoundary"].as_str() {
        world["roles"][0]["permissions_boundary"] =
            json!({ "arn": arn, "policy": stack["ApplicationBoundary"]["PolicyDocument"] });
    }
    let role_arn = format!("arn:aws:iam::{ACCOUNT}:role{application_path}payments-api");
    world["profiles"][0]["role_arns"] = json!([role_arn]);
    let profile = &stack["Profile"];
    world["profiles"].as_array_mut().unwrap().push(json!({
        "id": MANAGEMENT_PROFILE_ARN.rsplit('/').next(), "name": profile["Name"], "enabled": profile["Enabled"],
        "role_arns": profile["RoleArns"], "duration_seconds": profile["DurationSeconds"],
        "accept_role_session_name": profile["AcceptRoleSessionName"], "attribute_mappings": mappings(profile),
    }));
    stage.admin("PUT", "state", Some(world)).await;
    let mut config = stage.config();
    config["iam_endpoint"] = json!(stage.aws.url());
    let _ = stage.root().write("iamra/config", config).await.ok();
    let entry = json!({
        "trust_anchor_arn": TRUST_ANCHOR_ARN, "profile_arn": MANAGEMENT_PROFILE_ARN,
        "management_role_arn": arn(names[0]), "revocation_role_arn": arn(names[1]), "check_role_arn": arn(names[2]),
    });
    let _ = stage.root().write("iamra/trust-anchors/main", entry).await.ok();
    let role = json!({
        "role_arn": role_arn, "common_name": "prod.payments.api", "organization": ["prod"],
        "organizational_unit": ["payments"],
    });
    let _ = stage.root().write("iamra/roles/api", role).await.ok();
    stage
}

#[tokio::test]
async fn with_the_management_stack_the_anchor_is_kept_and_sessions_can_be_ended() {
    let stage = managed("/iamra/", BOUNDARY).await;
    let next = json!({ "common_name": "next", "issuer_name": "next" });
    let _ = stage.root().write("iamra/root/generate/internal", next).await.ok();
    let session = stage.creds("api").await.ok();

    let synced = stage.root().write("iamra/trust-anchors/main/sync", json!({})).await.ok();
    let _ = stage.root().write("iamra/roles/api/revoke-sessions", json!({})).await.ok();

    assert_eq!(synced.body["data"]["changed"], true);
    assert!(stage.caller(&session).await.is_err(), "the session is denied");
}

#[tokio::test]
async fn the_revocation_role_writes_to_no_role_outside_its_path_or_without_the_boundary() {
    for (path, boundary) in [("/", BOUNDARY), ("/iamra/", "")] {
        let stage = managed(path, boundary).await;
        let session = stage.creds("api").await.ok();

        let refused = stage.root().write("iamra/roles/api/revoke-sessions", json!({})).await.refused(400);

        assert!(refused.contains("not authorized to perform: iam:"), "{path} {boundary}: {refused}");
        assert!(stage.caller(&session).await.is_ok());
    }
}
