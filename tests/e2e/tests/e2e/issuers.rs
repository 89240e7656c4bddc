//! The mount's own CA: made here or imported, readable by anyone, and never with its key.

use e2e::paper::{Flaw, Paper, SHA1_ROOT};
use e2e::refused_write;
use harness::{ROLE_ARN, Stage, Vault};
use serde_json::json;

const IMPORT: &str = "iamra/issuers/import/bundle";

async fn stage() -> Stage {
    Stage::without_ca(Vault::dev().await).await
}

async fn assert_no_issuer(stage: &Stage) {
    let listed = stage.root().list("iamra/issuers").await;
    assert!(listed.keys().is_empty(), "stored by halves: {}", listed.text);
}

#[tokio::test]
async fn a_generated_root_is_listed_and_the_default() {
    let stage = stage().await;

    let body = json!({ "common_name": "pods", "key_type": "ec", "key_bits": 384, "issuer_name": "first" });
    let _ = stage.root().write("iamra/root/generate/internal", body).await.ok();

    let keys = stage.root().list("iamra/issuers").await.ok().keys();
    assert_eq!(keys.len(), 1);
    let default = stage.root().read("iamra/config/issuers").await.ok();
    assert_eq!(default.string("default"), keys[0]);
    let by_name = stage.root().read("iamra/issuer/first").await.ok();
    assert!(by_name.string("certificate").starts_with("-----BEGIN CERTIFICATE-----"));
}

#[tokio::test]
async fn the_ca_is_read_without_a_token_as_raw_pem() {
    let stage = stage().await;
    let _ = stage.root().write("iamra/root/generate/internal", json!({ "common_name": "pods" })).await.ok();
    let anyone = stage.root().without_token();

    for path in ["iamra/ca/pem", "iamra/ca_chain"] {
        let reply = anyone.read(path).await.ok();

        assert!(reply.text.starts_with("-----BEGIN CERTIFICATE-----"), "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn the_command_line_prints_the_ca_raw() {
    let stage = stage().await;
    let _ = stage.root().write("iamra/root/generate/internal", json!({ "common_name": "pods" })).await.ok();

    let printed = stage.vault.cli(&["read", "-format=raw", "iamra/ca/pem"]).await.ok();

    assert_eq!(printed.trim(), stage.ca_pem("iamra").await.trim());
}

#[tokio::test]
async fn two_operators_at_once_make_two_issuers_and_one_is_the_default() {
    let stage = stage().await;
    let make = |name: &'static str| {
        let body = json!({ "common_name": name, "issuer_name": name });
        stage.root().write("iamra/root/generate/internal", body)
    };

    let (one, other) = tokio::join!(make("one"), make("other"));

    let _ = (one.ok(), other.ok());
    let keys = stage.root().list("iamra/issuers").await.ok().keys();
    assert_eq!(keys.len(), 2);
    let default = stage.root().read("iamra/config/issuers").await.ok();
    assert!(keys.iter().any(|key| key == default.string("default")));
}

#[tokio::test]
async fn of_two_operators_who_rotate_at_once_one_learns_what_the_other_did() {
    let stage = stage().await;
    let make = |name: &'static str| {
        let body = json!({ "common_name": name, "issuer_name": name });
        stage.root().write("iamra/root/generate/internal", body)
    };
    let _ = make("old").await.ok();

    let (one, other) = tokio::join!(make("one"), make("other"));

    let (winner, loser) = if one.status == 200 { (one, other) } else { (other, one) };
    let text = loser.refused(400);
    assert!(text.contains(&format!("{:?} (next)", winner.string("issuer_name"))), "{text}");
    assert_eq!(stage.root().list("iamra/issuers").await.ok().keys().len(), 2);
}

#[tokio::test]
async fn no_answer_about_issuers_holds_a_private_key() {
    let stage = stage().await;
    let root =
        stage.root().write("iamra/root/generate/internal", json!({ "common_name": "pods" })).await.ok();
    let csr = stage
        .root()
        .write("iamra/intermediate/generate/internal", json!({ "common_name": "sub" }))
        .await
        .ok();
    let bundle = Paper::root("brought", Flaw::None).bundle();
    let import = stage.root().write(IMPORT, json!({ "pem_bundle": bundle })).await.ok();

    let mut texts = vec![root.text, csr.text, import.text];
    for key in stage.root().list("iamra/issuers").await.ok().keys() {
        texts.push(stage.root().read(&format!("iamra/issuer/{key}")).await.ok().text);
    }

    assert!(texts.len() >= 5, "{texts:?}");
    for text in texts {
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }
}

#[tokio::test]
async fn making_a_key_needs_sudo() {
    let stage = stage().await;
    let rules = r#"path "iamra/*" { capabilities = ["create", "read", "update", "list"] }"#;
    let token = stage.vault.token("operator", rules).await;
    let operator = stage.root().with_token(&token);

    for path in ["root/generate/internal", "intermediate/generate/internal"] {
        let reply = operator.write(&format!("iamra/{path}"), json!({ "common_name": "x" })).await;

        assert_eq!(reply.status, 403, "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn credentials_before_a_ca_exists_are_refused_with_the_command_that_cures_it() {
    let stage = stage().await;
    let _ = stage.root().write("iamra/config", stage.config()).await.ok();
    let _ = stage.root().write("iamra/roles/demo", json!({ "role_arn": ROLE_ARN })).await.ok();

    let text = stage.creds("demo").await.refused(400);

    assert!(text.contains("vault write iamra/root/generate/internal"), "{text}");
}

#[tokio::test]
async fn an_imported_ca_serves_the_read() {
    let stage = stage().await;
    let company = Paper::root("company", Flaw::None);

    let _ = stage.root().write(IMPORT, json!({ "pem_bundle": company.bundle() })).await.ok();

    stage.trust(&stage.ca_pem("iamra").await).await;
    let _ = stage.root().write("iamra/config", stage.config()).await.ok();
    let _ = stage.root().write("iamra/roles/demo", json!({ "role_arn": ROLE_ARN })).await.ok();
    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_no_ca_is_refused() {
    let stage = stage().await;
    let bundle = Paper::root("leaf", Flaw::NotACa).bundle();

    refused_write(stage.root(), IMPORT, json!({ "pem_bundle": bundle }), &["CA:TRUE"]).await;

    assert_no_issuer(&stage).await;
}

#[tokio::test]
async fn a_ca_that_may_not_sign_certificates_is_refused() {
    let stage = stage().await;
    let bundle = Paper::root("mute", Flaw::NoCertSign).bundle();

    refused_write(stage.root(), IMPORT, json!({ "pem_bundle": bundle }), &["keyCertSign"]).await;

    assert_no_issuer(&stage).await;
}

#[tokio::test]
async fn an_expired_ca_is_refused() {
    let stage = stage().await;
    let bundle = Paper::root("late", Flaw::Expired).bundle();

    refused_write(stage.root(), IMPORT, json!({ "pem_bundle": bundle }), &["expired"]).await;

    assert_no_issuer(&stage).await;
}

#[tokio::test]
async fn a_ca_signed_with_sha1_is_refused() {
    let stage = stage().await;

    refused_write(stage.root(), IMPORT, json!({ "pem_bundle": SHA1_ROOT }), &["SHA-1", "SHA-256"]).await;

    assert_no_issuer(&stage).await;
}

#[tokio::test]
async fn a_bundle_with_two_keys_is_refused() {
    let stage = stage().await;
    let bundle = Paper::root("one", Flaw::None).bundle() + &Paper::root("two", Flaw::None).key;

    let text = refused_write(stage.root(), IMPORT, json!({ "pem_bundle": bundle }), &["key"]).await;

    assert!(!text.contains("BEGIN"), "{text}");
    assert_no_issuer(&stage).await;
}

#[tokio::test]
async fn a_csr_answered_with_another_key_is_refused() {
    let stage = stage().await;
    let _ = stage
        .root()
        .write("iamra/intermediate/generate/internal", json!({ "common_name": "pods" }))
        .await
        .ok();
    let company = Paper::root("company", Flaw::None);
    let other = company.sub_ca("pods");

    let signed = json!({ "certificate": format!("{}{}", other.certificate, company.certificate) });
    refused_write(stage.root(), "iamra/intermediate/set-signed", signed, &["key"]).await;

    assert_no_issuer(&stage).await;
}

#[tokio::test]
async fn a_text_that_is_no_pem_is_refused() {
    let stage = stage().await;

    refused_write(stage.root(), IMPORT, json!({ "pem_bundle": "hello" }), &["PEM"]).await;

    assert_no_issuer(&stage).await;
}

#[tokio::test]
async fn a_ca_and_leaves_of_each_ml_dsa_parameter_set_serve_the_read() {
    let stage = stage().await;
    let _ = stage.root().write("iamra/config", stage.config()).await.ok();
    for set in [44, 65, 87] {
        let name = format!("pq-{set}");
        let ca = json!({ "common_name": name, "issuer_name": name, "key_type": "ml-dsa", "key_bits": set });
        let made = stage.root().write("iamra/root/generate/internal", ca).await.ok();
        let role = json!({ "role_arn": ROLE_ARN, "issuer_ref": name, "key_type": format!("ml-dsa-{set}") });
        let _ = stage.root().write("iamra/roles/demo", role).await.ok();
        stage.trust(&stage.trust_bundle("iamra").await).await;

        let answer = stage.creds("demo").await.ok();

        assert_eq!(made.string("key_type"), format!("ml-dsa-{set}"));
        stage.caller(&answer).await.unwrap();
        let force = format!("iamra/issuer/{name}?force=true");
        let _ = stage.root().delete(&force).await.ok();
    }
}
