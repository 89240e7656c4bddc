//! An AWS that answers with every oddity at once, each in an account of its own, while a healthy account is read without pause.
//!
//! The claims: nothing panics, no pause outlasts its bound, memory stays bounded, no credential goes elsewhere, and the healthy account's
//! readers notice nothing. In a process of its own, whose memory and panics are nobody else's.

#![expect(clippy::large_futures, reason = "a test polls one future, and its size is of no matter")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod oddities;
mod server;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::Engine;
use oddities::{Answer, End, Oddity};
use serde_json::json;
use server::{Elsewhere, Hostile};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use vault_backend::testing::{TestMount, TestResponse};

/// The healthy account. Each oddity has another.
const HEALTHY: &str = "111122223333";
/// Reads of odd accounts at once: more would keep each other from being told within a container read's two seconds.
const AT_ONCE: usize = 16;
/// The longest pause of an account: 32 s, and half as much again at random.
const MAX_PAUSE: f64 = 48.0;
/// How long a read of the healthy account may take. One that had another account's pause would wait for half a minute or more. The bound is
/// far from the part of a second that a read takes, because the machine may be busy.
const HELD_UP: Duration = Duration::from_secs(10);
/// What the process may grow by: an answer takes 64 KiB at most, a connection's buffers a few times that.
const MAX_MEMORY: u64 = 64 << 20;
/// How long an answer without end may go on after its read was told. How much it sends until then is a matter of the machine's speed: one of
/// nothing but `100 Continue` is read, and kept nowhere, until the attempt's second is over.
const GOES_ON: Duration = Duration::from_secs(10);

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        usual(panic);
    }));
}

fn arn(account: &str, kind: &str) -> String {
    format!("arn:aws:rolesanywhere:eu-central-1:{account}:{kind}/0f0f0f0f-1111-4222-8333-444444444444")
}

/// A mount with a role for each account.
async fn mount(url: &str, accounts: impl Iterator<Item = String>) -> TestMount<Engine> {
    let mount = TestMount::new().await.expect("an empty mount initialises");
    let ca = json!({ "common_name": "test CA" });
    assert_eq!(mount.write("root/generate/internal", ca).await.status, 200);
    let config = json!({
        "endpoint": url, "max_retries": 0, "request_timeout": 1, "connect_timeout": 1,
        "rate_limit": 10_000, "rate_burst": 10_000,
    });
    assert_eq!(mount.write("config", config).await.error, "");
    for account in accounts {
        let role = json!({
            "role_arn": format!("arn:aws:iam::{account}:role/app"), "profile_arn": arn(&account, "profile"),
            "trust_anchor_arn": arn(&account, "trust-anchor"), "session_sharing": "none",
        });
        assert_eq!(mount.write(&format!("roles/of-{account}"), role).await.error, "");
    }
    mount
}

/// Reads the healthy account until it is told to stop; how often, and how long the slowest took.
async fn read_on(mount: Arc<TestMount<Engine>>, stop: Arc<AtomicUsize>) -> (usize, Duration) {
    let (mut reads, mut slowest) = (0, Duration::ZERO);
    while stop.load(Ordering::SeqCst) == 0 {
        let began = Instant::now();
        let reply = mount.read(&format!("creds/of-{HEALTHY}")).await;
        assert_eq!((reply.status, reply.error.as_str()), (200, ""));
        (reads, slowest) = (reads + 1, slowest.max(began.elapsed()));
    }
    (reads, slowest)
}

fn body(reply: &TestResponse) -> String {
    String::from_utf8_lossy(reply.raw.as_deref().unwrap_or_default()).into_owned()
}

/// What a read makes of an oddity, compared with what it should.
fn judge(oddity: &Oddity, reply: &TestResponse) {
    let (name, text) = (&oddity.name, body(reply));
    match oddity.end {
        End::Served => assert_eq!(reply.status, 200, "{name}: {text}"),
        End::Paused => assert!(reply.status == 503 && text.contains("AWS throttles"), "{name}: {text}"),
        End::Failed => assert!(matches!(reply.status, 400 | 503), "{name}: {} {text}", reply.status),
    }
    assert!(!text.contains("InternalError") && text.len() < 4096, "{name}: {text}");
    assert!(!text.contains("\\u0000") && !text.contains("\\u001b"), "{name}: {text}");
}

/// The process's memory in bytes.
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn gauge(metrics: &str, name: &str) -> f64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

#[tokio::test]
async fn no_oddity_of_aws_panics_pauses_for_long_takes_memory_or_reaches_a_healthy_account() {
    count_panics();
    let elsewhere = Elsewhere::start().await;
    let aws = Hostile::start(oddities::all(&elsewhere.url, &server::good(server::SOME_ACCOUNT))).await;
    let accounts: Vec<String> = (0..aws.oddities.len()).map(server::account).collect();
    let mount = Arc::new(mount(&aws.url, accounts.iter().cloned().chain([HEALTHY.to_owned()])).await);
    assert_eq!(mount.read(&format!("creds/of-{HEALTHY}")).await.error, "");
    let (before, began, stop) = (memory(), Instant::now(), Arc::new(AtomicUsize::new(0)));
    let healthy = tokio::spawn(read_on(Arc::clone(&mount), Arc::clone(&stop)));

    let (mut reads, room) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for (number, account) in accounts.into_iter().enumerate() {
        let (mount, aws, room) = (Arc::clone(&mount), Arc::clone(&aws), Arc::clone(&room));
        reads.spawn(async move {
            let _turn = room.acquire().await;
            let reply = mount.read(&format!("container/of-{account}")).await;
            judge(&aws.oddities[number], &reply);
            reply.status
        });
    }
    let statuses = reads.join_all().await;
    stop.store(1, Ordering::SeqCst);
    let (healthy_reads, slowest) = healthy.await.unwrap();

    let metrics = String::from_utf8(mount.read("metrics").await.raw.unwrap()).unwrap();
    let (pause, paused) =
        (gauge(&metrics, "iamra_limiter_pause_seconds"), gauge(&metrics, "iamra_limiter_paused_places"));
    let is_over = timeout(GOES_ON, aws.no_answer_goes_on()).await.is_ok();
    let (grown, sent) = (memory().saturating_sub(before), aws.most_sent());
    let count = |status: u16| statuses.iter().filter(|found| **found == status).count();
    writeln!(
        std::io::stdout(),
        "{} oddities in {:.1} s: {} refused (400), {} for later (503), {} served; {paused} accounts paused, for {pause:.1} s at most; \
         memory grew by {} KiB; an endless answer got rid of {} KiB; {healthy_reads} reads of the healthy account, the slowest {} ms",
        statuses.len(), began.elapsed().as_secs_f64(), count(400), count(503), count(200), grown / 1024, sent / 1024,
        slowest.as_millis(),
    )
    .unwrap();
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    assert_eq!(elsewhere.connections(), 0, "a redirect was followed");
    assert!(pause <= MAX_PAUSE && paused >= 9.0, "{paused} accounts pause, for {pause} s");
    assert!(grown < MAX_MEMORY, "memory grew by {grown} bytes");
    assert!(is_over && sent > 0, "an answer without end goes on after {sent} bytes");
    assert!(healthy_reads >= 3 && slowest < HELD_UP, "{healthy_reads} reads, the slowest took {slowest:?}");
}
