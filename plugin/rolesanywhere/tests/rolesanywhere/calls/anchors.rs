//! Trust anchors and profiles: Roles Anywhere's own API.

use std::time::Duration;

use rolesanywhere::{AnchorSource, ProfileArn, RateLimiter, Remedy, TransportErrorKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::macros::datetime;

use super::{CERTIFICATE, anchor, client, ok, role, signed_client, with_client};
use crate::script::{Script, Step};

fn anchor_detail(source: &serde_json::Value) -> Step {
    let detail = serde_json::json!({
        "trustAnchorId": "5aefb5fe-2d37", "trustAnchorArn": anchor(), "name": "vault", "enabled": true,
        "createdAt": "2024-04-20T13:32:46.129722Z", "updatedAt": "2024-04-21T13:32:46.129722Z", "source": source,
    });
    ok(serde_json::json!({ "trustAnchor": detail }).to_string())
}

fn bundle(pem: &str) -> serde_json::Value {
    serde_json::json!({ "sourceType": "CERTIFICATE_BUNDLE", "sourceData": { "x509CertificateData": pem } })
}

fn profile() -> ProfileArn {
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/77aa0000-11bb".parse().unwrap()
}

fn der() -> Vec<u8> {
    CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap().to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_trust_anchor_is_read_with_its_certificates() {
    let two = format!("{CERTIFICATE}{CERTIFICATE}");
    let script = Script::of([anchor_detail(&bundle(&two))]);

    let read = signed_client(&script).get_trust_anchor(&anchor()).await.unwrap();

    assert_eq!((read.arn, read.enabled, read.name.as_str()), (anchor(), true, "vault"));
    assert_eq!(read.source, AnchorSource::CertificateBundle(vec![der(), der()]));
    assert_eq!(read.updated_at, Some(datetime!(2024-04-21 13:32:46.129_722 UTC)));
    let asked = script.request(0);
    assert_eq!(asked.method(), "GET");
    assert_eq!(asked.uri(), "https://rolesanywhere.eu-central-1.amazonaws.com/trustanchor/5aefb5fe-2d37");
}

#[tokio::test(start_paused = true)]
async fn a_trust_anchor_of_another_source_is_told_apart() {
    let pca = serde_json::json!({ "sourceType": "AWS_ACM_PCA", "sourceData": { "acmPcaArn": "arn:aws:acm-pca:x" } });
    let other = serde_json::json!({ "sourceType": "SELF_SIGNED_REPOSITORY" });
    let script = Script::of([anchor_detail(&pca), anchor_detail(&other), anchor_detail(&bundle(""))]);
    let signed_client = signed_client(&script);

    let mut sources = Vec::new();
    for _ in 0..3 {
        sources.push(signed_client.get_trust_anchor(&anchor()).await.unwrap().source);
    }

    assert_eq!(sources[0], AnchorSource::AcmPca("arn:aws:acm-pca:x".to_owned()));
    assert_eq!(sources[1], AnchorSource::Other("SELF_SIGNED_REPOSITORY".to_owned()));
    assert_eq!(sources[2], AnchorSource::CertificateBundle(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_update_sends_the_whole_bundle_and_nothing_else() {
    let script = Script::of([anchor_detail(&bundle(CERTIFICATE))]);

    let held = signed_client(&script).update_trust_anchor(&anchor(), &[der(), der()]).await.unwrap();

    assert_eq!(held.source, AnchorSource::CertificateBundle(vec![der()]));
    let asked = script.request(0);
    assert_eq!(
        (asked.method().as_str(), asked.headers()["content-type"].to_str().unwrap()),
        ("PATCH", "application/json")
    );
    let body: serde_json::Value = serde_json::from_slice(asked.body()).unwrap();
    let pem = body["source"]["sourceData"]["x509CertificateData"].as_str().unwrap();
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec(), der());
    assert_eq!(body.as_object().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_aws_would_refuse_is_not_sent() {
    let script = Script::of([anchor_detail(&bundle(CERTIFICATE))]);

    for number in [0, 3] {
        let err =
            signed_client(&script).update_trust_anchor(&anchor(), &vec![der(); number]).await.unwrap_err();

        assert!(err.to_string().contains(&format!("bundle: {number} certificates")), "{err}");
        assert_eq!(err.remedy(), Remedy::Reconfigure);
    }
    assert_eq!(script.attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_named_by_its_whole_arn() {
    let alias = "arn:aws:rolesanywhere:eu-central-1:111122223333:alias/trust-anchor/vault/blue";
    let script = Script::of([anchor_detail(&bundle(CERTIFICATE))]);

    signed_client(&script).get_trust_anchor(&alias.parse().unwrap()).await.unwrap();

    let path = script.request(0).uri().path().to_owned();
    assert!(path.starts_with("/trustanchor/arn%3Aaws%3A") && path.ends_with("%2Fvault%2Fblue"), "{path}");
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_read_with_what_it_allows() {
    let detail = serde_json::json!({ "profile": {
        "profileArn": profile(), "name": "vault", "enabled": true, "durationSeconds": 3600, "roleArns": [role()],
        "acceptRoleSessionName": true, "requireInstanceProperties": false, "sessionPolicy": "", "managedPolicyArns": ["m"],
        "attributeMappings": [{ "certificateField": "x509SAN", "mappingRules": [{ "specifier": "URI" }, { "specifier": "DNS" }] }],
    } });
    let script = Script::of([ok(detail.to_string())]);

    let read = signed_client(&script).get_profile(&profile()).await.unwrap();

    assert!(read.enabled && read.accept_role_session_name && !read.require_instance_properties);
    assert!(read.lists(&role()) && !read.lists(&"arn:aws:iam::111122223333:role/demo".parse().unwrap()));
    assert_eq!((read.duration_seconds, read.session_policy), (Some(3600), None));
    let mappings = read.attribute_mappings.unwrap();
    assert_eq!((mappings[0].certificate_field.as_str(), mappings[0].specifiers.len()), ("x509SAN", 2));
    assert!(script.request(0).uri().path().ends_with("/profile/77aa0000-11bb"));
}

#[tokio::test(start_paused = true)]
async fn a_profile_without_mappings_says_so() {
    let detail = serde_json::json!({ "profile": { "profileArn": profile(), "attributeMappings": null } });
    let script = Script::of([ok(detail.to_string())]);

    assert_eq!(signed_client(&script).get_profile(&profile()).await.unwrap().attribute_mappings, None);
}

#[tokio::test(start_paused = true)]
async fn calls_to_one_accounts_anchors_and_profiles_are_a_second_apart() {
    let script = Script::of([anchor_detail(&bundle(CERTIFICATE))]);
    let rate_limiter = RateLimiter::new();
    let (one, other) = (
        client(&script).rate_limited_by(rate_limiter.clone()),
        client(&script).rate_limited_by(rate_limiter),
    );

    with_client(&one).get_trust_anchor(&anchor()).await.unwrap();
    with_client(&other).get_trust_anchor(&anchor()).await.unwrap();

    assert_eq!(script.pause_before(1), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_retry_keeps_the_pace_as_well() {
    let script = Script::of([Step::Fail(TransportErrorKind::Network), anchor_detail(&bundle(CERTIFICATE))]);

    signed_client(&script).get_trust_anchor(&anchor()).await.unwrap();

    assert!(script.pause_before(1) >= Duration::from_secs(1));
}
