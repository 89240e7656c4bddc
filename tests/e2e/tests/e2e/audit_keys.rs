//! The keys that the tuned mount shows in clear in Vault's audit log, and those that it never shows.

use e2e::script;
use harness::{Plugin, Settings, Stage, Storage, Vault, binaries};
use serde_json::{Value, json};

/// The keys of an answer of `creds` that are in clear.
const IN_CLEAR: [&str; 4] = ["access_key", "serial_number", "expiration", "source_identity"];

/// A stage whose mount was made by the register script.
async fn tuned() -> Stage {
    let vault = Vault::bare(Settings::of(Storage::Memory)).await;
    let Plugin { version, sha256, .. } = vault.register(binaries::plugin()).await;
    let environment = [("PLUGIN_VERSION", version.as_str()), ("PLUGIN_SHA256", sha256.as_str())];
    let _ = script(&vault, vault.root_token(), "plugin/register.sh", &[], &environment).await.ok();
    let stage = Stage::beside(vault).await;
    stage.set_up("iamra").await;
    stage
}

fn response_to<'a>(entries: &'a [Value], path: &str) -> &'a Value {
    let entry = entries.iter().find(|entry| entry["type"] == "response" && entry["request"]["path"] == path);
    &entry.unwrap_or_else(|| panic!("no response of {path} in the audit log"))["response"]
}

#[tokio::test]
async fn a_session_is_found_by_its_serial_and_its_secrets_are_not_there() {
    let stage = tuned().await;
    let audit = stage.vault.audit().await;

    let answer = stage.creds("demo").await.ok();

    let entries = audit.entries();
    let shown = &response_to(&entries, "iamra/creds/demo")["data"];
    for key in IN_CLEAR {
        assert_eq!(shown[key], answer.data()[key], "{key}");
    }
    for (key, value) in shown.as_object().unwrap() {
        let text = value.as_str().unwrap_or_default();
        let clear = IN_CLEAR.contains(&key.as_str());
        assert!(clear || text.is_empty() || text.starts_with("hmac-sha256:"), "{key} is in clear");
    }
    for key in ["secret_key", "session_token"] {
        assert!(!audit.text().contains(answer.string(key)), "{key} is in the audit log");
    }
}

#[tokio::test]
async fn the_reason_of_a_refusal_is_readable() {
    let stage = tuned().await;
    let audit = stage.vault.audit().await;

    let refused = stage.creds("nobody").await.refused(400);

    let entries = audit.entries();
    let shown = response_to(&entries, "iamra/creds/nobody")["data"]["error"].as_str().unwrap().to_owned();
    assert!(refused.contains(&shown) && shown.contains("nobody"), "{shown}");
}

#[tokio::test]
async fn a_container_document_is_one_hash() {
    let stage = tuned().await;
    let audit = stage.vault.audit().await;

    let document = stage.root().read("iamra/container/demo").await.ok();

    let entries = audit.entries();
    let body = response_to(&entries, "iamra/container/demo")["data"]["http_raw_body"].as_str().unwrap();
    assert!(body.starts_with("hmac-sha256:"), "the whole document is in clear");
    for key in ["AccessKeyId", "SecretAccessKey", "Token"] {
        assert!(!audit.text().contains(document.body[key].as_str().unwrap()), "{key} is in the audit log");
    }
}

#[tokio::test]
async fn the_audit_log_would_hold_credentials_if_http_raw_body_were_tuned() {
    let stage = tuned().await;
    let keys = json!({ "audit_non_hmac_response_keys": ["http_raw_body"] });
    let _ = stage.root().write("sys/mounts/iamra/tune", keys).await.ok();
    let audit = stage.vault.audit().await;

    let _ = stage.root().read("iamra/container/demo").await.ok();

    let entries = audit.entries();
    let body = response_to(&entries, "iamra/container/demo")["data"]["http_raw_body"].as_str().unwrap();
    assert!(!body.starts_with("hmac-sha256:"), "the warning in register.sh is out of date");
}
