//! The contents of a granted session: credentials, names, source identity, duration.

use crate::pki::{Device, Key, Name, Template};
use crate::world::{ACCOUNT, ROOT, World, seconds_until};

async fn session_with_key(key: Key) {
    let world = World::start().await;
    let device = ROOT.device_with_key(Template::leaf("payments"), key);

    let session = world.session(&device).await;

    assert_eq!(session.source_identity, "CN=payments");
}

#[tokio::test]
async fn a_p256_leaf_gets_a_session() {
    session_with_key(Key::p256()).await;
}

#[tokio::test]
async fn a_p384_leaf_gets_a_session() {
    session_with_key(Key::p384()).await;
}

#[tokio::test]
async fn a_p521_leaf_gets_a_session() {
    session_with_key(Key::p521()).await;
}

#[tokio::test]
async fn an_rsa_leaf_gets_a_session() {
    session_with_key(Key::rsa_2048()).await;
}

#[tokio::test]
async fn a_session_has_the_members_aws_documents() {
    let world = World::start().await;

    let answer = world.call(&ROOT.device("payments")).send().await;

    let session = answer.session();
    assert!(session.access_key_id.starts_with("ASIA"), "{}", session.access_key_id);
    assert!(answer.json()["credentialSet"][0]["packedPolicySize"].is_u64());
    assert_eq!(answer.json()["credentialSet"][0]["roleArn"], crate::world::ROLE);
    assert!(
        session.subject_arn.starts_with(&format!("arn:aws:rolesanywhere:eu-central-1:{ACCOUNT}:subject/"))
    );
    assert!(!answer.request_id().is_empty());
}

#[tokio::test]
async fn the_expiration_is_text_in_utc_to_the_second() {
    let world = World::start().await;

    let expiration = world.session(&ROOT.device("payments")).await.expiration;

    assert_eq!(expiration.len(), "2026-01-02T03:04:05Z".len(), "{expiration}");
    assert!(expiration.ends_with('Z'), "{expiration}");
}

#[tokio::test]
async fn the_session_is_named_by_the_serial_in_hex() {
    let world = World::start().await;
    let device = ROOT.device("payments");

    let session = world.session(&device).await;

    let serial = device.certificate.serial_hex();
    assert_eq!(session.assumed_role_arn, format!("arn:aws:sts::{ACCOUNT}:assumed-role/demo/{serial}"));
}

#[tokio::test]
async fn a_short_serial_is_padded_to_even_hex() {
    let world = World::start().await;
    let device = ROOT.device_from(Template { serial: vec![5], ..Template::leaf("payments") });

    let session = world.session(&device).await;

    assert_eq!(session.name(), "05");
}

#[tokio::test]
async fn a_serial_of_twenty_bytes_is_accepted() {
    let world = World::start().await;
    let device = ROOT.device_from(Template { serial: vec![0x7f; 20], ..Template::leaf("payments") });

    let session = world.session(&device).await;

    assert_eq!(session.name(), "7f".repeat(20));
}

#[tokio::test]
async fn a_profile_that_accepts_names_takes_the_requests() {
    let world =
        World::start_with(|state| state["profiles"][0]["accept_role_session_name"] = true.into()).await;

    let answer = world.call(&ROOT.device("payments")).set("roleSessionName", "payments-1").send().await;

    assert_eq!(answer.session().name(), "payments-1");
}

#[tokio::test]
async fn a_profile_that_accepts_names_needs_none() {
    let world =
        World::start_with(|state| state["profiles"][0]["accept_role_session_name"] = true.into()).await;
    let device = ROOT.device("payments");

    let session = world.session(&device).await;

    assert_eq!(session.name(), device.certificate.serial_hex());
}

#[tokio::test]
async fn the_arn_of_a_session_drops_the_roles_path() {
    let world = World::start_with(|state| {
        state["roles"][0]["path"] = "/teams/payments/".into();
        state["profiles"][0]["role_arns"] = vec![role_with_path()].into();
    })
    .await;

    let answer = world.call(&ROOT.device("payments")).set("roleArn", role_with_path()).send().await;

    let prefix = format!("arn:aws:sts::{ACCOUNT}:assumed-role/demo/");
    assert!(answer.session().assumed_role_arn.starts_with(&prefix));
}

fn role_with_path() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/teams/payments/demo")
}

async fn source_identity(device: &Device) -> String {
    World::start().await.session(device).await.source_identity
}

#[tokio::test]
async fn a_common_name_of_61_characters_is_prefixed() {
    let name = "c".repeat(61);
    assert_eq!(source_identity(&ROOT.device(&name)).await, format!("CN={name}"));
}

#[tokio::test]
async fn a_common_name_of_62_characters_stands_alone() {
    let name = "c".repeat(62);
    assert_eq!(source_identity(&ROOT.device(&name)).await, name);
}

#[tokio::test]
async fn a_common_name_of_64_characters_stands_alone() {
    let name = "c".repeat(64);
    assert_eq!(source_identity(&ROOT.device(&name)).await, name);
}

#[tokio::test]
async fn without_a_common_name_the_serial_identifies() {
    let subject = Name::empty().and("O", "Example");
    let device = ROOT.device_from(Template { subject, serial: vec![0x01, 0x23], ..Template::leaf("") });

    assert_eq!(source_identity(&device).await, "ID=0123");
}

#[tokio::test]
async fn a_common_name_that_sts_cannot_take_is_not_assumed() {
    let world = World::start().await;

    let answer = world.call(&ROOT.device("payments / api")).send().await;

    assert_eq!((answer.status, answer.error_type()), (403, "AccessDeniedException"));
    assert_eq!(world.log_entry(&answer).await["rule"], "role.source_identity");
}

async fn lifetime(profile: u32, asked: Option<u32>) -> i64 {
    let world = World::start_with(|state| {
        state["profiles"][0]["duration_seconds"] = profile.into();
        state["roles"][0]["max_session_duration"] = 43_200.into();
    })
    .await;
    let mut call = world.call(&ROOT.device("payments"));
    if let Some(seconds) = asked {
        call = call.set("durationSeconds", seconds);
    }
    seconds_until(&call.send().await.session().expiration)
}

#[tokio::test]
async fn without_a_duration_the_profiles_counts() {
    let seconds = lifetime(7200, None).await;
    assert!((7190..=7201).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_duration_below_the_profiles_counts() {
    let seconds = lifetime(7200, Some(900)).await;
    assert!((890..=901).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn the_longest_duration_is_twelve_hours() {
    let seconds = lifetime(43_200, Some(43_200)).await;
    assert!((43_190..=43_201).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_session_may_outlive_its_certificate() {
    let world = World::start().await;
    let not_after = crate::clock::now() + time::Duration::minutes(5);
    let device = ROOT.device_from(Template { not_after, ..Template::leaf("payments") });

    let session = world.session(&device).await;

    assert!(seconds_until(&session.expiration) > 3500);
}

#[tokio::test]
async fn a_renewed_certificate_is_the_same_subject() {
    let world = World::start().await;

    let first = world.session(&ROOT.device("payments")).await;
    let second = world.session(&ROOT.device("payments")).await;

    assert_eq!(first.subject_arn, second.subject_arn);
    assert_ne!(first.access_key_id, second.access_key_id);
}

#[tokio::test]
async fn another_name_is_another_subject() {
    let world = World::start().await;

    let first = world.session(&ROOT.device("payments")).await;
    let second = world.session(&ROOT.device("payroll")).await;

    assert_ne!(first.subject_arn, second.subject_arn);
}

#[tokio::test]
async fn the_log_names_the_serial_of_a_granted_session() {
    let world = World::start().await;
    let device = ROOT.device("payments");

    let answer = world.call(&device).send().await;

    let entry = world.log_entry(&answer).await;
    assert_eq!(entry["outcome"], "issued");
    assert_eq!(entry["operation"], "CreateSession");
    assert_eq!(entry["serial"], device.certificate.serial_hex());
    assert_eq!(entry["rule"], "");
}

#[tokio::test]
async fn no_admin_page_shows_a_secret() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;

    let pages = format!("{}{}", world.admin("sessions").await, world.admin("log").await);

    assert!(pages.contains(&session.access_key_id));
    assert!(!pages.contains(&session.secret_access_key));
    assert!(!pages.contains(&session.security_token));
}
