//! Readers that are what clients of Vault usually are: patient with 5xx, 429 and a lost connection, and with
//! another address to try.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use harness::{Api, Reply, until};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Between two reads of one reader: the machine is shared with the servers under load.
const PAUSE: Duration = Duration::from_millis(20);
/// The Agent's first pause after a failure.
const BACK_OFF: Duration = Duration::from_millis(250);
/// A failover and a restart of the plugin, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// Reads for which [`Clients::some_reads`] waits.
const SOME: usize = 40;

/// Readers at work.
pub struct Clients {
    readers: JoinSet<Tally>,
    shared: Arc<Shared>,
}

struct Shared {
    apis: Vec<Api>,
    path: String,
    succeeded: AtomicUsize,
    over: AtomicBool,
    /// The last success of any reader, and the longest time between two.
    rhythm: Mutex<(Instant, Duration)>,
}

/// What readers met.
#[derive(Default)]
pub struct Tally {
    /// Reads that ended with an answer.
    pub reads: usize,
    /// Requests that failed, by status and what Vault said; status 0 is a lost connection.
    pub failures: BTreeMap<(u16, String), usize>,
    /// The most requests that one read took.
    pub most_tries: usize,
    /// The longest time in which no reader had an answer.
    pub longest_silence: Duration,
}

impl Clients {
    /// Starts so many readers of `path`. Each begins at another address, and goes on to the next one when a request fails.
    pub fn start(apis: Vec<Api>, path: &str, readers: usize) -> Clients {
        let shared = Arc::new(Shared {
            apis,
            path: path.to_owned(),
            succeeded: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            rhythm: Mutex::new((Instant::now(), Duration::ZERO)),
        });
        let mut tasks = JoinSet::new();
        for number in 0..readers {
            tasks.spawn(keep_reading(Arc::clone(&shared), number));
        }
        Clients { readers: tasks, shared }
    }

    /// Waits until some more reads have succeeded.
    pub async fn some_reads(&self) {
        let before = self.shared.succeeded.load(Relaxed);
        until("some reads that succeed", PATIENCE, async || {
            (self.shared.succeeded.load(Relaxed) >= before + SOME).then_some(())
        })
        .await;
    }

    /// Has every reader end its read, and says what they met.
    pub async fn end(self) -> Tally {
        self.shared.over.store(true, Relaxed);
        let mut whole = Tally::default();
        for tally in self.readers.join_all().await {
            whole.reads += tally.reads;
            whole.most_tries = whole.most_tries.max(tally.most_tries);
            for (failure, times) in tally.failures {
                *whole.failures.entry(failure).or_default() += times;
            }
        }
        whole.longest_silence = self.shared.rhythm.lock().unwrap_or_else(PoisonError::into_inner).1;
        whole
    }
}

impl Shared {
    fn success(&self) {
        self.succeeded.fetch_add(1, Relaxed);
        let mut rhythm = self.rhythm.lock().unwrap_or_else(PoisonError::into_inner);
        *rhythm = (Instant::now(), rhythm.1.max(rhythm.0.elapsed()));
    }
}

async fn keep_reading(shared: Arc<Shared>, mut address: usize) -> Tally {
    let mut tally = Tally::default();
    while !shared.over.load(Relaxed) {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let failure =
                match shared.apis[address % shared.apis.len()].try_call("GET", &shared.path, None, &[]).await
                {
                    Ok(reply) if reply.status == 200 => break,
                    Ok(reply) => (reply.status, said(&reply)),
                    Err(_) => (0, "no connection".to_owned()),
                };
            assert!(is_worth_another_try(failure.0), "no client asks again after {failure:?}");
            assert!(began.elapsed() < PATIENCE, "one read failed for {PATIENCE:?}: {failure:?}");
            *tally.failures.entry(failure).or_default() += 1;
            address += 1;
            sleep(BACK_OFF).await;
        }
        shared.success();
        tally.reads += 1;
        tally.most_tries = tally.most_tries.max(tries);
        sleep(PAUSE).await;
    }
    tally
}

/// What Vault's API client retries, and a connection that was lost.
fn is_worth_another_try(status: u16) -> bool {
    status == 0 || status == 429 || (status >= 500 && status != 501)
}

/// The error of an answer without what differs between two of a kind: addresses and ports.
fn said(reply: &Reply) -> String {
    let text = reply.errors();
    let words = text.split_whitespace().filter(|word| *word != "*" && !word.contains("127.0.0.1"));
    words.collect::<Vec<_>>().join(" ")
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let failed: usize = self.failures.values().sum();
        writeln!(
            f,
            "{} reads answered, {failed} requests failed and were repeated, {} at most for one read; the longest time without an answer was {:.1} s",
            self.reads,
            self.most_tries - 1,
            self.longest_silence.as_secs_f32()
        )?;
        for ((status, text), times) in &self.failures {
            writeln!(f, "  {times:4} x {status} {text}")?;
        }
        Ok(())
    }
}

/// Says what a story did, where whoever runs the tests sees it.
pub fn say(text: &str) {
    // a closed pipe is no reason to fail
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}
