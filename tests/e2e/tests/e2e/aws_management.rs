//! The template of an account in `vault-config/aws`: what the engine may do with the resources that it makes, and what nobody may do.

use e2e::templates::{Templates, mappings};
use harness::{
    ACCOUNT, MANAGEMENT_PROFILE_ARN, PROFILE_ARN, Stage, TARGET_ROLE_ARN, TRUST_ANCHOR_ARN, second_account,
};
use serde_json::{Map, Value, json};

const TEMPLATES: Templates = Templates::within(concat!(env!("CARGO_TARGET_TMPDIR"), "/cfn-lint"));
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";
pub(crate) const NAMES: [&str; 3] = ["TrustAnchorRole", "RevocationRole", "CheckRole"];
const APPLICATIONS: &str = "/iamra/";
const MANAGEMENT: &str = "/iamra-management/";

/// The template's values without the source of the anchor, in an account with these paths of roles.
fn values(account: &str, applications: &str, management: &str) -> Value {
    let mut values = json!({
        "ApplicationActions": "s3:*,sqs:SendMessage",
        "ApplicationRolePath": applications, "ManagementRolePath": management,
        "ApplicationBoundary": BOUNDARY.replace(ACCOUNT, account), "ManagementBoundary": "management",
        "TrustAnchor.TrustAnchorArn": TRUST_ANCHOR_ARN.replace(ACCOUNT, account),
        "Profile.ProfileArn": MANAGEMENT_PROFILE_ARN.replace(ACCOUNT, account),
        "AWS::AccountId": account, "AWS::Partition": "aws", "AWS::Region": harness::REGION,
    });
    for name in NAMES {
        values[format!("{name}.Arn")] = json!(format!("arn:aws:iam::{account}:role{management}{name}"));
    }
    values
}

/// The resources of the template in an empty account.
fn made(account: &str, applications: &str, management: &str, ca_pem: &str) -> Value {
    let mut values = values(account, applications, management);
    values["CaPem"] = json!(ca_pem);
    TEMPLATES.resolve("aws/management.yaml", &values).unwrap()
}

/// Its resources in an account that has an anchor.
fn beside_an_anchor() -> Value {
    let mut values = values(ACCOUNT, APPLICATIONS, MANAGEMENT);
    values["TrustAnchorArn"] = json!(TRUST_ANCHOR_ARN);
    TEMPLATES.resolve("aws/management.yaml", &values).unwrap()
}

fn pem() -> &'static str {
    "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
}

/// The role of a service account, whose stack uses the existing anchor.
fn application(path: &str, boundary: &str) -> Value {
    let values = json!({
        "Cluster": "prod", "AWS::AccountId": ACCOUNT, "AWS::Region": harness::REGION, "Role.Arn": "role",
        "Profile.ProfileArn": PROFILE_ARN,
        "TrustAnchorArn": TRUST_ANCHOR_ARN, "RolePath": path, "PermissionsBoundaryArn": boundary,
    });
    TEMPLATES.resolve("aws/stack.yaml", &values).unwrap()["resources"]["Role"].take()
}

/// An IAM role of a template in the emulator's shape.
pub(crate) fn iam_role(name: &str, role: &Value, boundary: &Value) -> Value {
    let policies = role["Policies"].as_array().into_iter().flatten();
    let policies = policies
        .map(|policy| (policy["PolicyName"].as_str().unwrap().to_owned(), policy["PolicyDocument"].clone()));
    let mut shaped = json!({
        "name": name, "path": role["Path"], "max_session_duration": 14_400,
        "trust_policy": role["AssumeRolePolicyDocument"], "policies": policies.collect::<Map<String, Value>>(),
    });
    if let Some(arn) = role["PermissionsBoundary"].as_str() {
        shaped["permissions_boundary"] = json!({ "arn": arn, "policy": boundary["PolicyDocument"] });
    }
    shaped
}

/// The AWS of a stage with an account's stack and a service account's.
async fn put_into(stage: &Stage, account: &Value, application: &Value, role_arn: &str) {
    let mut world = stage.admin("GET", "state", None).await;
    let management = account["ManagementBoundary"].clone();
    let mut roles = vec![iam_role("payments-api", application, &account["ApplicationBoundary"])];
    roles.extend(NAMES.map(|name| iam_role(name, &account[name], &management)));
    world["roles"] = json!(roles);
    let (anchor, profile) = (&account["TrustAnchor"], &account["Profile"]);
    world["trust_anchors"] = json!([{
        "id": TRUST_ANCHOR_ARN.rsplit('/').next(), "name": anchor["Name"], "enabled": anchor["Enabled"],
        "certificates_pem": anchor["Source"]["SourceData"]["X509CertificateData"],
    }]);
    world["profiles"][0]["role_arns"] = json!([role_arn]);
    world["profiles"].as_array_mut().unwrap().push(json!({
        "id": MANAGEMENT_PROFILE_ARN.rsplit('/').next(), "name": profile["Name"], "enabled": profile["Enabled"],
        "role_arns": profile["RoleArns"], "duration_seconds": profile["DurationSeconds"],
        "accept_role_session_name": profile["AcceptRoleSessionName"], "attribute_mappings": mappings(profile),
    }));
    stage.admin("PUT", "state", Some(world)).await;
}

/// The fields of `trust-anchors/<name>`, as the descriptions of the outputs name them.
pub(crate) fn entry(account: &Value) -> Map<String, Value> {
    let said = account["said"].as_object().unwrap().iter();
    let fields = said.filter_map(|(output, text)| {
        let field = text.as_str()?.strip_prefix("vault write iamra/trust-anchors/<name> ")?;
        Some((field.trim_end_matches('=').to_owned(), account["outputs"][output].clone()))
    });
    fields.collect()
}

/// A stage whose AWS is one account's stack and one service account's, and an engine that is configured with the outputs.
async fn managed(application_path: &str, boundary: &str, management: &str) -> Stage {
    let stage = Stage::dev().await;
    let account = made(ACCOUNT, APPLICATIONS, management, &stage.ca_pem("iamra").await);
    let role_arn = format!("arn:aws:iam::{ACCOUNT}:role{application_path}payments-api");
    put_into(&stage, &account["resources"], &application(application_path, boundary), &role_arn).await;
    let mut config = stage.config();
    config["sts_endpoint"] = json!(stage.aws.url());
    config["iam_endpoint"] = json!(stage.aws.url());
    let _ = stage.root().write("iamra/config", config).await.ok();
    let _ = stage.root().write("iamra/trust-anchors/main", Value::Object(entry(&account))).await.ok();
    let role = json!({
        "role_arn": role_arn, "common_name": "prod.payments.api", "organization": ["prod"],
        "organizational_unit": ["payments"],
    });
    let _ = stage.root().write("iamra/roles/api", role).await.ok();
    stage
}

#[tokio::test]
async fn with_the_accounts_stack_the_anchor_is_kept_and_sessions_can_be_ended_and_checked() {
    let stage = managed(APPLICATIONS, BOUNDARY, MANAGEMENT).await;
    let next = json!({ "common_name": "next", "issuer_name": "next" });
    let _ = stage.root().write("iamra/root/generate/internal", next).await.ok();
    let session = stage.creds("api").await.ok();

    let checked = stage.root().read("iamra/check/api").await.ok();
    let synced = stage.root().write("iamra/trust-anchors/main/sync", json!({})).await.ok();
    let _ = stage.root().write("iamra/roles/api/revoke-sessions", json!({})).await.ok();

    let summary = checked.body["data"]["summary"].as_str().unwrap();
    assert!(summary.ends_with("0 with a warning, 0 broken, 0 not checked"), "{summary}");
    assert_eq!(synced.body["data"]["changed"], true);
    assert!(stage.caller(&session).await.is_err(), "the session is denied");
}

#[tokio::test]
async fn the_revocation_role_writes_to_no_role_outside_its_path_or_without_the_boundary() {
    for (path, boundary) in
        [("/", BOUNDARY), (APPLICATIONS, ""), (APPLICATIONS, "arn:aws:iam::111122223333:policy/x")]
    {
        let stage = managed(path, boundary, MANAGEMENT).await;
        let session = stage.creds("api").await.ok();

        let refused = stage.root().write("iamra/roles/api/revoke-sessions", json!({})).await.refused(400);

        assert!(refused.contains("not authorized to perform: iam:"), "{path} {boundary}: {refused}");
        assert!(stage.caller(&session).await.is_ok());
    }
}

#[tokio::test]
async fn the_revocation_role_writes_to_no_management_role_even_where_one_path_holds_the_other() {
    for (management, action) in
        [(MANAGEMENT, "iam:GetRolePolicy"), ("/iamra/management/", "iam:PutRolePolicy")]
    {
        let stage = managed(APPLICATIONS, BOUNDARY, management).await;
        let arn = format!("arn:aws:iam::{ACCOUNT}:role{management}RevocationRole");
        let _ = stage.root().write("iamra/roles/itself", json!({ "role_arn": arn })).await.ok();

        let refused = stage.root().write("iamra/roles/itself/revoke-sessions", json!({})).await.refused(400);

        assert!(refused.contains(&format!("not authorized to perform: {action}")), "{management}: {refused}");
    }
}

#[tokio::test]
async fn no_duty_does_what_another_may() {
    let stage = managed(APPLICATIONS, BOUNDARY, MANAGEMENT).await;
    let _ = stage.creds("api").await.ok();
    let mut swapped = stage.root().read("iamra/trust-anchors/main").await.ok().body["data"].clone();
    let roles =
        ["management_role_arn", "revocation_role_arn", "check_role_arn"].map(|field| swapped[field].clone());
    (swapped["management_role_arn"], swapped["revocation_role_arn"]) = (roles[1].clone(), roles[2].clone());
    let _ = stage.root().write("iamra/trust-anchors/main", swapped).await.ok();

    let kept = stage.root().write("iamra/trust-anchors/main/sync", json!({})).await.refused(400);
    let ended = stage.root().write("iamra/roles/api/revoke-sessions", json!({})).await.refused(400);

    assert!(
        kept.contains("Unable to assume role") && ended.contains("Unable to assume role"),
        "{kept} {ended}"
    );
}

#[tokio::test]
async fn the_boundary_lets_application_roles_hop_to_the_given_targets_and_to_no_other() {
    for (targets, is_let) in
        [("", false), ("arn:aws:iam::444455556666:role/x", false), (TARGET_ROLE_ARN, true)]
    {
        let stage = managed(APPLICATIONS, BOUNDARY, MANAGEMENT).await;
        let _target = second_account(&stage.aws, &json!({})).await;
        let mut values = values(ACCOUNT, APPLICATIONS, MANAGEMENT);
        (values["TargetRoleArns"], values["TrustAnchorArn"]) = (json!(targets), json!(TRUST_ANCHOR_ARN));
        let made = TEMPLATES.resolve("aws/management.yaml", &values).unwrap();
        let mut world = stage.admin("GET", "state", None).await;
        world["roles"][0]["permissions_boundary"] =
            json!({ "arn": BOUNDARY, "policy": made["resources"]["ApplicationBoundary"]["PolicyDocument"] });
        stage.admin("PUT", "state", Some(world)).await;
        let target = json!({ "target_role_arn": TARGET_ROLE_ARN });
        let _ = stage.root().patch("iamra/roles/api", target).await.ok();

        let reply = stage.creds("api").await;

        assert_eq!(reply.status == 200, is_let, "{targets:?}: {reply:?}");
        assert!(is_let || reply.errors().contains("sts:AssumeRole"), "{reply:?}");
    }
}

#[test]
fn hops_to_everything_are_refused() {
    let mut values = values(ACCOUNT, APPLICATIONS, MANAGEMENT);
    (values["TargetRoleArns"], values["TrustAnchorArn"]) = (json!("*"), json!(TRUST_ANCHOR_ARN));

    let refused = TEMPLATES.resolve("aws/management.yaml", &values).unwrap_err();

    assert!(refused.contains("name the roles"), "{refused}");
}

#[test]
fn one_set_of_parameters_serves_every_account() {
    let first = made(ACCOUNT, APPLICATIONS, MANAGEMENT, pem());
    let second = made("444455556666", APPLICATIONS, MANAGEMENT, pem());

    assert_eq!(first.to_string().replace(ACCOUNT, "444455556666"), second.to_string());
}

#[test]
fn an_anchor_and_a_boundary_that_are_there_are_taken() {
    let mut values = values(ACCOUNT, APPLICATIONS, MANAGEMENT);
    let (anchor, boundary) =
        (TRUST_ANCHOR_ARN.replace("0f9f", "1f9f"), "arn:aws:iam::111122223333:policy/first");
    values["TrustAnchorArn"] = json!(anchor);
    values["ApplicationBoundaryArn"] = json!(boundary);

    let account = TEMPLATES.resolve("aws/management.yaml", &values).unwrap();

    let resources = &account["resources"];
    assert_eq!((&resources["TrustAnchor"], &resources["ApplicationBoundary"]), (&Value::Null, &Value::Null));
    assert_eq!(account["outputs"]["TrustAnchorArn"], json!(anchor));
    assert!(!resources.to_string().contains(TRUST_ANCHOR_ARN) && !resources.to_string().contains(BOUNDARY));
    let statements = &resources["RevocationRole"]["Policies"][0]["PolicyDocument"]["Statement"];
    assert_eq!(
        statements[1]["Condition"],
        json!({ "StringEquals": { "iam:PermissionsBoundary": boundary } })
    );
}

#[test]
fn parameters_that_would_make_an_unsafe_account_are_refused_with_the_reason() {
    for (name, value, reason) in [
        ("ApplicationActions", "*", "would be no boundary"),
        ("ApplicationActions", "s3:*,*", "would be no boundary"),
        ("ApplicationRolePath", "/", "ApplicationRolePath does not match"),
        ("ApplicationRolePath", MANAGEMENT, "must differ"),
        ("TrustAnchorArn", TRUST_ANCHOR_ARN, "not both"),
        ("CaPem", "", "Give CaPem"),
    ] {
        let mut values = values(ACCOUNT, APPLICATIONS, MANAGEMENT);
        values["CaPem"] = json!(pem());
        values[name] = json!(value);

        let refused = TEMPLATES.resolve("aws/management.yaml", &values).unwrap_err();

        assert!(refused.contains(reason), "{name}={value}: {refused}");
    }
}

/// The actions that the policies of a role allow, in order.
fn actions<'a>(policies: impl Iterator<Item = &'a Value>) -> Vec<&'a str> {
    let statements = policies.flat_map(|document| document["Statement"].as_array().unwrap());
    let mut found: Vec<&str> = statements
        .inspect(|statement| assert_eq!(statement["Effect"], "Allow", "{statement}"))
        .flat_map(|statement| statement["Action"].as_array().unwrap())
        .map(|action| action.as_str().unwrap())
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn the_harness_has_the_same_three_roles_as_the_template() {
    let template = beside_an_anchor()["resources"].take();
    let mut state = harness::account();
    harness::add_management(&mut state);
    let roles = state["roles"].as_array().unwrap();

    for (ours, theirs) in [
        (harness::MANAGEMENT_ROLE_ARN, "TrustAnchorRole"),
        (harness::REVOCATION_ROLE_ARN, "RevocationRole"),
        (harness::CHECK_ROLE_ARN, "CheckRole"),
    ] {
        let name = ours.rsplit('/').next().unwrap();
        let ours = roles.iter().find(|role| role["name"] == name).unwrap();
        let theirs = &template[theirs];

        assert_eq!(ours["trust_policy"], theirs["AssumeRolePolicyDocument"], "{name}");
        let allowed = actions(ours["policies"].as_object().unwrap().values());
        let documents = theirs["Policies"].as_array().unwrap().iter().map(|policy| &policy["PolicyDocument"]);
        assert_eq!(allowed, actions(documents), "{name}");
    }
}
