//! Which attributes of a certificate become session tags.

use crate::pki::{Device, Name, Template};
use crate::world::{PROFILE_ID, ROOT, World};
use serde_json::{Value, json};

async fn tags_of(device: &Device, change: impl FnOnce(&mut Value)) -> Value {
    let world = World::start_with(change).await;
    let session = world.session(device).await;
    world.session_page(&session).await["tags"].clone()
}

fn with_subject(subject: Name) -> Device {
    ROOT.device_from(Template { subject, ..Template::leaf("") })
}

#[tokio::test]
async fn subject_and_issuer_become_tags() {
    let device = with_subject(Name::common("payments").and("O", "Example").and("C", "DE"));

    let tags = tags_of(&device, |_| ()).await;

    let expected = json!({
        "x509Subject/CN": "payments", "x509Subject/O": "Example", "x509Subject/C": "DE",
        "x509Issuer/CN": "Emulator Test Root",
    });
    assert_eq!(tags, expected);
}

#[tokio::test]
async fn several_values_of_one_attribute_are_joined_in_order() {
    let device = with_subject(Name::common("payments").and("OU", "Europe").and("OU", "Berlin"));

    let tags = tags_of(&device, |_| ()).await;

    assert_eq!(tags["x509Subject/OU"], "Europe/Berlin");
}

#[tokio::test]
async fn the_first_name_of_each_kind_becomes_a_tag() {
    let template = Template::leaf("payments")
        .with_dns("first.example.com")
        .with_dns("second.example.com")
        .with_uri("spiffe://example.com/first")
        .with_uri("spiffe://example.com/second")
        .with_directory_name(&Name::common("directory"));

    let tags = tags_of(&ROOT.device_from(template), |_| ()).await;

    assert_eq!(tags["x509SAN/DNS"], "first.example.com");
    assert_eq!(tags["x509SAN/URI"], "spiffe://example.com/first");
    assert_eq!(tags["x509SAN/Name/CN"], "directory");
    assert!(!tags.to_string().contains("second"), "{tags}");
}

#[tokio::test]
async fn a_value_with_signs_no_tag_may_have_is_left_out() {
    let device = with_subject(Name::common("payments").and("O", "Smith & Sons, Ltd"));

    let tags = tags_of(&device, |_| ()).await;

    assert_eq!(tags.get("x509Subject/O"), None);
    assert_eq!(tags["x509Subject/CN"], "payments");
}

#[tokio::test]
async fn a_profile_maps_only_the_fields_it_names() {
    let device = ROOT.device_from(Template::leaf("payments").with_dns("payments.example.com"));
    let mappings = json!({ "x509Subject": ["CN"], "x509SAN": ["URI"] });

    let tags = tags_of(&device, |state| state["profiles"][0]["attribute_mappings"] = mappings).await;

    assert_eq!(tags, json!({ "x509Subject/CN": "payments" }));
}

#[tokio::test]
async fn a_profile_without_mappings_maps_everything() {
    let device = ROOT.device_from(Template::leaf("payments").with_uri("spiffe://example.com/payments"));

    let tags = tags_of(&device, |state| state["profiles"][0]["attribute_mappings"] = Value::Null).await;

    assert_eq!(tags["x509SAN/URI"], "spiffe://example.com/payments");
    assert_eq!(tags["x509Issuer/CN"], "Emulator Test Root");
}

#[tokio::test]
async fn a_mapping_put_over_the_api_counts() {
    let world = World::start_with(|state| {
        state["profiles"][0]["attribute_mappings"] = json!({ "x509Issuer": ["*"] });
    })
    .await;
    let path = format!("/profiles/{PROFILE_ID}/mappings");
    let body = json!({ "certificateField": "x509Subject", "mappingRules": [{ "specifier": "CN" }] });

    let answer = world.manage(reqwest::Method::PUT, &path, &body).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    let session = world.session(&ROOT.device("payments")).await;
    assert_eq!(world.session_page(&session).await["tags"]["x509Subject/CN"], "payments");
}
