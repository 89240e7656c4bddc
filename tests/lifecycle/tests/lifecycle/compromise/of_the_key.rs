//! A compromise is of a key: other certificates of it, and CAs above them.

use futures_util::future::join_all;
use lifecycle::World;
use serde_json::{Map, Value, json};

use super::{SETTLING, report};

/// The same key once more: a certificate that a company's root has signed, with the key of `first`.
fn certified_again(key_pem: &str) -> String {
    certified_as("renewed", key_pem)
}

fn certified_as(name: &str, key_pem: &str) -> String {
    let key = rcgen::KeyPair::from_pem(key_pem).unwrap();
    let params = ca_params(name, rcgen::BasicConstraints::Constrained(0));
    params.self_signed(&key).unwrap().pem() + key_pem
}

fn ca_params(name: &str, constraints: rcgen::BasicConstraints) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(constraints);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2036, 1, 1);
    params
}

async fn import(world: &World, pem_bundle: &str, name: &str) -> vault_backend::testing::TestResponse {
    let body = json!({ "pem_bundle": pem_bundle, "issuer_name": name });
    world.mount.write("issuers/import/bundle", body).await
}

/// A world whose anchor holds `brought`, the default, and whose second issuer has the same key.
async fn one_key_twice() -> (World, String) {
    let world = World::new().await;
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    world.ok(import(&world, &certified_again(&key), "brought").await);
    world.ok(world.mount.write("trust-anchors/main/sync", json!({})).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "brought" })).await);
    world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);
    world.ok(import(&world, &certified_again(&key), "renewed").await);
    (world, key)
}

#[tokio::test]
async fn another_certificate_of_the_same_key_does_not_take_over() {
    let (world, _) = one_key_twice().await;

    let reply = world.mount.write("issuer/brought/compromised", json!({})).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.error.contains("with its own key"), "{}", reply.error);
}

#[tokio::test]
async fn every_certificate_of_the_key_goes_and_none_comes_back() {
    let (world, key) = one_key_twice().await;
    world.ok(world.mount.write("issuer/renewed", json!({ "disabled": true })).await);
    let next = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", next).await);

    let answer = world.ok(world.mount.write("issuer/brought/compromised", json!({})).await);
    let enabled = world.mount.write("issuer/renewed", json!({ "disabled": false })).await;
    let too_early = world.mount.delete("issuer/brought").await;
    world.ok(world.mount.delete_with("issuer/brought", json!({ "force": true })).await);
    world.ok(world.mount.delete("issuer/renewed").await);
    let imported = import(&world, &certified_again(&key), "again").await;

    assert_eq!(answer["state"], SETTLING, "{}", report(&answer));
    assert!(too_early.error.contains("ends sessions once more: delete it after that"), "{too_early:?}");
    for refused in [enabled, imported] {
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.error.contains("compromised since"), "{}", refused.error);
    }
    assert!(world.caller(&world.ok(world.creds("demo").await)).await.is_ok());
}

/// A company's root, and two CAs below it as the engine imports them, each with its key.
fn company() -> (String, [String; 2]) {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let root = ca_params("company root", rcgen::BasicConstraints::Unconstrained)
        .self_signed(&root_key)
        .unwrap()
        .pem();
    let above = rcgen::Issuer::from_ca_cert_pem(&root, root_key).unwrap();
    let below = ["pods one", "pods two"].map(|name| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            ca_params(name, rcgen::BasicConstraints::Constrained(0)).signed_by(&key, &above).unwrap();
        format!("{}{}", certificate.pem(), key.serialize_pem())
    });
    (root, below)
}

/// The report while the anchor holds the root alone, that of a repeated call, and the one after it was taken out by hand.
async fn under_a_held_root(is_chain_known: bool) -> [Map<String, Value>; 3] {
    let world = World::by_hand().await;
    let (root, bundles) = company();
    for (bundle, name) in bundles.iter().zip(["one", "two"]) {
        let chain = if is_chain_known { root.as_str() } else { "" };
        world.ok(import(&world, &format!("{bundle}{chain}"), name).await);
        world.ok(world.mount.write("config/issuers", json!({ "default": "one" })).await);
        world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);
    }
    world.anchor_holds(&root).await;
    world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);
    let call =
        || async { world.ok(world.mount.write("issuer/one/compromised", json!({ "force": true })).await) };
    let before = world.ok(world.creds("demo").await);

    let held = call().await;
    assert!(world.caller(&before).await.is_err(), "{}", report(&held));
    let of_the_thief = world.ok(world.creds("demo").await);
    let repeated = call().await;
    assert!(world.caller(&of_the_thief).await.is_ok(), "a call that changes nothing ends nobody");
    world.anchor_holds(&world.pem("trust-bundle").await).await;
    let cleared = call().await;
    assert!(world.caller(&of_the_thief).await.is_err(), "{}", report(&cleared));
    [held, repeated, cleared]
}

#[tokio::test]
async fn an_anchor_that_holds_a_root_above_the_compromised_issuer_is_not_clear_until_it_is_taken_out() {
    for [held, repeated, cleared] in
        join_all([true, false].map(|known| Box::pin(under_a_held_root(known)))).await
    {
        for steps in [report(&held), report(&repeated)] {
            assert!(
                steps.contains("above the compromised issuer") && steps.contains("trust-bundle"),
                "{steps}"
            );
            assert!(!steps.contains("from every trust anchor: trust-anchors/main: in sync"), "{steps}");
        }
        assert_eq!(cleared["state"], SETTLING, "{}", report(&cleared));
    }
}

/// The certificate alone.
fn certificate_of(pem_bundle: &str) -> &str {
    pem_bundle.split("-----BEGIN PRIVATE KEY-----").next().unwrap()
}

#[tokio::test]
async fn an_anchor_that_holds_another_certificate_of_the_compromised_key_is_not_clear_until_it_is_taken_out()
{
    let world = World::new().await;
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let (brought, elsewhere) = (certified_as("brought", &key), certified_as("elsewhere", &key));
    world.ok(import(&world, &brought, "brought").await);
    world.ok(world.mount.write("trust-anchors/main/sync", json!({})).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "brought" })).await);
    world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);
    let next = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", next).await);
    let call = || async { world.ok(world.mount.write("issuer/brought/compromised", json!({})).await) };
    call().await;
    let bundle = world.pem("trust-bundle").await;
    world.anchor_holds(&format!("{bundle}{}", certificate_of(&elsewhere))).await;

    let held = report(&call().await);
    world.anchor_holds(&bundle).await;
    let cleared = report(&call().await);

    assert!(held.contains("which is another certificate of the compromised key"), "{held}");
    assert!(!held.contains("from every trust anchor: trust-anchors/main: in sync"), "{held}");
    assert!(cleared.contains("from every trust anchor: trust-anchors/main: in sync"), "{cleared}");
}
