//! The Terraform module in `vault-config/aws/terraform`: parsed, and compared with the templates, property by property.

use std::sync::OnceLock;

use e2e::templates::Templates;
use harness::{ACCOUNT, PROFILE_ARN, REGION, TRUST_ANCHOR_ARN};
use serde_json::{Map, Value, json};

const TEMPLATES: Templates = Templates::within(concat!(env!("CARGO_TARGET_TMPDIR"), "/cfn-lint"));
const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/iamra/payments.api.v2";
const POLICY: &str = "arn:aws:iam::111122223333:policy/what-the-api-does";

/// The module for one account and one service account.
fn module() -> &'static Value {
    static MODULE: OnceLock<Value> = OnceLock::new();
    MODULE.get_or_init(|| TEMPLATES.module("aws/terraform", &module_values()).unwrap())
}

/// The values of its expressions.
fn module_values() -> Value {
    let application = json!({
        "role_name": "payments.api.v2", "cluster": "prod", "namespace": "payments", "service_account": "api.v2",
        "session_seconds": 7200, "accept_role_session_name": false, "managed_policy_arns": [POLICY],
    });
    json!({
        "var.ca_pem": PEM, "var.application_actions": ["s3:*", "sqs:SendMessage"],
        "var.application_role_path": "/iamra/", "var.management_role_path": "/iamra-management/",
        "var.applications": { "api": application.clone() },
        "var.target_role_arns": [], "local.application_boundary": "application-boundary",
        "local.roles": { "api": application }, "local.trust_anchor_arns": [TRUST_ANCHOR_ARN],
        "local.trust_anchor_arn": TRUST_ANCHOR_ARN, "local.application_boundary_arn": BOUNDARY,
        "local.partition": "aws", "local.region": REGION, "local.account": ACCOUNT,
        "awscc_iam_managed_policy.management_boundary.policy_arn": "management",
        "awscc_iam_role.management[\"trust_anchor\"].arn": "t",
        "awscc_iam_role.management[\"revocation\"].arn": "r",
        "awscc_iam_role.management[\"check\"].arn": "c",
        "local.role_arns[each.key]": ROLE_ARN,
        "awscc_rolesanywhere_profile.management.profile_arn": PROFILE_ARN,
    })
}

/// A resource of the module without the arguments that only Terraform reads.
fn resource(name: &str) -> Value {
    let mut found = module()["resources"][name].clone();
    assert!(found.is_object(), "the module has no {name}");
    found.as_object_mut().unwrap().remove("lifecycle");
    found
}

/// The same of one instance.
fn instance(name: &str, key: &str) -> Value {
    let mut found = resource(name)[key].take();
    assert!(found.is_object(), "{name} has no {key}");
    found.as_object_mut().unwrap().remove("lifecycle");
    found
}

fn account() -> Value {
    TEMPLATES.resolve("aws/management.yaml", &template_values()).unwrap()
}

/// The values of the account's template.
fn template_values() -> Value {
    json!({
        "CaPem": PEM, "ApplicationActions": ["s3:*", "sqs:SendMessage"], "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws",
        "AWS::Region": REGION, "TrustAnchor.TrustAnchorArn": TRUST_ANCHOR_ARN, "ApplicationBoundary": BOUNDARY,
        "ManagementBoundary": "management", "TrustAnchorRole.Arn": "t", "RevocationRole.Arn": "r", "CheckRole.Arn": "c",
        "Profile.ProfileArn": PROFILE_ARN,
    })
}

/// The stack of a service account whose name has a dot.
fn application() -> Value {
    TEMPLATES.resolve("aws/stack.yaml", &application_values()).unwrap()
}

fn application_values() -> Value {
    json!({
        "TrustAnchorArn": TRUST_ANCHOR_ARN, "Cluster": "prod", "SessionSeconds": 7200, "RolePath": "/iamra/",
        "RoleName": "payments.api.v2", "ServiceAccount": "api.v2",
        "PermissionsBoundaryArn": BOUNDARY, "ManagedPolicyArns": [POLICY], "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws", "AWS::Region": REGION, "Role.Arn": ROLE_ARN, "Profile.ProfileArn": PROFILE_ARN,
    })
}

/// `X509CertificateData` as Terraform writes it: `x509_certificate_data`.
fn snake(name: &str) -> String {
    let mut written = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !written.is_empty() {
            written.push('_');
        }
        written.push(character.to_ascii_lowercase());
    }
    written
}

/// Properties as Terraform writes them; policy documents stay as they are.
fn in_snake(property: &Value) -> Value {
    match property {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let value = if name.ends_with("Document") { value.clone() } else { in_snake(value) };
                (snake(name), value)
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(values) => values.iter().map(in_snake).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_account_is_that_of_the_template() {
    let template = account()["resources"].take();

    for (ours, theirs) in [
        (resource("awscc_rolesanywhere_trust_anchor.this"), "TrustAnchor"),
        (resource("awscc_iam_managed_policy.application_boundary"), "ApplicationBoundary"),
        (resource("awscc_iam_managed_policy.management_boundary"), "ManagementBoundary"),
        (instance("awscc_iam_role.management", "trust_anchor"), "TrustAnchorRole"),
        (instance("awscc_iam_role.management", "revocation"), "RevocationRole"),
        (instance("awscc_iam_role.management", "check"), "CheckRole"),
        (resource("awscc_rolesanywhere_profile.management"), "Profile"),
    ] {
        assert_eq!(ours, in_snake(&template[theirs]), "{theirs}");
    }
    assert_eq!(template.as_object().unwrap().len(), 7);
}

#[test]
fn the_boundary_of_an_account_with_targets_is_that_of_the_template() {
    let targets = json!(["arn:aws:iam::444455556666:role/a", "arn:aws:iam::777788889999:role/b"]);
    let mut values = module_values();
    values["var.target_role_arns"] = targets.clone();
    values["local.application_boundary"] = json!("application-boundary-hops");
    let ours = TEMPLATES.module("aws/terraform", &values).unwrap()["resources"]
        ["awscc_iam_managed_policy.application_boundary"]["policy_document"]
        .take();
    let mut values = template_values();
    values["TargetRoleArns"] = targets;

    let template = TEMPLATES.resolve("aws/management.yaml", &values).unwrap();

    assert_eq!(ours, template["resources"]["ApplicationBoundary"]["PolicyDocument"]);
}

#[test]
fn a_service_account_is_that_of_the_template() {
    let template = application()["resources"].take();

    for (ours, theirs) in
        [("awscc_iam_role.application", "Role"), ("awscc_rolesanywhere_profile.application", "Profile")]
    {
        assert_eq!(instance(ours, "api"), in_snake(&template[theirs]), "{theirs}");
    }
    assert_eq!(template.as_object().unwrap().len(), 2);
    assert_eq!(module()["resources"].as_object().unwrap().len(), 7, "the module makes nothing else");
}

#[test]
fn a_service_account_of_two_regions_is_that_of_the_templates_in_each() {
    let west = TRUST_ANCHOR_ARN.replace(REGION, "eu-west-1");
    let (mut ours, mut theirs) = (module_values(), application_values());
    ours["local.trust_anchor_arns"] = json!([TRUST_ANCHOR_ARN, west]);
    theirs["TrustAnchorArn"] = json!(format!("{TRUST_ANCHOR_ARN},{west}"));
    theirs["RoleRegion"] = json!(REGION);
    for (region, roles) in [(REGION, ours["local.roles"].clone()), ("eu-west-1", json!({}))] {
        (ours["local.roles"], theirs["AWS::Region"]) = (roles, json!(region));

        let module = TEMPLATES.module("aws/terraform", &ours).unwrap()["resources"].take();
        let template = TEMPLATES.resolve("aws/stack.yaml", &theirs).unwrap()["resources"].take();

        let mut role = module["awscc_iam_role.application"]["api"].clone();
        role.as_object_mut().map(|role| role.remove("lifecycle"));
        assert_eq!(role, in_snake(&template["Role"]), "{region}");
        let profile = &module["awscc_rolesanywhere_profile.application"]["api"];
        assert_eq!(*profile, in_snake(&template["Profile"]), "{region}");
    }
}

#[test]
fn its_association_has_the_fields_of_the_templates() {
    let fields = |text: &str| -> Vec<String> {
        let words = text.split([' ', '"', ',']).filter_map(|word| word.split_once('='));
        words.map(|(field, _)| field.to_owned()).filter(|field| !field.is_empty()).collect()
    };
    let template = application()["outputs"]["Association"].as_str().unwrap().to_owned();

    let outputs = module()["outputs"]["applications"].to_string();
    let (_, ours) = outputs.split_once("join(\\\" \\\"").expect("an association");

    assert_eq!(fields(&ours.replace('\\', "")), fields(&template));
    assert_eq!(fields(&template).len(), 6);
}

#[test]
fn an_apply_leaves_alone_what_the_engine_writes() {
    let resources = &module()["resources"];
    let ignored = |resource: &Value| resource["lifecycle"][0]["ignore_changes"].clone();

    assert_eq!(ignored(&resources["awscc_rolesanywhere_trust_anchor.this"]), json!(["source"]));
    assert_eq!(ignored(&resources["awscc_iam_role.application"]["api"]), json!(["policies"]));
}

#[test]
fn its_variables_are_the_templates_parameters() {
    let parameters = account()["parameters"].take();
    let mut expected: Vec<String> =
        parameters.as_array().unwrap().iter().map(|name| snake(name.as_str().unwrap())).collect();
    expected.extend(["applications", "first_region", "other_trust_anchor_arns"].map(str::to_owned));
    expected.sort();

    let mut variables: Vec<&str> =
        module()["variables"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    variables.sort_unstable();

    assert_eq!(variables, expected);
}

#[test]
fn its_output_is_an_entry_of_trust_anchors() {
    let account = account();
    let fields = account["said"].as_object().unwrap().iter().filter_map(|(output, text)| {
        let field = text.as_str()?.strip_prefix("vault write iamra/trust-anchors/<name> ")?;
        Some((field.trim_end_matches('=').to_owned(), account["outputs"][output].clone()))
    });

    let expected: Map<String, Value> = fields.collect();

    assert_eq!(expected.len(), 5);
    assert_eq!(module()["outputs"]["trust_anchor_entry"], Value::Object(expected));
    assert_eq!(module()["outputs"]["trust_anchor_arn"], account["outputs"]["TrustAnchorArn"]);
    assert_eq!(module()["outputs"]["application_boundary_arn"], account["outputs"]["ApplicationBoundaryArn"]);
}
