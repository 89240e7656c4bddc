//! boto3 drives `sts:AssumeRole` into another account, here and at moto, which is somebody else's STS.

use crate::python_clients::{script, session_keys};
use crate::regions::{HOME, WEST, two_regions};
use crate::two_accounts::{TARGET, Two};
use crate::world::management_keys;
use serde_json::{Value, json};

const HOP: &str = "arn:aws:sts::444455556666:assumed-role/target/boto3";

/// What boto3 sees of hops with these parameters.
async fn seen(two: &Two, cases: Value) -> Value {
    let mut settings = session_keys(&two.hub).await;
    settings["target"] = TARGET.into();
    settings["cases"] = cases;
    script("assume_role.py", settings).await
}

#[tokio::test]
async fn boto3_assumes_a_role_of_another_account_with_everything_that_a_hop_may_have() {
    let two = Two::start_tls().await;
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let cases = json!({
        "plain": {},
        "external id": { "ExternalId": "pool:42/a" },
        "tags": { "Tags": [{ "Key": "team", "Value": "blue" }, { "Key": "stage", "Value": "" }], "TransitiveTagKeys": ["team"] },
        "policy": { "Policy": policy },
        "short": { "DurationSeconds": 900 },
    });

    let seen = seen(&two, cases.clone()).await;

    for case in cases.as_object().unwrap().keys() {
        let here = &seen["emulator"][case];
        assert_eq!(here["caller"]["granted"]["Arn"], HOP, "{case}: {seen:#}");
        assert_eq!(here["granted"]["AssumedRoleUser"]["Arn"], HOP);
        assert_eq!(here["granted"]["SourceIdentity"], "CN=vault");
        assert_eq!(seen["moto"][case]["caller"]["granted"]["Arn"], HOP, "{case}: {seen:#}");
    }
    let sessions = two.target.sessions();
    let tagged = sessions.iter().find(|session| !session.tags.is_empty()).unwrap();
    assert_eq!(json!(tagged.tags), json!({ "team": "blue", "stage": "" }));
    assert_eq!(tagged.transitive_tag_keys, ["team"]);
}

#[tokio::test]
async fn boto3_sets_a_source_identity_with_a_long_lived_key_and_may_ask_for_more_than_an_hour() {
    let two = Two::start_tls().await;
    let keys = management_keys();
    let settings = json!({
        "url": two.hub.url(), "ca": two.hub.ca_pem(), "region": HOME, "target": TARGET,
        "access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key,
        "cases": { "named": { "SourceIdentity": "alice@example.org", "DurationSeconds": 7200 } },
    });

    let seen = script("assume_role.py", settings).await;

    for who in ["emulator", "moto"] {
        assert_eq!(seen[who]["named"]["caller"]["granted"]["Arn"], HOP, "{seen:#}");
    }
    // moto takes it and does not show it
    assert_eq!(seen["emulator"]["named"]["granted"]["SourceIdentity"], "alice@example.org", "{seen:#}");
}

#[tokio::test]
async fn boto3_is_told_what_a_hop_must_not_have() {
    let two = Two::start_tls().await;
    let large =
        [1, 2, 3, 4, 5].map(|number| json!({ "Key": format!("k{number}"), "Value": "v".repeat(250) }));
    let cases = json!({
        "source identity": { "SourceIdentity": "somebody-else" },
        "too long": { "DurationSeconds": 3601 },
        "no role": { "RoleArn": "arn:aws:iam::444455556666:role/none" },
        "one key twice": { "Tags": [{ "Key": "team", "Value": "a" }, { "Key": "Team", "Value": "b" }] },
        "policy": { "Policy": "{" },
        "large": { "Tags": large },
    });

    let seen = seen(&two, cases).await;

    let codes = [
        ("source identity", "ValidationError", 400),
        ("too long", "ValidationError", 400),
        ("no role", "AccessDenied", 403),
        ("one key twice", "InvalidParameterValue", 400),
        ("policy", "MalformedPolicyDocument", 400),
        ("large", "PackedPolicyTooLarge", 400),
    ];
    for (case, code, status) in codes {
        let refused = &seen["emulator"][case];
        assert_eq!(
            (&refused["code"], &refused["status"]),
            (&json!(code), &json!(status)),
            "{case}: {seen:#}"
        );
    }
    let message = seen["emulator"]["too long"]["message"].as_str().unwrap();
    assert!(message.contains("1 hour session limit for roles assumed by role chaining"), "{message}");
}

#[tokio::test]
async fn boto3_works_with_one_session_in_two_regions_and_is_told_of_one_that_is_not_enabled() {
    let hub = |state: &mut Value| {
        two_regions(state);
        let statements = state["roles"][0]["policies"]["tests"]["Statement"].as_array_mut().unwrap();
        let list = json!({ "Effect": "Allow", "Action": "rolesanywhere:ListTrustAnchors", "Resource": "*" });
        statements.push(list);
    };
    let two = Two::start_tls_with(hub, |state| state["regions"] = json!({ WEST: {} })).await;
    let knobs = json!({ "regions": { "eu-south-1": { "not_enabled": true } } });
    two.hub.put_knobs(knobs.clone()).await;
    two.target.set_knobs(serde_json::from_value(knobs).unwrap());
    let mut settings = session_keys(&two.hub).await;
    settings["target"] = TARGET.into();
    settings["regions"] = json!([HOME, WEST, "eu-south-1"]);

    let seen = script("regions.py", settings).await;

    for region in [HOME, WEST] {
        let there = &seen[region];
        assert_eq!(there["caller"]["granted"]["Account"], "111122223333", "{seen:#}");
        let anchor = there["anchors"]["granted"]["trustAnchors"][0]["trustAnchorArn"].as_str().unwrap();
        assert_eq!(anchor.split(':').nth(3), Some(region));
        for other in [HOME, WEST] {
            assert_eq!(there["hop"]["caller"][other]["granted"]["Arn"], HOP, "{seen:#}");
        }
    }
    let disabled = &seen["eu-south-1"];
    assert_eq!(disabled["hop"]["code"], "InvalidClientTokenId");
    assert_eq!(disabled["anchors"]["code"], "UnrecognizedClientException");
    assert_eq!(seen[HOME]["hop"]["caller"]["eu-south-1"]["code"], "InvalidClientTokenId");
}
