//! Several issuers in one mount, and one taking over from another: in process, no Vault, no AWS.

mod bringing;
mod retiring;
mod taking_over;

use std::time::Duration;

use crate::aws::Aws;
use crate::mounts::{
    ANCHOR, PROFILE, ROLE, mount, mount_calling, on_a_standby, over, with_ca, with_ca_calling,
};
use ca::{CaProfile, ExposeSecret as _, Issuer, KeySpec, Subject};
use engine::Engine;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use vault_backend::Storage;
use vault_backend::testing::{TestMount, TestResponse};

const ROOT: &str = "root/generate/internal";
const IMPORT: &str = "issuers/import/bundle";

fn root(name: &str) -> Value {
    json!({ "common_name": name, "issuer_name": name })
}

async fn done(mount: &TestMount<Engine>, path: &str, body: Value) -> TestResponse {
    let reply = mount.write(path, body).await;
    assert!(reply.error.is_empty() && reply.status < 300, "{path}: {reply:?}");
    reply
}

async fn refused(mount: &TestMount<Engine>, path: &str, body: Value) -> String {
    let reply = mount.write(path, body).await;
    assert_eq!(reply.status, 400, "{path}: {reply:?}");
    reply.error
}

/// A mount with the issuers `one`, the default, and `two`.
async fn prepared() -> TestMount<Engine> {
    prepared_calling(&Aws::unreachable()).await
}

/// The same beside this AWS.
async fn prepared_calling(aws: &Aws) -> TestMount<Engine> {
    let mount = with_ca_calling(aws).await;
    done(&mount, ROOT, root("two")).await;
    mount
}

/// The same after the switch to `two`.
async fn switched() -> TestMount<Engine> {
    let mount = prepared().await;
    done(&mount, "config/issuers", json!({ "default": "two" })).await;
    mount
}

async fn bundle(mount: &TestMount<Engine>) -> String {
    String::from_utf8(mount.read("trust-bundle").await.raw.unwrap()).unwrap()
}

async fn certificate(mount: &TestMount<Engine>, name: &str) -> String {
    mount.read(&format!("issuer/{name}")).await.data["certificate"].as_str().unwrap().to_owned()
}

async fn state_of(mount: &TestMount<Engine>, name: &str) -> Value {
    mount.read(&format!("issuer/{name}")).await.data["state"].clone()
}

/// An issuer's record as it stands in storage.
async fn stored(mount: &TestMount<Engine>, name: &str) -> Value {
    let id = mount.read(&format!("issuer/{name}")).await.data["issuer_id"].clone();
    mount.storage.get_json(&format!("issuer/{}", id.as_str().unwrap())).await.unwrap().unwrap()
}

async fn configure(mount: &TestMount<Engine>) {
    let config =
        json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE, "max_retries": 0 });
    done(mount, "config", config).await;
}

/// A self-signed CA of 90 days, made at `at`.
fn self_signed(name: &str, at: OffsetDateTime) -> Issuer {
    let subject = Subject { common_name: Some(name.to_owned()), ..Subject::default() };
    let profile = CaProfile { subject, key: KeySpec::EcP256, ttl: Duration::from_hours(24 * 90) };
    Issuer::generate_root(&profile, at).unwrap()
}

/// A CA of this name, made at `at`, as a bundle with its key.
fn brought(name: &str, at: OffsetDateTime) -> Value {
    let issuer = self_signed(name, at);
    let key = pem::encode(&pem::Pem::new("PRIVATE KEY", issuer.key_pkcs8().expose_secret()));
    json!({ "pem_bundle": issuer.certificate_pem() + &key })
}

fn named(bundle: &Value, name: &str) -> Value {
    json!({ "pem_bundle": bundle["pem_bundle"], "issuer_name": name })
}

#[expect(clippy::disallowed_methods, reason = "the engine under test reads the real clock")]
fn today() -> OffsetDateTime {
    OffsetDateTime::now_utc() - time::Duration::minutes(5)
}

/// Puts an issuer that no write would take, as if it had been taken when it was young, and makes it the default.
async fn store_issuer(storage: &Storage, issuer: &Issuer) {
    storage.put_sealed("key/k", issuer.key_pkcs8().expose_secret().to_vec()).await.unwrap();
    let certificate = issuer.certificate_pem();
    let record =
        json!({ "id": "i", "name": "past", "key_id": "k", "certificate_pem": certificate, "chain_pem": [] });
    storage.put_json("issuer/i", &record).await.unwrap();
    storage.put_json("config/issuers", &json!({ "default": "i" })).await.unwrap();
}
