//! No secret in clear in the audit file, in any log line at any level, or in any error.

use e2e::paper::{Flaw, Paper};
use harness::{Reply, Settings, Stage, Storage, Vault};
use serde_json::json;

/// A server that logs everything it can.
async fn talkative() -> Stage {
    let settings = Settings { log_level: "trace", ..Settings::of(Storage::Memory) };
    Stage::on(Vault::with_plugin(settings).await).await
}

/// The secrets of an answer, and pieces of them: a cut secret is still one.
fn secrets_of(answer: &Reply) -> Vec<String> {
    pieces(answer.string("secret_key"), answer.string("session_token"))
}

/// The same of a container-credentials document.
fn secrets_of_document(answer: &Reply) -> Vec<String> {
    let text = |key: &str| answer.body[key].as_str().expect("a whole document").to_owned();
    pieces(&text("SecretAccessKey"), &text("Token"))
}

fn pieces(secret_key: &str, token: &str) -> Vec<String> {
    let mut secrets = vec![secret_key.to_owned()];
    secrets.push(token.chars().take(40).collect());
    secrets.push(token.chars().skip(token.len().saturating_sub(40)).collect());
    secrets
}

/// The lines of a PEM key that hold key bytes.
fn key_lines(pem: &str) -> Vec<String> {
    pem.lines().filter(|line| !line.starts_with('-') && line.len() > 20).map(str::to_owned).collect()
}

fn assert_in_none(secrets: &[String], texts: &[(&str, String)]) {
    assert!(!secrets.is_empty() && secrets.iter().all(|secret| secret.len() > 20), "nothing to look for");
    for (origin, text) in texts {
        assert!(!text.is_empty(), "nothing to look at in {origin}");
        for secret in secrets {
            assert!(!text.contains(secret), "a secret is in {origin}");
        }
    }
}

#[tokio::test]
async fn credentials_are_in_clear_neither_in_audit_nor_log_nor_metrics() {
    let stage = talkative().await;
    let audit = stage.vault.audit().await;

    let mut secrets = secrets_of(&stage.creds("demo").await.ok());
    secrets.extend(secrets_of(&stage.root().read("iamra/sts/demo").await.ok()));
    secrets.extend(secrets_of_document(&stage.root().read("iamra/container/demo").await.ok()));

    assert!(audit.entries().iter().any(|entry| entry["request"]["path"] == "iamra/creds/demo"));
    let metrics = stage.root().read("iamra/metrics").await.text;
    assert_in_none(
        &secrets,
        &[("audit", audit.text()), ("log", stage.vault.log_text()), ("metrics", metrics)],
    );
}

#[tokio::test]
async fn an_imported_key_is_in_clear_neither_in_audit_nor_log_nor_storage() {
    let settings = Settings { log_level: "trace", ..Settings::of(Storage::File) };
    let stage = Stage::on(Vault::with_plugin(settings).await).await;
    let audit = stage.vault.audit().await;
    let paper = Paper::root("brought", Flaw::None);

    let import =
        stage.root().write("iamra/issuers/import/bundle", json!({ "pem_bundle": paper.bundle() })).await.ok();

    let secrets = key_lines(&paper.key);
    let stored = everything_under(&stage.vault.folder().join("data"));
    let texts = [
        ("audit", audit.text()),
        ("log", stage.vault.log_text()),
        ("answer", import.text),
        ("storage", stored),
    ];
    assert_in_none(&secrets, &texts);
}

#[tokio::test]
async fn a_refused_import_does_not_repeat_the_key() {
    let stage = talkative().await;
    let audit = stage.vault.audit().await;
    let paper = Paper::root("leaf", Flaw::NotACa);

    let refused =
        stage.root().write("iamra/issuers/import/bundle", json!({ "pem_bundle": paper.bundle() })).await;

    assert_eq!(refused.status, 400, "{}", refused.text);
    let texts = [("audit", audit.text()), ("log", stage.vault.log_text()), ("error", refused.text)];
    assert_in_none(&key_lines(&paper.key), &texts);
}

#[tokio::test]
async fn an_answer_of_aws_cut_inside_a_secret_leaves_no_trace_of_it() {
    let stage = talkative().await;
    let whole = stage.creds("demo").await.ok();
    stage.knobs(json!({ "answer": "half_json" })).await;

    let broken = stage.creds("demo").await;

    let raw = stage.root().read("iamra/container/demo").await;
    for broken in [broken, raw] {
        assert!(broken.status >= 400, "{}", broken.text);
        for field in ["secretAccessKey", "sessionToken", "accessKeyId"] {
            assert!(!broken.text.contains(field), "{}", broken.text);
            assert!(!stage.vault.log_text().contains(field), "{field} is in the log");
        }
        assert_in_none(&secrets_of(&whole), &[("log", stage.vault.log_text()), ("error", broken.text)]);
    }
}

#[tokio::test]
async fn a_plugin_that_crashes_writes_no_core_file() {
    let stage = talkative().await;

    let pids = stage.vault.live_plugins();

    for pid in pids {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    }
}

fn everything_under(folder: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &everything_under(&path);
        } else {
            text += &String::from_utf8_lossy(&std::fs::read(&path).unwrap());
        }
    }
    text
}
