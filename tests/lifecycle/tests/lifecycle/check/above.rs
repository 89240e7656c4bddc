//! An intermediate CA: an anchor that holds a CA above it works, and is broken all the same.

use lifecycle::World;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, GeneralSubtree, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevokedCertParams,
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{check, text, tighten};

/// A company's root, and the CA below it that the engine has.
struct Papers {
    root: String,
    intermediate: String,
    key: String,
    revocation_list: String,
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(serial.into());
    params.not_before = now() - Duration::hours(1);
    params.not_after = now() + Duration::days(3650);
    params
}

#[expect(clippy::disallowed_methods, reason = "certificates for a peer in this process")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn papers() -> Papers {
    papers_with(None)
}

/// The same with constraints on names under the CA.
fn papers_with(constraints: Option<NameConstraints>) -> Papers {
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = params("company root", 1).self_signed(&root_key).unwrap().pem();
    let above = Issuer::from_ca_cert_pem(&root, root_key).unwrap();
    let mut below = params("pods", 0x7777);
    below.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    below.name_constraints = constraints;
    let intermediate = below.signed_by(&key, &above).unwrap().pem();
    let list = CertificateRevocationListParams {
        this_update: now() - Duration::hours(1),
        next_update: now() + Duration::days(7),
        crl_number: 1_u64.into(),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: 0x7777_u64.into(),
            revocation_time: now() - Duration::hours(1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let revocation_list = list.signed_by(&above).unwrap().pem().unwrap();
    Papers { root, intermediate, key: key.serialize_pem(), revocation_list }
}

/// A world whose issuer is the intermediate, with `chain` known above it and `held` in the anchor.
async fn world(world: World, papers: &Papers, chain: &str, held: &str) -> World {
    let bundle = format!("{}{}{chain}", papers.intermediate, papers.key);
    let imported = world
        .mount
        .write("issuers/import/bundle", json!({ "pem_bundle": bundle, "issuer_name": "pods" }))
        .await;
    world.ok(imported);
    world.ok(world.mount.write("config/issuers", json!({ "default": "pods" })).await);
    world.ok(world.mount.write("issuer/first", json!({ "disabled": true })).await);
    world.anchor_holds(held).await;
    tighten(&world).await;
    world
}

#[tokio::test]
async fn an_anchor_that_holds_the_intermediate_is_ok_in_every_link() {
    let papers = papers();
    let by_hand = World::by_hand().await;
    let world = world(by_hand, &papers, &papers.root, &papers.intermediate).await;
    world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);

    let answer = check(&world).await;

    assert_eq!(answer["summary"], "ok: 16 ok, 0 with a warning, 0 broken, 0 not checked", "{answer:#?}");
}

#[tokio::test]
async fn an_anchor_that_holds_the_root_above_works_and_is_broken() {
    let papers = papers();
    let by_hand = World::by_hand().await;
    let world = world(by_hand, &papers, &papers.root, &papers.root).await;
    world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);

    let answer = check(&world).await;

    assert_eq!(world.creds("demo").await.status, 200);
    assert_eq!(answer["broken"], json!(["09_ca_above"]), "{answer:#?}");
    let said = text(&answer, "09_ca_above");
    assert!(said.contains("any CA below it") && said.contains("test/trust-bundle"), "{said}");
}

#[tokio::test]
async fn a_root_above_is_known_by_its_signature_where_nobody_gave_it_along() {
    let papers = papers();
    let by_hand = World::by_hand().await;
    let both = format!("{}{}", papers.intermediate, papers.root);
    let world = world(by_hand, &papers, "", &both).await;
    world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["09_ca_above"]), "{answer:#?}");
}

#[tokio::test]
async fn the_cure_of_a_ca_above_is_a_persons_because_the_engine_takes_out_only_what_it_put_in() {
    let papers = papers();
    let by_hand = World::by_hand().await;
    let world = world(by_hand, &papers, &papers.root, &papers.root).await;
    world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);

    world.ok(world.mount.write("trust-anchors/main/sync", json!({})).await);
    let synced = check(&world).await;
    world.anchor_holds(&world.pem("trust-bundle").await).await;
    let replaced = check(&world).await;

    assert!(text(&synced, "09_ca_above").starts_with("broken: "), "{synced:#?}");
    assert_eq!(replaced["broken"], json!([]), "{replaced:#?}");
}

#[tokio::test]
async fn without_a_look_at_the_anchor_a_ca_above_is_not_ruled_out() {
    let papers = papers();
    let by_hand = World::by_hand().await;
    let world = world(by_hand, &papers, &papers.root, &papers.root).await;

    let answer = check(&world).await;

    let said = text(&answer, "09_ca_above");
    assert!(said.starts_with("not checked: ") && said.contains("check_role_arn=<arn>"), "{said}");
}

#[tokio::test]
async fn case_2_an_anchor_that_holds_a_root_which_the_chain_does_not_reach() {
    let papers = papers();
    let stranger = self::papers();
    let by_hand = World::by_hand().await;
    let world = world(by_hand, &papers, &papers.root, &stranger.root).await;

    let answer = check(&world).await;

    let said = text(&answer, "07_trust_anchor");
    assert!(said.contains("Untrusted signing certificate") && said.contains("trust-bundle"), "{said}");
}

#[tokio::test]
async fn case_12_a_revocation_list_that_names_the_ca() {
    let papers = papers();
    let by_hand = World::by_hand().await;
    let world = world(by_hand, &papers, &papers.root, &papers.root).await;
    world
        .change(|state| {
            let anchor = state["trust_anchors"][0]["id"].clone();
            state["crls"] = Value::Array(vec![json!({
                "id": "5a3fe0d7-2f4c-4a6e-8f0b-94a4f1b1c001", "name": "list", "enabled": true,
                "trust_anchor_id": anchor, "crl_pem": papers.revocation_list,
            })]);
        })
        .await;

    let answer = check(&world).await;

    let said = text(&answer, "01_ca");
    assert!(
        said.starts_with("broken: AWS says \"Certificate revoked\"") && said.contains("list-crls"),
        "{said}"
    );
}

#[tokio::test]
async fn a_stranger_beside_our_ca_in_the_anchor_is_warned_of() {
    let papers = papers();
    let stranger = self::papers();
    let both = format!("{}{}", papers.intermediate, stranger.root);
    let by_hand = World::by_hand().await;
    let world = world(by_hand, &papers, &papers.root, &both).await;
    world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);

    let answer = check(&world).await;

    assert_eq!(answer["warnings"], json!(["07_trust_anchor"]), "{answer:#?}");
    assert!(text(&answer, "07_trust_anchor").contains("does not belong to this mount"), "{answer:#?}");
}

#[tokio::test]
async fn case_52_a_name_that_the_cas_constraints_forbid_is_broken_at_the_chain() {
    let permitted = GeneralSubtree::DnsName("example.com".to_owned());
    let constraints = NameConstraints { permitted_subtrees: vec![permitted], excluded_subtrees: Vec::new() };
    let papers = papers_with(Some(constraints));
    let by_hand = World::by_hand().await;
    let world = world(by_hand, &papers, &papers.root, &papers.intermediate).await;
    world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);
    world.ok(world.mount.patch("roles/demo", json!({ "dns_sans": "pod.example.org" })).await);

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["02_chain", "12_create_session"]), "{answer:#?}");
    assert!(text(&answer, "02_chain").contains("Untrusted signing certificate"), "{answer:#?}");
    assert!(text(&answer, "02_chain").contains("only names that it permits"), "{answer:#?}");
}
