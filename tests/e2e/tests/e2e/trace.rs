//! `trace` of the plugin's binary on files of a real Vault and on the calls that the emulated AWS answered.

use std::fs;
use std::process::{Command, Output};

use e2e::kubernetes::{self, Cluster};
use e2e::pages;
use e2e::users::Users;
use harness::{Api, ROLE_ARN, Stage, binaries};
use serde_json::{Value, json};

use crate::associations::Site;

/// As `plugin/register.sh` tunes them.
const AUDIT_KEYS: [&str; 5] = ["access_key", "serial_number", "expiration", "source_identity", "error"];

/// The files in the server's folder, as an operator gives them.
const TRAIL: &str = "cloudtrail.json";
const AUDIT: &str = "audit.log";
const LOG: &str = "vault.log";

async fn tune(stage: &Stage) {
    let keys = json!({ "audit_non_hmac_response_keys": AUDIT_KEYS });
    let _ = stage.root().write("sys/mounts/iamra/tune", keys).await.ok();
}

/// Runs `trace` in the server's folder, after the emulated AWS has exported its calls there.
async fn run(stage: &Stage, words: &[&str]) -> Output {
    let events = stage.admin("GET", "cloudtrail", None).await;
    fs::write(stage.vault.folder().join(TRAIL), events.to_string()).unwrap();
    let mut command = Command::new(binaries::plugin());
    command.arg("trace").args(words).current_dir(stage.vault.folder());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

async fn text(stage: &Stage, words: &[&str]) -> String {
    let output = run(stage, words).await;
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one session that is found.
async fn session(stage: &Stage, words: &[&str]) -> Value {
    let printed = text(stage, &[&["--format", "json"], words].concat()).await;
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["sessions"].as_array().map(Vec::len), Some(1), "{report:#}");
    report["sessions"][0].clone()
}

/// A pod that has logged in with the auth role that the set-up script makes.
async fn pod(stage: &Stage, jwt: &str) -> Api {
    let body = json!({ "role": "payments-api", "jwt": jwt });
    let login = stage.root().without_token().write("auth/kubernetes/login", body).await.ok();
    stage.root().with_token(login.body["auth"]["client_token"].as_str().unwrap())
}

/// Waits until the server's log has the line about a session.
async fn logged(stage: &Stage, message: &str) -> Value {
    let line = stage.vault.logged(message, |line| line.message == message).await;
    line.fields["serial"].clone()
}

#[tokio::test]
async fn a_line_of_cloudtrail_leads_to_the_service_account_that_called() {
    let (stage, prod) = (Stage::dev().await, Cluster::start().await);
    let args = ["--cluster", "prod", "--role-arn", ROLE_ARN, "payments/api"];
    let _ = kubernetes::set_up(&stage, &prod, &args).await.ok();
    tune(&stage).await;
    let _audit = stage.vault.audit().await;
    let answer =
        pod(&stage, &prod.token("payments", "api")).await.read("iamra/creds/payments-api").await.ok();
    let _ = stage.caller(&answer).await.unwrap();
    let key = answer.string("access_key");

    let printed = text(&stage, &["--access-key", key, TRAIL, AUDIT]).await;
    let session = session(&stage, &["--serial", answer.string("serial_number"), TRAIL, AUDIT]).await;

    let holder = &session["holders"][0];
    assert_eq!((&holder["namespace"], &holder["service_account"]), (&json!("payments"), &json!("api")));
    assert_eq!(holder["requests"][0]["id"], answer.body["request_id"]);
    assert_eq!(
        (&holder["role"], &holder["path"]),
        (&json!("payments-api"), &json!("iamra/creds/payments-api"))
    );
    assert!(holder["entity_id"].is_string() && session["holders"][1].is_null(), "{session:#}");
    assert_eq!(
        (&session["access_key"], &session["source_identity"]),
        (&json!(key), &json!("CN=prod.payments.api"))
    );
    assert_eq!(session["made"]["region"], harness::REGION);
    assert_eq!(session["calls"]["first"]["action"], "sts GetCallerIdentity");
    let shown = printed.replace(key, "ASIAIOSFODNN7EXAMPLE");
    pages::hold("operate/trace.md", "trace", &format!("```text\n{}\n```\n", shown.trim_end()));
}

#[tokio::test]
async fn a_document_is_traced_with_the_log_of_the_server_and_without_it_says_so() {
    let site = Site::new().await;
    tune(&site.stage).await;
    let _audit = site.stage.vault.audit().await;
    let _ = site.associate("payments.api", json!({})).await.ok();
    let document = site.pod("payments", "api").await.read("iamra/container/payments.api").await.ok();
    let key = document.body["AccessKeyId"].as_str().unwrap();
    let serial = logged(&site.stage, "issued a session").await;

    let without = session(&site.stage, &["--access-key", key, TRAIL, AUDIT]).await;
    let with = session(&site.stage, &["--access-key", key, TRAIL, AUDIT, LOG]).await;

    let missing = without["missing"].to_string();
    assert!(
        missing.contains("iamra/container/payments.api") && missing.contains("give Vault's log"),
        "{missing}"
    );
    assert_eq!(with["serial_number"], serial);
    assert_eq!(with["holders"][0]["service_account"], "api", "{with:#}");
    assert_eq!(with["holders"][0]["joined_by"], "the request id in the plugin's log");
}

#[tokio::test]
async fn a_shared_session_names_each_holder_and_each_request() {
    let users = Users::new().await;
    users.write_role(json!({ "common_name": "app", "session_sharing": "identity" })).await;
    tune(&users.stage).await;
    let _audit = users.stage.vault.audit().await;
    let mut requests = Vec::new();
    for name in ["ann", "bob"] {
        let answer = users.login(name).await.read("iamra/creds/app").await.ok();
        requests.push(answer.body["request_id"].clone());
    }

    let session = session(&users.stage, &["--source-identity", "CN=app", TRAIL, AUDIT]).await;

    let found: Vec<_> = [0, 1].map(|at| session["holders"][at]["requests"][0]["id"].clone()).to_vec();
    assert_eq!(found, requests, "{session:#}");
    assert_ne!(session["holders"][0]["entity_id"], session["holders"][1]["entity_id"]);
}

#[tokio::test]
async fn the_command_that_a_mount_without_audit_keys_is_told_cures_it() {
    let stage = Stage::dev().await;
    let _audit = stage.vault.audit().await;
    let before = stage.creds("demo").await.ok();

    let told = session(&stage, &["--access-key", before.string("access_key"), TRAIL, AUDIT]).await;
    let command = told["missing"][1]["cure"].as_str().unwrap_or_else(|| panic!("{told:#}"));
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let _ = stage.vault.cli(&words).await.ok();
    let after = stage.creds("demo").await.ok();
    let cured = session(&stage, &["--access-key", after.string("access_key"), TRAIL, AUDIT]).await;

    assert!(command.starts_with("vault secrets tune "), "{command}");
    assert_eq!(cured["holders"][0]["requests"][0]["id"], after.body["request_id"], "{cured:#}");
}

#[tokio::test]
async fn the_files_of_a_real_run_have_no_line_that_is_skipped() {
    let stage = Stage::dev().await;
    tune(&stage).await;
    let _audit = stage.vault.audit().await;
    let answer = stage.creds("demo").await.ok();
    let _ = stage.creds("nobody").await.refused(400);
    logged(&stage, "issued a session").await;

    let printed = text(&stage, &["--format", "json", TRAIL, AUDIT, LOG]).await;

    let report: Value = serde_json::from_str(&printed).unwrap();
    let kinds: Vec<_> = [0, 1, 2].map(|at| report["files"][at]["kinds"][0].clone()).to_vec();
    assert_eq!(kinds, ["CloudTrail", "Vault's audit log", "log"], "{report:#}");
    assert_eq!(report["skipped"]["count"], 0, "{report:#}");
    assert!(
        !printed.contains(answer.string("session_token")) && !printed.contains(answer.string("secret_key"))
    );
}
