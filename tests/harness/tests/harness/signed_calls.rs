//! Calls that the plugin's AWS client signs, against an emulator that verifies signatures on a stack of its own.

use std::time::Duration;

use aws_emulator::{Emulator, Options, State};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use rolesanywhere::revocation::{Policy, ROLE_LIMIT};
use rolesanywhere::trust_policy;
use rolesanywhere::{
    AnchorSource, Client, Credentials, RoleArn, SecretString, Settings, SignedClient, TrustAnchorArn,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// The prefix that the engine gives each `Sid`.
const SID_PREFIX: &str = "Iamra";
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
    emulator_with(ca_pem, &json!(null)).await
}

/// With these inline policies of the key that calls; null allows everything.
async fn emulator_with(ca_pem: &str, policies: &Value) -> Emulator {
    let state: State = serde_json::from_value(json!({
        "trust_anchors": [{ "id": ANCHOR, "name": "vault", "certificates_pem": ca_pem }],
        "profiles": [{ "id": PROFILE, "name": "vault", "role_arns": [ROLE], "duration_seconds": 3600 }],
        "roles": [{ "name": "demo", "path": "/team/blue/", "trust_policy": trust_policy() }],
        "management_keys": [{
            "access_key_id": "AKIAEXAMPLEEXAMPLE01", "secret_access_key": "a/long+secret", "policies": policies,
        }],
    }))
    .unwrap();
    Emulator::start(state, Options { tls: true }).await
}

/// The trust policy of AWS's manual, with a character that form encoding and percent encoding treat differently.
fn trust_policy() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": "rolesanywhere.amazonaws.com" },
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {
            "ArnEquals": { "aws:SourceArn": anchor().as_str() },
            "StringEquals": { "aws:PrincipalTag/x509Subject/CN": "a+b c" },
        },
    }] })
}

fn caller(emulator: &Emulator, secret: &str) -> SignedClient {
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
        secret_access_key: SecretString::from(secret),
        session_token: None,
    };
    Client::new(&settings).unwrap().signed_client(credentials, now, Duration::from_secs(15))
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

    assert!(err.to_string().contains("a trust anchor accepts only CA certificates"), "{err}");
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

    assert!(reached.from_aws && reached.clock_skew.is_none(), "{reached:?}");
    assert!((now() - reached.server_date.unwrap()).abs() <= time::Duration::seconds(2), "{reached:?}");
}

#[tokio::test]
async fn an_untrusted_certificate_of_an_endpoint_is_reported_as_such() {
    let emulator = emulator(&authority("old").0).await;
    let settings = Settings { endpoint: Some(emulator.url().parse().unwrap()), ..Settings::default() };
    let region = "eu-central-1".parse().unwrap();

    let client = Client::new(&settings).unwrap();
    let err = client.probe(&region, now, Duration::from_secs(5)).await.unwrap_err();

    assert!(err.to_string().contains("TLS certificate is not trusted"), "{err}");
}

fn role() -> RoleArn {
    ROLE.parse().unwrap()
}

#[tokio::test]
async fn a_role_with_a_path_is_read_with_its_trust_policy() {
    let emulator = emulator(&authority("old").0).await;

    let read = caller(&emulator, "a/long+secret").get_role(&role()).await.unwrap();

    assert_eq!((read.arn, read.path.as_str(), read.name.as_str()), (role(), "/team/blue/", "demo"));
    assert_eq!(serde_json::from_str::<Value>(&read.trust_policy).unwrap(), trust_policy());
    assert_eq!(trust_policy::lint(&read.trust_policy, &anchor()), []);
}

#[tokio::test]
async fn a_policy_that_ends_sessions_is_written_found_read_back_and_deleted() {
    let emulator = emulator(&authority("old").0).await;
    let caller = caller(&emulator, "a/long+secret");
    let mut policy = Policy::new(SID_PREFIX);
    policy.deny_issued_before(now());
    policy.deny_session("0a+b=c,d.e@f-g_h", now()).unwrap();
    policy.deny_source_identity("CN=prod.payments.api", now(), now()).unwrap();
    let name = "iamra-00000000-0000-4000-8000-000000000000";

    assert_eq!(caller.get_role_policy(&role(), name).await, Ok(None));
    caller.put_role_policy(&role(), name, &policy.to_string()).await.unwrap();
    let names = caller.list_role_policies(&role()).await.unwrap();
    let read = caller.get_role_policy(&role(), name).await.unwrap().unwrap();

    assert_eq!((names, Policy::parse(SID_PREFIX, &read)), (vec![name.to_owned()], Ok(policy)));
    assert_eq!(caller.delete_role_policy(&role(), name).await, Ok(true));
    assert_eq!(caller.delete_role_policy(&role(), name).await, Ok(false));
}

#[tokio::test]
async fn iam_counts_a_document_as_we_do() {
    let emulator = emulator(&authority("old").0).await;
    let caller = caller(&emulator, "a/long+secret");
    let mut policy = Policy::new(SID_PREFIX);
    let mut fitting = Policy::new(SID_PREFIX);
    for number in 0.. {
        policy.deny_session(&format!("{number:032x}"), now()).unwrap();
        if !policy.would_fit(0) {
            break;
        }
        fitting = policy.clone();
    }

    caller.put_role_policy(&role(), "p", &fitting.to_string()).await.unwrap();
    let err = caller.put_role_policy(&role(), "p", &policy.to_string()).await.unwrap_err();

    assert!(fitting.size() <= ROLE_LIMIT && policy.size() > ROLE_LIMIT);
    assert!(err.is_limit_exceeded(), "{err}");
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_by_iam_and_by_roles_anywhere() {
    let read_only = json!({ "p": { "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iam:Get*", "Resource": "*" },
    ] } });
    let emulator = emulator_with(&authority("old").0, &read_only).await;
    let caller = caller(&emulator, "a/long+secret");

    let of_iam = caller.put_role_policy(&role(), "p", "{}").await.unwrap_err();
    let of_anchor = caller.get_trust_anchor(&anchor()).await.unwrap_err();

    assert_eq!(of_iam.missing_permission.unwrap().action, "iam:PutRolePolicy");
    assert_eq!(of_anchor.missing_permission.unwrap().action, "rolesanywhere:GetTrustAnchor");
    assert!(caller.get_role(&role()).await.is_ok());
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_not_taken_for_one_without_the_policy() {
    let emulator = emulator(&authority("old").0).await;
    let caller = caller(&emulator, "a/long+secret");
    let absent: RoleArn = "arn:aws:iam::111122223333:role/absent".parse().unwrap();

    for err in [
        caller.get_role(&absent).await.unwrap_err(),
        caller.get_role_policy(&absent, "p").await.unwrap_err(),
        caller.delete_role_policy(&absent, "p").await.unwrap_err(),
    ] {
        assert!(err.is_not_found(), "{err}");
    }
}
