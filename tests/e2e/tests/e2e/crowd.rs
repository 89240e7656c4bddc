//! A crowd of readers while the plugin is killed and AWS fails: no reader gets another's session, or a truncated or expired one, and no
//! read fails, except for Vault's own answer to requests in flight at a kill.
//!
//! `make stress` makes it last five minutes. Beside the crowd, which waits for its sessions at `creds`, SDKs ask `container`. They do
//! not wait while eight calls a second make new sessions for fifty identities, but learn when to ask again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use e2e::answers::{is_hint, is_vaults_own, said, whole};
use e2e::short_sessions;
use e2e::users::Users;
use harness::sts::{Credentials, caller_identity};
use harness::{Api, REGION, Reply, kill, until};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

const IDENTITIES: usize = 50;
const READERS: usize = 200;
/// The number of identities, each with one reader.
const SDKS: usize = IDENTITIES;
const KILLS: u32 = 2;
const SESSION: u32 = 40;
/// The duration, unless `STRESS_SECONDS` sets another.
const TIME: Duration = Duration::from_secs(60);
/// The pause between two reads of one reader.
const PAUSE: Duration = Duration::from_millis(1000);
const BACK_OFF: Duration = Duration::from_millis(100);
/// The time for a full round of readers with an empty cache, on a slow machine.
const ROUND: Duration = Duration::from_secs(120);
/// The time from a new process to the end of Vault's own errors.
const SETTLED: Duration = Duration::from_secs(5);

/// One reader's findings.
struct Reader {
    name: String,
    path: &'static str,
    /// Each key it was given, with the rest of one answer that held it.
    keys: BTreeMap<String, Credentials>,
    failures: Vec<Failure>,
}

struct Failure {
    began: Instant,
    ended: Instant,
    reply: Reply,
}

/// The state that the readers share with the task that disturbs them.
struct Crowd {
    over: AtomicBool,
    /// Successful reads, by reader.
    reads: Vec<AtomicUsize>,
}

#[tokio::test]
async fn a_crowd_meets_a_killed_plugin_and_an_unwell_aws_and_each_reader_has_its_own_and_whole() {
    let users = Users::new().await;
    short_sessions(&users.stage, SESSION).await;
    users.write_role(json!({ "lease": "static" })).await;
    // With the default of 3, four attempts in a row that AWS fails are a failed read: one session in 600 has them.
    let _ = users.stage.root().write("iamra/config", json!({ "max_retries": 10 })).await.ok();
    let mut apis = Vec::new();
    for number in 0..IDENTITIES {
        let name = format!("user-{number}");
        apis.push((users.login(&name).await, name));
    }
    let reads = (0..READERS + SDKS).map(|_| AtomicUsize::new(0)).collect();
    let crowd = Arc::new(Crowd { over: AtomicBool::new(false), reads });
    users.stage.knobs(json!({ "unwell_percent": 30 })).await;
    let mut readers = JoinSet::new();
    for number in 0..READERS + SDKS {
        let (api, name) = apis[number % IDENTITIES].clone();
        let path = if number < READERS { "iamra/creds/app" } else { "iamra/container/app" };
        readers.spawn(keep_reading(api, name, path, number, Arc::clone(&crowd)));
    }

    let kills = kill_now_and_then(&users, &crowd).await;
    crowd.over.store(true, Relaxed);
    let readers = readers.join_all().await;

    let (vaults_own, hints) = accounted_for(&readers, &kills);
    let calls = create_session_calls(&users).await;
    let sessions = each_has_its_own(&users, &readers).await;
    let failed = calls.iter().filter(|outcome| is_unwell(outcome)).count();
    assert!(failed * 5 > calls.len(), "{failed} of {} calls met an unwell AWS", calls.len());
    let reads: usize = crowd.reads.iter().map(|reads| reads.load(Relaxed)).sum();
    // past the capture of the test runner
    writeln!(
        std::io::stderr(),
        "{READERS} readers and {SDKS} SDKs of {IDENTITIES} identities, {:?}, {KILLS} kills: {reads} reads, {vaults_own} of Vault's own \
         errors at a kill, {hints} hints to SDKs, and no other failure; {sessions} sessions, each its reader's own; {failed} of {} calls \
         met an unwell AWS",
        time_to_run(),
        calls.len()
    )
    .expect("stderr is open");
}

/// Kills the plugin at even intervals, each time after every reader has read since the last kill. Returns the periods in which Vault had no
/// process.
async fn kill_now_and_then(users: &Users, crowd: &Crowd) -> Vec<(Instant, Instant)> {
    let began = Instant::now();
    let mut kills = Vec::new();
    for nth in 1..=KILLS {
        let seen = crowd.seen();
        sleep_until(began + time_to_run() / (KILLS + 1) * nth).await;
        crowd.all_read_since(&seen).await;
        let pids = users.stage.vault.live_plugins();
        let killed = Instant::now();
        pids.iter().copied().for_each(kill);
        until("a new plugin process", Duration::from_secs(60), async || {
            users.stage.vault.plugin_pids().iter().any(|pid| !pids.contains(pid)).then_some(())
        })
        .await;
        kills.push((killed, Instant::now()));
    }
    let seen = crowd.seen();
    sleep_until(began + time_to_run()).await;
    crowd.all_read_since(&seen).await;
    kills
}

impl Crowd {
    fn seen(&self) -> Vec<usize> {
        self.reads.iter().map(|reads| reads.load(Relaxed)).collect()
    }

    async fn all_read_since(&self, seen: &[usize]) {
        until("a read of each reader", ROUND, async || {
            self.seen().iter().zip(seen).all(|(now, before)| now > before).then_some(())
        })
        .await;
    }
}

/// Asserts that the only failures are Vault's own 500s for requests in flight at a kill, and the hints to SDKs. Returns the number of
/// both.
fn accounted_for(readers: &[Reader], kills: &[(Instant, Instant)]) -> (usize, usize) {
    let (mut vaults_own, mut hints) = (0, 0);
    for reader in readers {
        for Failure { began, ended, reply } in &reader.failures {
            let at_a_kill = kills.iter().any(|(killed, fresh)| ended >= killed && *began <= *fresh + SETTLED);
            let text = said(reply);
            if is_vaults_own(reply.status, &text) && at_a_kill {
                vaults_own += 1;
            } else {
                let is_hint = reader.path.contains("container") && is_hint(reply.status, &text);
                assert!(is_hint, "{} on {}: {} {}", reader.name, reader.path, reply.status, reply.text);
                hints += 1;
            }
        }
    }
    (vaults_own, hints)
}

/// The outcome of each call of `CreateSession`.
async fn create_session_calls(users: &Users) -> Vec<Value> {
    let log = users.stage.aws_log().await;
    let calls = log.iter().filter(|entry| entry["operation"] == "CreateSession");
    calls.map(|entry| entry["outcome"].clone()).collect()
}

fn is_unwell(outcome: &Value) -> bool {
    ["throttled", "failed", "dropped"].iter().any(|unwell| outcome == unwell)
}

/// Asserts that each key of each reader is, in AWS's own record, a session of the reader's identity, and that AWS accepts it. Returns their
/// number.
async fn each_has_its_own(users: &Users, readers: &[Reader]) -> usize {
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
    checked.len()
}

async fn keep_reading(
    api: Api,
    name: String,
    path: &'static str,
    number: usize,
    crowd: Arc<Crowd>,
) -> Reader {
    let mut reader = Reader { name, path, keys: BTreeMap::new(), failures: Vec::new() };
    while !crowd.over.load(Relaxed) {
        let began = Instant::now();
        let reply = api.read(path).await;
        let ended = Instant::now();
        if reply.status == 200 {
            let credentials = whole(&reply);
            reader.keys.insert(credentials.access_key.clone(), credentials);
            crowd.reads[number].fetch_add(1, Relaxed);
            sleep(PAUSE).await;
        } else {
            reader.failures.push(Failure { began, ended, reply });
            sleep(BACK_OFF).await;
        }
    }
    reader
}

#[expect(clippy::disallowed_methods, reason = "how `make stress` asks for another time")]
fn time_to_run() -> Duration {
    let seconds = std::env::var("STRESS_SECONDS").ok();
    seconds.map_or(TIME, |seconds| Duration::from_secs(seconds.parse().expect("whole seconds")))
}
