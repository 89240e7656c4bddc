//! The templates in two regions of one account: the parameters of both, what each stack makes, and whom the trust policy lets in.

use e2e::script;
use e2e::templates::{Templates, mappings};
use harness::{
    ACCOUNT, MANAGEMENT_PROFILE_ARN, PROFILE_ARN, REGION, Stage, TRUST_ANCHOR_ARN, WEST, in_the_west,
};
use serde_json::{Map, Value, json};

use crate::associations::Site;
use crate::aws_management::{NAMES, entry, iam_role};

const TEMPLATES: Templates = Templates::within(concat!(env!("CARGO_TARGET_TMPDIR"), "/cfn-lint"));
const ROLE: &str = "arn:aws:iam::111122223333:role/iamra/payments.api";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";

fn both(arn: &str) -> String {
    format!("{arn},{}", in_the_west(arn))
}

/// What the template makes in a region, with these parameters.
fn made(template: &str, region: &str, parameters: &Map<String, Value>) -> Result<Value, String> {
    let there = |arn: &str| arn.replace(REGION, region);
    let profile = if template.ends_with("stack.yaml") { PROFILE_ARN } else { MANAGEMENT_PROFILE_ARN };
    let mut values = json!({
        "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": region, "Role.Arn": ROLE,
        "Profile.ProfileArn": there(profile), "TrustAnchor.TrustAnchorArn": there(TRUST_ANCHOR_ARN),
        "ApplicationBoundary": BOUNDARY, "ManagementBoundary": format!("management in {region}"),
    });
    for name in NAMES {
        values[format!("{name}.Arn")] =
            json!(format!("arn:aws:iam::{ACCOUNT}:role/iamra-management/{name}-{region}"));
    }
    values.as_object_mut().unwrap().extend(parameters.clone());
    TEMPLATES.resolve(template, &values)
}

/// The parameters of a service account, with further ones.
fn parameters(more: &Value) -> Map<String, Value> {
    let mut found = json!({
        "TrustAnchorArn": both(TRUST_ANCHOR_ARN), "RoleRegion": REGION, "Cluster": "prod", "RolePath": "/iamra/",
        "RoleName": "payments.api",
    });
    found.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    found.as_object().unwrap().clone()
}

fn stack(region: &str, more: &Value) -> Value {
    made("aws/stack.yaml", region, &parameters(more)).unwrap()
}

fn names(stack: &Value) -> Vec<&str> {
    stack["resources"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_same_parameters_make_the_role_once_and_a_profile_in_each_region() {
    let (home, west) = (stack(REGION, &json!({})), stack(WEST, &json!({})));

    assert_eq!((names(&home), names(&west).len()), (vec!["Profile", "Role"], 1));
    assert_eq!(home["resources"]["Profile"], west["resources"]["Profile"], "both list the one role");
    assert_eq!(west["resources"]["Profile"]["RoleArns"], json!([ROLE]));
    assert_eq!(west["outputs"]["Association"], Value::Null);
}

#[test]
fn a_second_region_changes_the_trust_policy_of_the_role_and_nothing_else() {
    let alone = stack(REGION, &json!({ "TrustAnchorArn": TRUST_ANCHOR_ARN, "RoleRegion": "" }));
    let mut joined = stack(REGION, &json!({}));

    let admitted = joined["resources"]["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["ArnEquals"]
        ["aws:SourceArn"]
        .take();

    assert_eq!(admitted, json!([TRUST_ANCHOR_ARN, in_the_west(TRUST_ANCHOR_ARN)]));
    let mut alone = alone["resources"].clone();
    let _ =
        alone["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"]
            .take();
    assert_eq!(joined["resources"], alone);
}

#[test]
fn another_order_of_the_anchors_moves_no_role() {
    let reversed =
        json!({ "TrustAnchorArn": format!("{},{TRUST_ANCHOR_ARN}", in_the_west(TRUST_ANCHOR_ARN)) });

    assert!(names(&stack(REGION, &reversed)).contains(&"Role"));
    assert!(!names(&stack(WEST, &reversed)).contains(&"Role"));
}

#[test]
fn parameters_that_lead_to_no_role_of_two_regions_are_refused_with_the_reason() {
    let nine = [TRUST_ANCHOR_ARN; 9].join(",");
    for (more, reason) in [
        (
            json!({ "TrustAnchorArn": "", "CaPem": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n" }),
            "trust anchors come first",
        ),
        (json!({ "RoleRegion": "eu-west1" }), "RoleRegion does not match"),
        (json!({ "TrustAnchorArn": nine }), "TrustAnchorArn does not match"),
        (json!({ "TrustAnchorArn": format!("{TRUST_ANCHOR_ARN},*") }), "TrustAnchorArn does not match"),
    ] {
        let refused = made("aws/stack.yaml", REGION, &parameters(&more)).unwrap_err();

        assert!(refused.contains(reason), "{more}: {refused}");
    }
}

/// The mount's config names the anchors of both regions.
async fn name_both(stage: &Stage) {
    let both = json!({
        "default_trust_anchor_arn": both(TRUST_ANCHOR_ARN), "default_profile_arn": both(PROFILE_ARN),
    });
    let _ = stage.root().patch("iamra/config", both).await.ok();
}

/// A profile of a template in the emulator's shape.
fn profile(arn: &str, profile: &Value) -> Value {
    json!({
        "id": arn.rsplit('/').next(), "name": profile["Name"], "enabled": profile["Enabled"],
        "role_arns": profile["RoleArns"], "duration_seconds": profile["DurationSeconds"],
        "accept_role_session_name": profile["AcceptRoleSessionName"], "attribute_mappings": mappings(profile),
    })
}

/// The stacks of an account and of `payments/api` in both regions.
struct Stacks {
    accounts: [Value; 2],
    applications: [Value; 2],
}

impl Stacks {
    /// With one parameter more in the second region for the account, and one more in both for the service account.
    async fn new(stage: &Stage) -> Stacks {
        let ca = json!({ "CaPem": stage.ca_pem("iamra").await, "ApplicationActions": ["s3:*"] });
        let mut ca = ca.as_object().unwrap().clone();
        let home = made("aws/management.yaml", REGION, &ca).unwrap();
        ca.insert("ApplicationBoundaryArn".to_owned(), home["outputs"]["ApplicationBoundaryArn"].clone());
        let accounts = [home, made("aws/management.yaml", WEST, &ca).unwrap()];
        name_both(stage).await;
        let more = [format!("RoleRegion={REGION}"), format!("PermissionsBoundaryArn={BOUNDARY}")];
        let words = association(stage, &more.each_ref().map(String::as_str)).await.ok();
        let pairs = words.split_whitespace().map(|word| word.split_once('=').unwrap());
        let given: Map<String, Value> = pairs.map(|(key, value)| (key.to_owned(), json!(value))).collect();
        let applications = [REGION, WEST].map(|region| made("aws/stack.yaml", region, &given).unwrap());
        Stacks { accounts, applications }
    }

    /// Makes their resources in the emulated AWS. The west has another anchor too, with the same CA.
    async fn put_into(&self, stage: &Stage) {
        let mut world = stage.admin("GET", "state", None).await;
        let resources = |stack: &Value| stack["resources"].clone();
        let mut roles = vec![iam_role(
            "payments.api",
            &self.applications[0]["resources"]["Role"],
            &self.accounts[0]["resources"]["ApplicationBoundary"],
        )];
        for (account, region) in self.accounts.iter().map(resources).zip([REGION, WEST]) {
            let boundary = &account["ManagementBoundary"];
            roles.extend(NAMES.map(|name| iam_role(&format!("{name}-{region}"), &account[name], boundary)));
        }
        world["roles"] = json!(roles);
        let [home, west] = [0, 1].map(|nth| region(&self.accounts[nth], &self.applications[nth]));
        (world["trust_anchors"], world["profiles"]) =
            (home["trust_anchors"].clone(), home["profiles"].clone());
        world["regions"] = json!({ WEST: west });
        let mut unlisted = world["regions"][WEST]["trust_anchors"][0].clone();
        unlisted["id"] = json!(id(&unlisted_anchor()));
        world["regions"][WEST]["trust_anchors"].as_array_mut().unwrap().push(unlisted);
        stage.admin("PUT", "state", Some(world)).await;
    }
}

fn id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap()
}

/// An anchor of the west that no stack names.
fn unlisted_anchor() -> String {
    in_the_west(TRUST_ANCHOR_ARN).replace("0f9f4a3c", "1f9f4a3c")
}

/// Anchor and profiles of one region in the emulator's shape.
fn region(account: &Value, application: &Value) -> Value {
    let anchor = &account["resources"]["TrustAnchor"];
    json!({
        "trust_anchors": [{
            "id": id(TRUST_ANCHOR_ARN), "name": anchor["Name"], "enabled": anchor["Enabled"],
            "certificates_pem": anchor["Source"]["SourceData"]["X509CertificateData"],
        }],
        "profiles": [
            profile(PROFILE_ARN, &application["resources"]["Profile"]),
            profile(MANAGEMENT_PROFILE_ARN, &account["resources"]["Profile"]),
        ],
    })
}

/// `parameters.sh association payments/api` as root.
async fn association(stage: &Stage, more: &[&str]) -> harness::CliRun {
    let args = [&["association", "payments/api"], more].concat();
    script(&stage.vault, stage.vault.root_token(), "aws/parameters.sh", &args, &[]).await
}

/// A site whose AWS has the stacks of both regions, and whose engine role has the fields that their outputs print.
async fn two_regions() -> (Site, Stacks) {
    let site = Site::new().await;
    let stacks = Stacks::new(&site.stage).await;
    stacks.put_into(&site.stage).await;
    let [home, west] = &stacks.applications;
    let fields = format!(
        "{},{}",
        home["outputs"]["Association"].as_str().unwrap(),
        west["outputs"]["ProfileArn"].as_str().unwrap()
    );
    let write: Vec<&str> =
        ["write", "iamra/roles/payments.api"].into_iter().chain(fields.split(' ')).collect();
    let _ = site.stage.vault.cli(&write).await.ok();
    (site, stacks)
}

async fn with_home(stage: &Stage, knobs: Value) {
    stage.knobs(json!({ "regions": { REGION: knobs } })).await;
}

#[tokio::test]
async fn a_pod_gets_its_session_in_either_region_and_through_no_anchor_that_is_not_listed() {
    let (site, _) = two_regions().await;
    let pod = site.pod("payments", "api").await;
    let regions = async || -> Vec<Value> {
        site.stage.sessions().await.iter().map(|session| session["region"].clone()).collect()
    };

    let _ = pod.read("iamra/container/payments.api").await.ok();
    let _ = site.stage.root().patch("iamra/roles/payments.api", json!({ "certificate_ttl": 601 })).await.ok();
    with_home(&site.stage, json!({ "dead": true })).await;
    let _ = pod.read("iamra/container/payments.api").await.ok();
    let unlisted = json!({ "trust_anchor_arn": unlisted_anchor(), "profile_arn": in_the_west(PROFILE_ARN) });
    let _ = site.stage.root().patch("iamra/roles/payments.api", unlisted).await.ok();
    let refused = pod.read("iamra/container/payments.api").await;

    assert!(refused.text.contains("Unable to assume role"), "{}", refused.text);
    assert_eq!(regions().await, [REGION, WEST]);
}

#[tokio::test]
async fn with_the_stacks_of_both_regions_nothing_is_broken_and_each_entry_keeps_its_own_anchor() {
    let (site, stacks) = two_regions().await;
    let stage = &site.stage;
    let mut config = stage.config();
    (config["sts_endpoint"], config["iam_endpoint"]) = (json!(stage.aws.url()), json!(stage.aws.url()));
    let _ = stage.root().patch("iamra/config", config).await.ok();
    name_both(stage).await;
    for (name, account) in ["home", "west"].into_iter().zip(&stacks.accounts) {
        let path = format!("iamra/trust-anchors/{name}");
        let _ = stage.root().write(&path, Value::Object(entry(account))).await.ok();
    }
    let next = json!({ "common_name": "next", "issuer_name": "next" });
    let _ = stage.root().write("iamra/root/generate/internal", next).await.ok();
    let token = site.prod.token_for("iamra", "payments", "api");
    let login = site.login("kubernetes", "associations", token).await.ok();
    let entity = &login.body["auth"]["entity_id"];

    let checked = stage.root().write("iamra/check/payments.api", json!({ "entity_id": entity })).await.ok();
    for name in ["home", "west"] {
        let synced = stage.root().write(&format!("iamra/trust-anchors/{name}/sync"), json!({})).await.ok();
        assert_eq!(synced.body["data"]["changed"], true, "{name}: {}", synced.text);
    }
    with_home(stage, json!({ "dead": true })).await;
    let ended = stage.root().write("iamra/roles/payments.api/revoke-sessions", json!({})).await;

    let summary = checked.body["data"]["summary"].as_str().unwrap();
    assert!(summary.ends_with("0 with a warning, 0 broken, 0 not checked"), "{summary} {}", checked.text);
    assert!(checked.body["data"][format!("11_trust_policy@{WEST}")].is_string(), "{}", checked.text);
    let after = stage.admin("GET", "state", None).await;
    let certificates =
        |anchors: &Value| anchors[0]["certificates_pem"].as_str().unwrap().matches("BEGIN").count();
    assert_eq!(
        [certificates(&after["trust_anchors"]), certificates(&after["regions"][WEST]["trust_anchors"])],
        [2, 2]
    );
    let _ = ended.ok();
    let denied =
        after["roles"][0]["policies"].as_object().unwrap().keys().filter(|name| name.starts_with("iamra-"));
    assert_eq!(denied.count(), 1, "ended by the west, while the first region is dead: {}", after["roles"][0]);
}

#[tokio::test]
async fn parameters_of_several_regions_ask_for_the_one_that_makes_the_role() {
    let site = Site::new().await;
    let stage = &site.stage;
    name_both(stage).await;

    for (more, reason) in [
        (&[][..], "names trust anchors of 2 regions, eu-central-1 and eu-west-1: give RoleRegion="),
        (
            &["RoleRegion=us-east-1"],
            "RoleRegion: 'us-east-1' is no region of TrustAnchorArn: eu-central-1 and eu-west-1",
        ),
    ] {
        let refused = association(stage, more).await;

        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    }
    let words = association(stage, &[&format!("RoleRegion={WEST}")]).await.ok();
    assert!(words.contains(&format!("TrustAnchorArn={}", both(TRUST_ANCHOR_ARN))), "{words}");
    let one = association(stage, &[&format!("TrustAnchorArn={TRUST_ANCHOR_ARN}")]).await.ok();
    assert!(!one.contains("RoleRegion"), "{one}");
}
