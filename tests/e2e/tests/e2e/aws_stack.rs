//! The stack of a service account in `vault-config/aws`: linted, and its own trust policy evaluated for several callers.

use e2e::script;
use e2e::templates::{Templates, mappings};
use harness::{ACCOUNT, PROFILE_ARN, REGION, Stage, TRUST_ANCHOR_ARN};
use serde_json::{Value, json};

use crate::associations::Site;

const TEMPLATES: Templates = Templates::within(concat!(env!("CARGO_TARGET_TMPDIR"), "/cfn-lint"));
const ROLE: &str = "arn:aws:iam::111122223333:role/payments-api";
const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

/// The values of the application's stack, with further parameters.
fn application(more: &[(&str, &str)]) -> Value {
    let mut values = json!({
        "Cluster": "prod", "AWS::AccountId": ACCOUNT, "AWS::Region": REGION,
        "TrustAnchor.TrustAnchorArn": TRUST_ANCHOR_ARN,
        "Role.Arn": ROLE, "Profile.ProfileArn": PROFILE_ARN,
    });
    extend(&mut values, more);
    TEMPLATES.resolve("aws/stack.yaml", &values).unwrap()["resources"].take()
}

fn extend(values: &mut Value, more: &[(&str, &str)]) {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    values.as_object_mut().unwrap().extend(more);
}

fn id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap()
}

/// A trust anchor of a template in the emulator's shape.
fn anchor(anchor: &Value) -> Value {
    json!({
        "id": id(TRUST_ANCHOR_ARN), "name": anchor["Name"], "enabled": anchor["Enabled"],
        "certificates_pem": anchor["Source"]["SourceData"]["X509CertificateData"],
    })
}

/// A profile of a template in the emulator's shape.
fn profile(arn: &str, profile: &Value) -> Value {
    json!({
        "id": id(arn), "name": profile["Name"], "enabled": profile["Enabled"],
        "role_arns": profile["RoleArns"], "duration_seconds": profile["DurationSeconds"],
        "accept_role_session_name": profile["AcceptRoleSessionName"], "attribute_mappings": mappings(profile),
    })
}

/// A stage whose AWS is an empty account after the stack, and whose roles are those of the set-up script.
async fn created() -> Stage {
    let stage = Stage::dev().await;
    let stack = application(&[("CaPem", &stage.ca_pem("iamra").await)]);
    let role = &stack["Role"];
    let mut world = stage.admin("GET", "state", None).await;
    world["trust_anchors"] = json!([anchor(&stack["TrustAnchor"])]);
    world["profiles"] = json!([profile(PROFILE_ARN, &stack["Profile"])]);
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
    let args = [
        "--cluster",
        cluster,
        "--kubernetes-host",
        "https://127.0.0.1:6443",
        "--kubernetes-ca",
        &ca,
        "--role-arn",
        ROLE,
        account,
    ];
    let _ = script(&stage.vault, stage.vault.root_token(), "kubernetes/setup.sh", &args, &[]).await.ok();
}

#[test]
fn cfn_lint_finds_nothing() {
    let run = TEMPLATES.lint();

    let said = [&run.stdout[..], &run.stderr[..]].concat();
    assert!(run.status.success() && run.stdout.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn a_stack_that_takes_names_keeps_the_principal_from_session_to_session() {
    let stage = created().await;
    set_up(&stage, "prod", "payments/api").await;
    let role = "iamra/roles/payments-api";
    let _ = stage.root().patch(role, json!({ "role_session_name": "payments.api" })).await.ok();
    let refused = stage.creds("payments-api").await.refused(400);
    let named = application(&[("CaPem", &stage.ca_pem("iamra").await), ("AcceptRoleSessionName", "true")]);
    let mut world = stage.admin("GET", "state", None).await;
    world["profiles"] = json!([profile(PROFILE_ARN, &named["Profile"])]);
    stage.admin("PUT", "state", Some(world)).await;
    let _ = stage.root().patch(role, json!({ "session_sharing": "none" })).await.ok();

    let (first, second) = (stage.creds("payments-api").await.ok(), stage.creds("payments-api").await.ok());

    assert!(refused.contains("roleSessionName"), "{refused}");
    assert_ne!(first.string("access_key"), second.string("access_key"));
    assert_eq!(first.string("arn"), second.string("arn"));
    assert!(first.string("arn").ends_with(":assumed-role/payments-api/payments.api"), "{}", first.text);
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
async fn the_stack_of_an_association_admits_the_pod_of_that_service_account_alone() {
    const ROLE: &str = "arn:aws:iam::111122223333:role/iamra/payments.api";
    let site = Site::new().await;
    let vault = &site.stage.vault;
    let args = ["association", "payments/api"];
    let words = script(vault, vault.root_token(), "aws/parameters.sh", &args, &[]).await.ok();
    let mut values = json!({
        "AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "Role.Arn": ROLE, "Profile.ProfileArn": PROFILE_ARN,
    });
    let words: Vec<_> = words.split_whitespace().map(|word| word.split_once('=').unwrap()).collect();
    extend(&mut values, &words);
    let made = TEMPLATES.resolve("aws/stack.yaml", &values).unwrap();
    let (role, of_profile) = (&made["resources"]["Role"], &made["resources"]["Profile"]);
    let mut world = site.stage.admin("GET", "state", None).await;
    world["profiles"] = json!([profile(PROFILE_ARN, of_profile)]);
    world["roles"] = json!([{
        "name": role["RoleName"], "path": role["Path"], "max_session_duration": role["MaxSessionDuration"],
        "trust_policy": role["AssumeRolePolicyDocument"],
    }]);
    site.stage.admin("PUT", "state", Some(world)).await;
    let fields = made["outputs"]["Association"].as_str().unwrap();

    for name in ["payments.api", "payments.web", "billing.api"] {
        let path = format!("iamra/roles/{name}");
        let write: Vec<&str> = ["write", &path].into_iter().chain(fields.split(' ')).collect();
        let _ = vault.cli(&write).await.ok();
    }
    let read = async |namespace: &str, name: &str| {
        let path = format!("iamra/container/{namespace}.{name}");
        site.pod(namespace, name).await.read(&path).await
    };

    let document = read("payments", "api").await.ok();
    let session = &site.stage.sessions().await[0];
    assert_eq!(session["access_key_id"], document.body["AccessKeyId"]);
    assert_eq!(session["source_identity"], "CN=prod.payments.api");
    let assumed = session["assumed_role_arn"].as_str().unwrap();
    assert!(assumed.starts_with("arn:aws:sts::111122223333:assumed-role/payments.api/"), "{assumed}");
    for (namespace, name) in [("payments", "web"), ("billing", "api")] {
        let refused = read(namespace, name).await;

        assert!(refused.text.contains("Unable to assume role"), "{namespace}/{name}: {}", refused.text);
    }
}

#[test]
fn a_service_account_with_dots_has_a_profile_whose_name_aws_takes() {
    let stack = application(&[("CaPem", PEM), ("ServiceAccount", "api.v2")]);

    assert_eq!(stack["Profile"]["Name"], "vault-iamra-prod-payments-api_v2");
    assert_eq!(stack["Role"]["RoleName"], "payments-api.v2");
    let condition = &stack["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"];
    assert_eq!(condition["aws:PrincipalTag/x509Subject/CN"], "prod.payments.api.v2");
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

#[test]
fn the_stack_makes_an_anchor_or_takes_one_and_never_both() {
    let refused = |more: &[(&str, &str)]| {
        let mut values = json!({
            "Cluster": "prod", "AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "Role.Arn": ROLE,
        });
        extend(&mut values, more);
        TEMPLATES.resolve("aws/stack.yaml", &values).unwrap_err()
    };
    let taken = application(&[("TrustAnchorArn", TRUST_ANCHOR_ARN), ("RoleName", "other")]);

    assert_eq!(taken["TrustAnchor"], Value::Null);
    assert_eq!(taken["Role"]["RoleName"], "other");
    let condition = &taken["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"];
    assert_eq!(condition["ArnEquals"]["aws:SourceArn"], json!([TRUST_ANCHOR_ARN]));
    for more in [&[][..], &[("TrustAnchorArn", TRUST_ANCHOR_ARN), ("CaPem", PEM)]] {
        assert!(refused(more).contains("Give TrustAnchorArn"), "{}", refused(more));
    }
}
