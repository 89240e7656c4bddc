//! Outside Kubernetes: the shipped Agent files keep a credentials file and a `credential_process` document fresh.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use e2e::host::{Host, in_credentials_file, in_document};
use e2e::short_sessions;
use harness::sts::{Credentials, caller_identity};
use harness::{REGION, Stage, until};
use serde_json::json;
use tokio::time::{Instant, sleep};

const START: Duration = Duration::from_secs(90);
const AN_HOUR: [&str; 2] = ["1h", "24h"];

const FILE: (&str, &str) = ("credentials-file.hcl", "credentials");
const PROCESS: (&str, &str) = ("credential-process.hcl", "aws.json");

fn read(host: &Host, file: &str) -> Option<Credentials> {
    let text = host.text(file)?;
    if file == "aws.json" {
        in_document(&serde_json::from_str(&text).ok()?, "SessionToken")
    } else {
        in_credentials_file(&text)
    }
}

async fn first(host: &Host, file: &str) -> Credentials {
    until(&format!("{file} of the Agent"), START, async || read(host, file)).await
}

/// Follows a file for a while, and returns the keys in it. Each time that it is read, its credentials must work.
async fn follow(stage: &Stage, host: &Host, file: &str, time: Duration) -> BTreeSet<String> {
    let end = Instant::now() + time;
    let mut keys = BTreeSet::new();
    while Instant::now() < end {
        let credentials = read(host, file).expect("the file is never there by halves");
        let who = caller_identity(stage.aws.url(), REGION, None, &credentials).await;
        // on a machine that stalls between the two, the file may be a newer one when AWS is asked
        let is_newer = || read(host, file).is_some_and(|now| now.access_key != credentials.access_key);
        assert!(who.is_ok() || is_newer(), "AWS does not take what the file has: {who:?}");
        keys.insert(credentials.access_key);
        sleep(Duration::from_millis(200)).await;
    }
    keys
}

async fn appears_for_its_owner_alone((config, file): (&str, &str)) {
    let stage = Stage::dev().await;
    let host = Host::start(&stage, "agent", config, AN_HOUR).await;

    let credentials = first(&host, file).await;

    let who = caller_identity(stage.aws.url(), REGION, None, &credentials).await.unwrap();
    assert!(who.arn.contains(":assumed-role/demo/"), "{}", who.arn);
    let mode = std::fs::metadata(host.run(file)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "{mode:o}");
}

#[tokio::test]
async fn the_credentials_file_appears_for_its_owner_alone() {
    appears_for_its_owner_alone(FILE).await;
}

#[tokio::test]
async fn the_credential_process_document_appears_for_its_owner_alone() {
    appears_for_its_owner_alone(PROCESS).await;
}

async fn is_renewed_before_each_end((config, file): (&str, &str)) {
    let stage = Stage::dev().await;
    short_sessions(&stage, 20).await;
    let host = Host::start(&stage, "agent", config, AN_HOUR).await;
    let _ = first(&host, file).await;

    let keys = follow(&stage, &host, file, Duration::from_secs(50)).await;

    assert!(keys.len() >= 4, "renewed {} times in two and a half sessions", keys.len());
}

#[tokio::test]
async fn the_credentials_file_is_renewed_before_each_end_of_a_session() {
    is_renewed_before_each_end(FILE).await;
}

#[tokio::test]
async fn the_credential_process_document_is_renewed_before_each_end_of_a_session() {
    is_renewed_before_each_end(PROCESS).await;
}

#[tokio::test]
async fn without_leases_the_agent_reads_again_when_the_answer_says_so() {
    let stage = Stage::dev().await;
    short_sessions(&stage, 20).await;
    let host = Host::start(&stage, "agent", FILE.0, AN_HOUR).await;
    let _ = first(&host, FILE.1).await;
    let without = json!({ "lease": "static", "session_sharing": "identity" });
    let _ = stage.root().patch("iamra/roles/payments-api", without).await.ok();

    let keys = follow(&stage, &host, FILE.1, Duration::from_secs(60)).await;

    assert!(keys.len() >= 4, "renewed {} times in three sessions", keys.len() - 1);
    let leases = stage.root().list("sys/leases/lookup/iamra/creds/payments-api").await;
    assert!(leases.keys().len() <= 1, "but for the one from before: {}", leases.text);
}

#[tokio::test]
async fn the_document_names_its_own_end() {
    let stage = Stage::dev().await;
    let host = Host::start(&stage, "agent", PROCESS.0, AN_HOUR).await;
    let _ = first(&host, PROCESS.1).await;

    let document: serde_json::Value = serde_json::from_str(&host.text(PROCESS.1).unwrap()).unwrap();

    assert_eq!(document["Version"], 1);
    assert!(document["Expiration"].as_str().unwrap().ends_with('Z'), "{}", document["Expiration"]);
}

#[tokio::test]
async fn the_agent_logs_in_again_when_its_token_ends() {
    let stage = Stage::dev().await;
    short_sessions(&stage, 20).await;
    let host = Host::start(&stage, "agent", FILE.0, ["3s", "6s"]).await;
    let _ = first(&host, FILE.1).await;

    let keys = follow(&stage, &host, FILE.1, Duration::from_secs(14)).await;

    assert!(keys.len() >= 2, "{keys:?}");
    let logins = host.log().matches("authentication successful").count();
    assert!(logins >= 3, "{logins} logins in over two lives of a token");
}

#[tokio::test]
async fn with_aws_away_the_last_file_stays_and_all_recovers() {
    let stage = Stage::dev().await;
    short_sessions(&stage, 16).await;
    let mut host = Host::start(&stage, "agent", PROCESS.0, AN_HOUR).await;
    let before = first(&host, PROCESS.1).await;
    stage.knobs(json!({ "fail_next": { "count": 100_000, "status": 503 } })).await;
    until("a read that fails", START, async || host.log().contains("503").then_some(())).await;
    sleep(Duration::from_secs(3)).await;

    let meanwhile = read(&host, PROCESS.1).expect("the file is still there");
    stage.knobs(json!({})).await;

    assert!(host.runs(), "the Agent ended");
    let after = until("a new session", Duration::from_secs(60), async || {
        read(&host, PROCESS.1).filter(|now| now.access_key != meanwhile.access_key)
    })
    .await;
    assert_ne!(after.access_key, before.access_key);
    caller_identity(stage.aws.url(), REGION, None, &after).await.unwrap();
}
