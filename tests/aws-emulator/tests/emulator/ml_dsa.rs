//! ML-DSA in all three sizes: leaves, authorities and revocation lists, and sizes that are too large or too small.

use crate::expectations::refusal;
use crate::pki::{Authority, Device, Key, Template};
use crate::world::{ROOT, World, crl};

fn keys() -> [Key; 3] {
    [Key::ml_dsa_44(), Key::ml_dsa_65(), Key::ml_dsa_87()]
}

/// An emulator whose anchor is this authority.
async fn trusting(root: &Authority) -> World {
    let pem = root.certificate.pem();
    World::start_with(|state| state["trust_anchors"][0]["certificates_pem"] = pem.into()).await
}

#[tokio::test]
async fn a_leaf_of_each_size_gets_a_session() {
    let world = World::start().await;

    for key in keys() {
        let device = ROOT.device_with_key(Template::leaf("payments"), key);

        world.session(&device).await;
    }
}

#[tokio::test]
async fn an_authority_of_each_size_is_an_anchor() {
    for key in keys() {
        let root = Authority::self_signed(Template::authority("ML-DSA Root"), key);
        let world = trusting(&root).await;

        world.session(&root.device_with_key(Template::leaf("payments"), Key::ml_dsa_87())).await;
    }
}

#[tokio::test]
async fn a_list_of_an_ml_dsa_authority_revokes() {
    let root = Authority::self_signed(Template::authority("ML-DSA Root"), Key::ml_dsa_44());
    let device = root.device("payments");
    let (pem, list) = (root.certificate.pem(), root.crl(&[&device.certificate]));
    let world = World::start_with(|state| {
        state["trust_anchors"][0]["certificates_pem"] = pem.into();
        state["crls"] = serde_json::json!([crl(&list, true)]);
    })
    .await;

    let answer = world.call(&device).send().await;

    world.refuses(&answer, &refusal("12")).await;
}

#[tokio::test]
async fn a_leaf_of_an_impostor_of_another_size_is_untrusted() {
    let root = Authority::self_signed(Template::authority("ML-DSA Root"), Key::ml_dsa_65());
    let impostor = Authority::self_signed(Template::authority("ML-DSA Root"), Key::ml_dsa_44());
    let world = trusting(&root).await;

    let answer = world.call(&impostor.device("payments")).send().await;

    world.refuses(&answer, &refusal("1")).await;
}

/// The longest headers there are: a leaf and five intermediates of 87, nearly 60 KB.
#[tokio::test]
async fn a_chain_of_five_of_the_largest_size_fits_the_headers() {
    let root = Authority::self_signed(Template::authority("ML-DSA Root"), Key::ml_dsa_87());
    let mut chain = vec![root.clone()];
    for depth in 1..=5 {
        let above = chain.last().unwrap();
        let below = above
            .intermediate_with_key(Template::authority(&format!("ML-DSA Issuer {depth}")), Key::ml_dsa_87());
        chain.push(below);
    }
    let issuer = chain.last().unwrap();
    let device: Device = issuer.device_with_key(Template::leaf("payments"), Key::ml_dsa_87());
    let through: Vec<&Authority> = chain[1..].iter().rev().collect();
    let world = trusting(&root).await;

    let device = device.through(&through);
    let sent: usize = device.chain.iter().map(|one| one.base64().len()).sum();

    assert!(sent > 45_000, "{sent} characters of chain");
    world.session(&device).await;
}
