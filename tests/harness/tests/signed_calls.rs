//! Calls that the plugin's AWS client signs, against an emulator that verifies signatures on a stack of its own.

use std::time::Duration;

use aws_emulator::{Emulator, Options, State};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use rolesanywhere::{AnchorSource, Caller, Client, Credentials, Secret, Settings, TrustAnchorArn};
use serde_json::json;
use time::OffsetDateTime;

const ANCHOR: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const PROFILE: &str = "bbbbbbbb-0000-4000-8000-000000000001";
const ROLE: &str = "arn:aws:iam::111122223333:role/team/blue/demo";

/// A CA that a trust anchor takes: PEM and DER.
fn authority(name: &str) -> (String, Vec<u8>) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
    (certificate.pem(), certificate.der().to_vec())
}

async fn emulator(ca_pem: &str) -> Emulator {
    let state: State = serde_json::from_value(json!({
        "trust_anchors": [{ "id": ANCHOR, "name": "vault", "certificates_pem": ca_pem }],
        "profiles": [{ "id": PROFILE, "name": "vault", "role_arns": [ROLE], "duration_seconds": 3600 }],
        "roles": [],
        "management_keys": [{ "access_key_id": "AKIAEXAMPLEEXAMPLE01", "secret_access_key": "a/long+secret" }],
    }))
    .unwrap();
    Emulator::start(state, Options { tls: true }).await
}

fn caller(emulator: &Emulator, secret: &str) -> Caller {
    let url = Some(emulator.url().parse().unwrap());
    let settings = Settings {
        endpoint: url.clone(),
        sts_endpoint: url.clone(),
        iam_endpoint: url,
        endpoint_ca_pem: emulator.ca_pem().map(str::to_owned),
        ..Settings::default()
    };
    let credentials = Credentials {
        access_key_id: "AKIAEXAMPLEEXAMPLE01".to_owned(),
        secret_access_key: Secret::new(secret.to_owned()),
        session_token: None,
    };
    Client::new(&settings).unwrap().caller(credentials, now, Duration::from_secs(15))
}

#[expect(clippy::disallowed_methods, reason = "the emulator verifies by the real clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn anchor() -> TrustAnchorArn {
    format!("arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/{ANCHOR}").parse().unwrap()
}

#[tokio::test]
async fn a_bundle_is_read_replaced_and_read_back() {
    let ((old_pem, old), (_, new)) = (authority("old"), authority("new"));
    let emulator = emulator(&old_pem).await;
    let caller = caller(&emulator, "a/long+secret");

    let before = caller.get_trust_anchor(&anchor()).await.unwrap();
    let answered = caller.update_trust_anchor(&anchor(), &[old.clone(), new.clone()]).await.unwrap();
    let after = caller.get_trust_anchor(&anchor()).await.unwrap();

    assert_eq!(before.source, AnchorSource::CertificateBundle(vec![old.clone()]));
    assert_eq!(after.source, AnchorSource::CertificateBundle(vec![old, new]));
    assert_eq!((answered.source, after.enabled), (after.source, true));
}

#[tokio::test]
async fn a_profile_and_the_caller_are_read() {
    let emulator = emulator(&authority("old").0).await;
    let caller = caller(&emulator, "a/long+secret");
    let profile = format!("arn:aws:rolesanywhere:eu-central-1:111122223333:profile/{PROFILE}");

    let read = caller.get_profile(&profile.parse().unwrap()).await.unwrap();
    let who = caller.get_caller_identity(&"eu-central-1".parse().unwrap()).await.unwrap();

    assert!(read.lists(&ROLE.parse().unwrap()) && read.enabled, "{read:?}");
    assert_eq!(
        (who.account.as_str(), who.arn.as_str()),
        ("111122223333", "arn:aws:iam::111122223333:user/management")
    );
}

#[tokio::test]
async fn another_secret_signs_nothing_that_is_taken() {
    let emulator = emulator(&authority("old").0).await;
    let caller = caller(&emulator, "a/long-secret");

    let of_sts = caller.get_caller_identity(&"eu-central-1".parse().unwrap()).await.unwrap_err();
    let of_anchor = caller.get_trust_anchor(&anchor()).await.unwrap_err();

    for err in [of_sts, of_anchor] {
        assert!(err.to_string().contains("AWS refused with 403"), "{err}");
        assert!(err.request_id().is_some(), "{err:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_no_ca_is_refused_in_words() {
    let ((pem, ca), leaf) = (authority("old"), rcgen::generate_simple_self_signed(Vec::new()).unwrap());
    let emulator = emulator(&pem).await;
    let caller = caller(&emulator, "a/long+secret");

    let err = caller.update_trust_anchor(&anchor(), &[leaf.cert.der().to_vec()]).await.unwrap_err();

    assert!(err.to_string().contains("a trust anchor takes CA certificates only"), "{err}");
    let held = caller.get_trust_anchor(&anchor()).await.unwrap();
    assert_eq!(held.source, AnchorSource::CertificateBundle(vec![ca]));
}

#[tokio::test]
async fn the_emulator_is_reached_without_credentials_and_tells_its_time() {
    let emulator = emulator(&authority("old").0).await;
    let settings = Settings {
        endpoint: Some(emulator.url().parse().unwrap()),
        endpoint_ca_pem: emulator.ca_pem().map(str::to_owned),
        ..Settings::default()
    };
    let region = "eu-central-1".parse().unwrap();
    let client = Client::new(&settings).unwrap();

    let reached = client.probe(&region, now, Duration::from_secs(5)).await.unwrap();

    assert!(reached.from_aws, "{reached:?}");
    assert!(reached.clock_skew.unwrap().whole_seconds().abs() <= 2, "{reached:?}");
}

#[tokio::test]
async fn an_endpoint_whose_certificate_is_not_trusted_is_told_as_that() {
    let emulator = emulator(&authority("old").0).await;
    let settings = Settings { endpoint: Some(emulator.url().parse().unwrap()), ..Settings::default() };
    let region = "eu-central-1".parse().unwrap();

    let client = Client::new(&settings).unwrap();
    let err = client.probe(&region, now, Duration::from_secs(5)).await.unwrap_err();

    assert!(err.to_string().contains("TLS certificate is not trusted"), "{err}");
}
