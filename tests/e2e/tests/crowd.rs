//! A crowd of readers while the plugin is killed and AWS is unwell: nobody gets what is not his, not whole or over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use e2e::host::in_document;
use e2e::short_sessions;
use e2e::users::Users;
use harness::sts::{Credentials, caller_identity};
use harness::{Api, REGION, Reply, kill, until};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

const IDENTITIES: usize = 50;
const READERS: usize = 200;
const SESSION: u32 = 40;
const TIME: Duration = Duration::from_secs(60);
const KILLED_AT: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(40)];
/// Between two reads of one reader.
const PAUSE: Duration = Duration::from_millis(1000);
const BACK_OFF: Duration = Duration::from_millis(100);

/// One reader's findings.
struct Reader {
    name: String,
    /// Each key it was given, with the rest of one answer that held it.
    keys: BTreeMap<String, Credentials>,
    reads: usize,
    failures: Vec<Reply>,
}

#[tokio::test]
async fn a_crowd_meets_a_killed_plugin_and_an_unwell_aws_and_each_reader_has_its_own_and_whole() {
    let users = Users::new().await;
    short_sessions(&users.stage, SESSION).await;
    users.write_role(json!({ "lease": "static" })).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut apis = Vec::new();
    for number in 0..IDENTITIES {
        let name = format!("user-{number}");
        apis.push((users.login(&name).await, name));
    }
    users.stage.knobs(json!({ "unwell_percent": 30 })).await;
    let mut readers = JoinSet::new();
    for number in 0..READERS {
        let (api, name) = apis[number % IDENTITIES].clone();
        let path = if number % 4 == 0 { "iamra/container/app" } else { "iamra/creds/app" };
        readers.spawn(keep_reading(api, name, path, Arc::clone(&over)));
    }

    let began = tokio::time::Instant::now();
    for at in KILLED_AT {
        tokio::time::sleep_until(began + at).await;
        let pids = users.stage.vault.plugin_pids();
        pids.iter().copied().for_each(kill);
        until("a new plugin process", Duration::from_secs(10), async || {
            users.stage.vault.plugin_pids().iter().any(|pid| !pids.contains(pid)).then_some(())
        })
        .await;
    }
    tokio::time::sleep_until(began + TIME).await;
    over.store(true, Relaxed);
    let readers = readers.join_all().await;

    let failures: Vec<&Reply> = readers.iter().flat_map(|reader| &reader.failures).collect();
    let foreign: Vec<_> = failures.iter().filter(|reply| !is_accounted_for(reply)).collect();
    assert!(foreign.is_empty(), "{} of {}: {:?}", foreign.len(), failures.len(), foreign.first());
    assert!(readers.iter().all(|reader| reader.reads >= 20), "{:?}", readers.iter().map(|r| r.reads).min());
    each_has_its_own(&users, &readers).await;
    let calls = users.stage.aws_log().await;
    let failed = calls
        .iter()
        .filter(|entry| ["throttled", "failed", "dropped"].iter().any(|o| entry["outcome"] == *o));
    assert!(failed.count() * 5 > calls.iter().filter(|entry| entry["operation"] == "CreateSession").count());
}

/// Each key of each reader is, by AWS's own record, a session of the reader's identity, and AWS takes it.
async fn each_has_its_own(users: &Users, readers: &[Reader]) {
    let sessions = users.stage.sessions().await;
    let owners: BTreeMap<&str, &Value> = sessions
        .iter()
        .map(|session| (session["access_key_id"].as_str().expect("a key"), &session["source_identity"]))
        .collect();
    let mut checked = BTreeSet::new();
    for reader in readers {
        for (key, credentials) in &reader.keys {
            let owner = owners.get(key.as_str()).unwrap_or_else(|| panic!("AWS knows no {key}"));
            assert_eq!(**owner, format!("CN={}", reader.name), "{key}");
            if checked.insert(key) {
                let who = caller_identity(users.stage.aws.url(), REGION, None, credentials).await;
                assert!(
                    who.is_ok() || who.is_err_and(|error| error.to_string().contains("ExpiredToken")),
                    "{key}"
                );
            }
        }
    }
    assert!(checked.len() >= 3 * IDENTITIES, "{} sessions in three lives of the cache", checked.len());
}

async fn keep_reading(api: Api, name: String, path: &'static str, over: Arc<AtomicBool>) -> Reader {
    let mut reader = Reader { name, keys: BTreeMap::new(), reads: 0, failures: Vec::new() };
    while !over.load(Relaxed) {
        let reply = api.read(path).await;
        if reply.status == 200 {
            let (credentials, expiration) = whole(&reply);
            assert!(expiration > now(), "{} was over", credentials.access_key);
            reader.keys.insert(credentials.access_key.clone(), credentials);
            reader.reads += 1;
            tokio::time::sleep(PAUSE).await;
        } else {
            reader.failures.push(reply);
            tokio::time::sleep(BACK_OFF).await;
        }
    }
    reader
}

/// The credentials of an answer, which has all its parts.
fn whole(reply: &Reply) -> (Credentials, OffsetDateTime) {
    let data = &reply.body["data"];
    let (credentials, expiration) = if data.is_object() {
        (Credentials::from_vault(&reply.body).expect("whole credentials"), &data["expiration"])
    } else {
        (in_document(&reply.body, "Token").expect("a whole document"), &reply.body["Expiration"])
    };
    assert!(
        !credentials.secret_key.is_empty()
            && credentials.session_token.as_ref().is_some_and(|t| !t.is_empty())
    );
    let text = expiration.as_str().expect("an expiration");
    (credentials, OffsetDateTime::parse(text, &Rfc3339).expect("RFC 3339"))
}

fn now() -> OffsetDateTime {
    #[expect(clippy::disallowed_methods, reason = "the readers compare the end of a session with the time")]
    OffsetDateTime::now_utc()
}

/// Vault's own answer for what was under way in a process that died, or a hint of ours to an SDK that does not wait.
fn is_accounted_for(reply: &Reply) -> bool {
    let vaults_own = ["Unavailable", "EOF", "plugin shutdown", "connection refused", "transport is closing"];
    let to_an_sdk = reply.body["message"].as_str().is_some_and(|text| text.contains("ask again in"));
    (reply.status == 500 && vaults_own.iter().any(|word| reply.errors().contains(word)))
        || (reply.status == 503 && to_an_sdk)
}
