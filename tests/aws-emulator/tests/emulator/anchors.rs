//! Trust anchors over the management API: two certificates, sources, tags, notifications, AWS's quota, and a reply that is lost.

use crate::client::Answer;
use crate::expectations::refusal;
use crate::pki::Authority;
use crate::world::{ANCHOR, ANCHOR_ID, ROOT, World};
use reqwest::Method;
use serde_json::{Value, json};

const PRIVATE_CA: &str = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/5a2b6c1e";

fn path() -> String {
    format!("/trustanchor/{ANCHOR_ID}")
}

fn bundle(pem: &str) -> Value {
    json!({ "source": { "sourceType": "CERTIFICATE_BUNDLE", "sourceData": { "x509CertificateData": pem } } })
}

async fn update(world: &World, body: &Value) -> Answer {
    world.manage(Method::PATCH, &path(), body).await
}

async fn anchor(world: &World) -> Value {
    world.manage(Method::GET, &path(), &Value::Null).await.json()["trustAnchor"].clone()
}

#[tokio::test]
async fn an_anchor_of_two_certificates_trusts_both() {
    let world = World::start().await;
    let next = Authority::root("Next Root");
    let both = ROOT.certificate.pem() + &next.certificate.pem();

    let answer = update(&world, &bundle(&both)).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    world.session(&ROOT.device("payments")).await;
    world.session(&next.device("payments")).await;
}

#[tokio::test]
async fn a_rotation_by_one_certificate_too_many_leaves_the_anchor_as_it_was() {
    let world = World::start().await;
    let both = ROOT.certificate.pem() + &Authority::root("Next Root").certificate.pem();
    assert_eq!(update(&world, &bundle(&both)).await.status, 200);

    let answer = update(&world, &bundle(&(both.clone() + &Authority::root("Third").certificate.pem()))).await;

    world.refuses(&answer, &refusal("60")).await;
    assert_eq!(anchor(&world).await["source"]["sourceData"]["x509CertificateData"], both);
}

async fn world_with_private_ca() -> World {
    World::start_with(|state| state["trust_anchors"][0]["acm_pca_arn"] = PRIVATE_CA.into()).await
}

#[tokio::test]
async fn a_private_ca_shows_its_arn_and_no_certificate() {
    let world = world_with_private_ca().await;

    let source = anchor(&world).await["source"].clone();

    assert_eq!(source, json!({ "sourceType": "AWS_ACM_PCA", "sourceData": { "acmPcaArn": PRIVATE_CA } }));
    world.session(&ROOT.device("payments")).await;
}

async fn refuses_source(source: Value, message: &str, rule: &str) {
    let world = world_with_private_ca().await;

    let answer = update(&world, &json!({ "source": source })).await;

    assert_eq!((answer.status, answer.error_type()), (400, "ValidationException"), "{}", answer.text());
    assert_eq!(answer.message(), message);
    assert_eq!(world.log_entry(&answer).await["rule"], rule);
    assert_eq!(anchor(&world).await["source"]["sourceType"], "AWS_ACM_PCA");
}

#[tokio::test]
async fn a_bundle_does_not_fit_the_type_of_a_private_ca() {
    let data = json!({ "x509CertificateData": ROOT.certificate.pem() });
    let message = "The source data does not match the source type AWS_ACM_PCA";
    let source = json!({ "sourceType": "AWS_ACM_PCA", "sourceData": data });
    refuses_source(source, message, "management.source_mismatch").await;
}

#[tokio::test]
async fn a_private_ca_that_cannot_be_read_is_no_source() {
    let source = json!({ "sourceType": "AWS_ACM_PCA", "sourceData": { "acmPcaArn": PRIVATE_CA } });
    let message = "Error creating TrustAnchor. Given AWS PCA did not allow get request.";
    refuses_source(source, message, "management.private_ca").await;
}

#[tokio::test]
async fn a_bundle_of_its_own_type_replaces_the_private_ca() {
    let world = world_with_private_ca().await;

    let answer = update(&world, &bundle(&ROOT.certificate.pem())).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(anchor(&world).await["source"]["sourceType"], "CERTIFICATE_BUNDLE");
}

#[tokio::test]
async fn an_anchor_is_disabled_and_enabled_over_the_api() {
    let world = World::start().await;
    let turn = |how: &str| format!("{}/{how}", path());
    assert_eq!(world.create(&turn("disable"), &Value::Null).await.status, 200);
    let refused = world.call(&ROOT.device("payments")).send().await;
    let shown = anchor(&world).await["enabled"].clone();

    let enabled = world.create(&turn("enable"), &Value::Null).await;

    world.refuses(&refused, &refusal("31")).await;
    assert_eq!((shown, enabled.status), (json!(false), 200));
    world.session(&ROOT.device("payments")).await;
}

#[tokio::test]
async fn tags_are_put_listed_and_taken_away() {
    let world = World::start().await;
    let tags = json!([{ "key": "a", "value": "1" }, { "key": "b", "value": "2" }]);
    let tagged = world.create("/TagResource", &json!({ "resourceArn": ANCHOR, "tags": tags })).await;

    let untagged = world.create("/UntagResource", &json!({ "resourceArn": ANCHOR, "tagKeys": ["a"] })).await;

    assert_eq!((tagged.status, untagged.status), (201, 200));
    let state = world.admin("state").await;
    assert_eq!(state["tags"][ANCHOR], json!({ "b": "2" }));
}

#[tokio::test]
async fn a_201st_tag_is_too_many() {
    let world = World::start().await;
    let tags: Vec<Value> = (0..201).map(|key| json!({ "key": key.to_string(), "value": "" })).collect();

    let answer = world.create("/TagResource", &json!({ "resourceArn": ANCHOR, "tags": tags })).await;

    assert_eq!((answer.status, answer.error_type()), (400, "TooManyTagsException"), "{}", answer.text());
    assert_eq!(world.log_entry(&answer).await["rule"], "management.too_many_tags");
}

#[tokio::test]
async fn notification_settings_are_awss_defaults_until_some_are_put() {
    let world = World::start().await;
    let settings = |anchor: &Value| {
        let all = anchor["notificationSettings"].as_array().unwrap();
        all.iter().map(|one| (one["threshold"].clone(), one["configuredBy"].clone())).collect::<Vec<_>>()
    };
    let defaults = settings(&anchor(&world).await);
    let put = json!({ "trustAnchorId": ANCHOR_ID, "notificationSettings": [
        { "event": "CA_CERTIFICATE_EXPIRY", "enabled": true, "threshold": 90, "channel": "ALL" },
    ]});

    let answer = world.manage(Method::PATCH, "/put-notifications-settings", &put).await;

    let aws = (json!(45), json!("rolesanywhere.amazonaws.com"));
    assert_eq!(defaults, [aws.clone(), aws.clone()]);
    let ours = (json!(90), json!("111122223333"));
    assert_eq!(settings(&answer.json()["trustAnchor"]), [ours, aws.clone()]);
    let keys = json!([{ "event": "CA_CERTIFICATE_EXPIRY", "channel": "ALL" }]);
    let reset = json!({ "trustAnchorId": ANCHOR_ID, "notificationSettingKeys": keys });
    let answer = world.manage(Method::PATCH, "/reset-notifications-settings", &reset).await;
    assert_eq!(settings(&answer.json()["trustAnchor"]), [aws.clone(), aws]);
}

#[tokio::test]
async fn one_group_of_the_management_api_has_one_call_a_second() {
    let world = World::start().await;
    world.put_knobs(json!({ "management_tps": 1 })).await;

    let first = world.manage(Method::GET, &path(), &Value::Null).await;
    let second = world.manage(Method::GET, "/trustanchors", &Value::Null).await;
    let other_group = world.manage(Method::GET, "/profiles", &Value::Null).await;

    assert_eq!((first.status, second.status, other_group.status), (200, 429, 200));
    assert_eq!((second.error_type(), second.message().as_str()), ("ThrottlingException", "Rate exceeded"));
    world.session(&ROOT.device("payments")).await;
}

#[tokio::test]
async fn a_call_whose_reply_is_lost_was_done() {
    let world = World::start().await;
    world.put_knobs(json!({ "lose_reply_next": 1 })).await;
    let both = ROOT.certificate.pem() + &Authority::root("Next Root").certificate.pem();
    let mut call = crate::client::SignedCall::management(
        world.client.clone(),
        &world.url(),
        crate::world::management_keys(),
    );
    (call.method, call.path) = (Method::PATCH, path());
    call.body = bundle(&both).to_string().into_bytes();

    let lost = call.try_send().await;

    assert!(lost.is_err(), "there was a reply");
    assert_eq!(anchor(&world).await["source"]["sourceData"]["x509CertificateData"], both);
}
