//! A sub CA signed by Vault's own PKI engine, mounted beside us.

use harness::{ROLE_ARN, Stage, Vault};
use serde_json::json;

/// A mount whose CA was signed by `pki/`, and the root's certificate.
async fn stage() -> (Stage, String) {
    let stage = Stage::without_ca(Vault::dev().await).await;
    let root = stage.root();
    stage.vault.mount("pki", "pki").await;
    let _ = root.write("sys/mounts/pki/tune", json!({ "max_lease_ttl": "87600h" })).await.ok();
    let body = json!({ "common_name": "company root", "ttl": "87600h", "key_type": "rsa", "key_bits": 2048 });
    let company = root.write("pki/root/generate/internal", body).await.ok();

    let request = json!({ "common_name": "pods of the company", "organization": "company" });
    let csr = root.write("iamra/intermediate/generate/internal", request).await.ok();
    let sign = json!({ "csr": csr.string("csr"), "ttl": "8760h", "max_path_length": 0, "use_csr_values": false,
        "common_name": "pods of the company" });
    let signed = root.write("pki/root/sign-intermediate", sign).await.ok();

    let company = company.string("certificate").to_owned();
    let bundle = format!("{company}\n{}", signed.string("certificate"));
    let _ = root.write("iamra/intermediate/set-signed", json!({ "certificate": bundle })).await.ok();
    let _ = root.write("iamra/config", stage.config()).await.ok();
    let _ = root.write("iamra/roles/demo", json!({ "role_arn": ROLE_ARN })).await.ok();
    (stage, company)
}

#[tokio::test]
async fn an_anchor_that_holds_the_signed_ca_serves_the_read() {
    let (stage, _) = stage().await;

    stage.trust(&stage.ca_pem("iamra").await).await;

    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn what_an_anchor_must_hold_is_the_issuing_ca_and_not_its_parent() {
    let (stage, company) = stage().await;

    let pem = stage.ca_pem("iamra").await;

    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 1);
    assert!(!pem.contains(company.trim()));
}

#[tokio::test]
async fn the_chain_names_the_parent_too() {
    let (stage, company) = stage().await;

    let chain = stage.root().without_token().read("iamra/ca_chain").await.ok().text;

    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{chain}");
    assert!(chain.contains(company.trim()));
}

#[tokio::test]
async fn an_anchor_that_holds_the_root_is_sent_the_chain() {
    let (stage, company) = stage().await;

    stage.trust(&company).await;

    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn an_anchor_that_holds_another_ca_gives_a_refusal_that_explains_itself() {
    let (stage, _) = stage().await;
    let _ = stage
        .root()
        .write("pki/root/rotate/internal", json!({ "common_name": "other", "issuer_name": "other" }))
        .await
        .ok();
    let other = stage.root().read("pki/issuer/other").await.ok();

    stage.trust(other.string("certificate")).await;

    let text = stage.creds("demo").await.refused(400);
    assert!(text.contains("Untrusted signing certificate"), "{text}");
    assert!(text.contains("AccessDeniedException"), "{text}");
    let log = stage.aws_log().await;
    let request_id =
        log.last().and_then(|entry| entry["request_id"].as_str()).unwrap_or("no request was logged");
    assert!(text.contains(request_id), "no {request_id} in: {text}");
}
