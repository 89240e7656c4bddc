//! The plugin's log lines arrive in Vault's log structured, each at its level.

use harness::{LogLine, Stage, binaries::PLUGIN};
use serde_json::json;

/// Lines that the plugin wrote while it served a request.
fn is_ours(line: &LogLine) -> bool {
    ["mount", "request_id"].iter().all(|key| line.fields.contains_key(*key))
}

#[tokio::test]
async fn a_read_is_logged_with_its_mount_and_request() {
    let stage = Stage::dev().await;
    let answer = stage.creds("demo").await.ok();
    let serial = answer.string("serial_number").to_owned();

    let line =
        stage.vault.logged("the serial of the issued certificate", |line| line.raw.contains(&serial)).await;

    assert_eq!(line.level, "info", "{}", line.raw);
    assert!(is_ours(&line), "{}", line.raw);
    assert_eq!(answer.body["request_id"], line.fields["request_id"], "{}", line.raw);
}

/// The answer itself has neither serial number nor request id, and audit has only its hash.
#[tokio::test]
async fn a_read_of_container_credentials_is_joined_to_audit_and_aws_by_its_line_alone() {
    let stage = Stage::dev().await;
    let audit = stage.vault.audit().await;
    let _ = stage.root().read("iamra/container/demo").await.ok();
    let serial = stage.sessions().await[0]["serial"].as_str().unwrap().to_owned();

    let of_the_session =
        |line: &LogLine| line.fields.get("serial").is_some_and(|shown| plain_hex(shown) == serial);
    let line = stage.vault.logged("the serial of the session", of_the_session).await;

    assert_eq!(
        (line.level.as_str(), &line.fields["path"]),
        ("info", &json!("container/demo")),
        "{}",
        line.raw
    );
    let read =
        audit.entries().into_iter().find(|entry| entry["request"]["path"] == "iamra/container/demo").unwrap();
    assert_eq!(read["request"]["id"], line.fields["request_id"], "{}", line.raw);
}

fn plain_hex(serial: &serde_json::Value) -> String {
    serial.as_str().unwrap_or_default().replace(':', "")
}

#[tokio::test]
async fn a_refusal_of_aws_is_logged_for_whoever_debugs_it() {
    let stage = Stage::dev().await;
    stage.trust(&e2e::paper::Paper::root("other", e2e::paper::Flaw::None).certificate).await;

    let _ = stage.creds("demo").await.refused(400);

    let untrusted = |line: &LogLine| line.raw.contains("Untrusted") && is_ours(line);
    let line = stage.vault.logged("a refusal", untrusted).await;
    assert_eq!(line.level, "debug", "{}", line.raw);
}

/// Its audit entry has neither a text nor a status.
#[tokio::test]
async fn a_refusal_to_an_sdk_is_logged_where_everybody_sees_it() {
    let stage = Stage::dev().await;

    let reply = stage.root().read("iamra/container/nobody").await;

    assert_eq!(reply.status, 400, "{}", reply.text);
    let refusal = |line: &LogLine| line.raw.contains("nobody") && is_ours(line);
    let line = stage.vault.logged("the refusal", refusal).await;
    assert_eq!(line.level, "info", "{}", line.raw);
}

#[tokio::test]
async fn no_line_of_the_plugin_arrives_raw() {
    let stage = Stage::dev().await;
    let _ = stage.creds("demo").await.ok();
    stage.knobs(json!({ "answer": "html" })).await;
    let _ = stage.creds("demo").await;
    stage.vault.logged("a line of the plugin's", is_ours).await;

    for line in stage.vault.logs() {
        assert!(!line.message.contains("@message") && !line.message.contains("@level"), "{}", line.raw);
    }
}

#[tokio::test]
async fn lines_of_two_mounts_name_their_own() {
    let stage = Stage::dev().await;
    stage.vault.mount("second", PLUGIN).await;
    stage.set_up("second").await;
    let second = stage.root().read("second/creds/demo").await.ok();
    stage.trust(&stage.ca_pem("iamra").await).await;
    let first = stage.creds("demo").await.ok();

    let mut mounts = Vec::new();
    for serial in [first.string("serial_number"), second.string("serial_number")] {
        let line = stage.vault.logged("the serial", |line| line.raw.contains(serial)).await;
        mounts.push(line.fields["mount"].clone());
    }

    assert_ne!(mounts[0], mounts[1]);
}
