//! Readers that behave like usual clients of Vault: they retry after 5xx, 429 and a lost connection, and have another
//! address to try.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use harness::{Api, Reply, until};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::answers::said;

/// The pause between two reads of one reader, because the machine is shared with the servers under load.
const PAUSE: Duration = Duration::from_millis(20);
/// The Agent's first pause after a failure.
const BACK_OFF: Duration = Duration::from_millis(250);
/// The time for a failover and a restart of the plugin, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// Reads for which [`Clients::some_reads`] waits.
const SOME: usize = 40;

/// A reader: its login, its addresses and its path.
pub struct Client {
    /// The name under which it is logged in.
    pub name: String,
    /// Every address with its token. It begins at the first one, and goes on to the next when a request fails.
    pub apis: Vec<Api>,
    /// The path that it reads.
    pub path: String,
}

/// Running readers.
pub struct Clients {
    readers: JoinSet<(usize, usize)>,
    shared: Arc<Shared>,
}

type Look = dyn Fn(&Client, &Reply) + Send + Sync;

struct Shared {
    clients: Vec<Client>,
    pause: Duration,
    look: Box<Look>,
    succeeded: AtomicUsize,
    over: AtomicBool,
    failures: Mutex<Vec<Failure>>,
    /// The last success of any reader, and the longest time between two.
    rhythm: Mutex<(Instant, Duration)>,
}

/// A request that failed and was repeated.
#[derive(Clone, Debug)]
pub struct Failure {
    /// When it was sent.
    pub began: Instant,
    /// When it had failed.
    pub ended: Instant,
    /// The path that was read.
    pub path: String,
    /// The status; 0 is a lost connection.
    pub status: u16,
    /// The answer without addresses and ports, which differ between answers of one kind.
    pub text: String,
}

/// The results of the readers.
#[derive(Default)]
pub struct Tally {
    /// Reads that ended with an answer.
    pub reads: usize,
    /// Requests that failed, by status and Vault's error; status 0 is a lost connection.
    pub failures: BTreeMap<(u16, String), usize>,
    /// The largest number of requests for one read.
    pub most_tries: usize,
    /// The longest time in which no reader had an answer.
    pub longest_silence: Duration,
}

impl Clients {
    /// Starts this number of readers of `path`, each at another address.
    pub fn start(apis: &[Api], path: &str, readers: usize) -> Clients {
        let client = |number: usize| {
            let apis = beginning_at(number, apis.to_vec());
            Client { name: number.to_string(), apis, path: path.to_owned() }
        };
        Clients::of((0..readers).map(client).collect(), PAUSE, |_, _| ())
    }

    /// Starts these readers, each with a pause between two reads. `look` sees each success.
    pub fn of(
        clients: Vec<Client>,
        pause: Duration,
        look: impl Fn(&Client, &Reply) + Send + Sync + 'static,
    ) -> Clients {
        let readers = clients.len();
        let shared = Arc::new(Shared {
            clients,
            pause,
            look: Box::new(look),
            succeeded: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            failures: Mutex::default(),
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
        let before = self.succeeded();
        until("some reads that succeed", PATIENCE, async || {
            (self.succeeded() >= before + SOME).then_some(())
        })
        .await;
    }

    /// The number of reads that succeeded so far.
    pub fn succeeded(&self) -> usize {
        self.shared.succeeded.load(Relaxed)
    }

    /// The failures so far.
    pub fn failures(&self) -> Vec<Failure> {
        lock(&self.shared.failures).clone()
    }

    /// Asserts that every reader is running.
    ///
    /// # Panics
    /// With the reason why one is not.
    pub fn all_read(&mut self) {
        if let Some(ended) = self.readers.try_join_next() {
            panic!("a reader ended: {ended:?}");
        }
    }

    /// Lets every reader end its read, and returns their results.
    pub async fn end(self) -> Tally {
        self.shared.over.store(true, Relaxed);
        let mut whole = Tally::default();
        for (reads, most_tries) in self.readers.join_all().await {
            whole.reads += reads;
            whole.most_tries = whole.most_tries.max(most_tries);
        }
        for failure in &*lock(&self.shared.failures) {
            *whole.failures.entry((failure.status, failure.text.clone())).or_default() += 1;
        }
        whole.longest_silence = lock(&self.shared.rhythm).1;
        whole
    }
}

impl Shared {
    fn success(&self, client: &Client, reply: &Reply) {
        (self.look)(client, reply);
        self.succeeded.fetch_add(1, Relaxed);
        let mut rhythm = lock(&self.rhythm);
        *rhythm = (Instant::now(), rhythm.1.max(rhythm.0.elapsed()));
    }

    /// Sends one request to one address.
    async fn ask(&self, client: &Client, address: usize) -> Result<Reply, Failure> {
        let began = Instant::now();
        let api = &client.apis[address % client.apis.len()];
        let (status, text) = match api.try_call("GET", &client.path, None, &[]).await {
            Ok(reply) if reply.status == 200 => return Ok(reply),
            Ok(reply) => (reply.status, without_addresses(&said(&reply))),
            Err(_) => (0, "no connection".to_owned()),
        };
        let failure = Failure { began, ended: Instant::now(), path: client.path.clone(), status, text };
        assert!(is_worth_another_try(status), "no client asks again after {failure:?}");
        Err(failure)
    }
}

/// Reads until the load is over. Returns the number of reads, and the largest number of requests for one read.
async fn keep_reading(shared: Arc<Shared>, number: usize) -> (usize, usize) {
    let client = &shared.clients[number];
    let (mut address, mut reads, mut most_tries) = (0, 0, 0);
    while !shared.over.load(Relaxed) {
        let began = Instant::now();
        let mut tries = 1;
        let reply = loop {
            match shared.ask(client, address).await {
                Ok(reply) => break reply,
                Err(failure) => {
                    assert!(began.elapsed() < PATIENCE, "one read failed for {PATIENCE:?}: {failure:?}");
                    lock(&shared.failures).push(failure);
                }
            }
            tries += 1;
            address += 1;
            sleep(BACK_OFF).await;
        };
        shared.success(client, &reply);
        reads += 1;
        most_tries = most_tries.max(tries);
        sleep(shared.pause).await;
    }
    (reads, most_tries)
}

/// The addresses with another one first, so that the readers do not all begin at the same one.
pub fn beginning_at(number: usize, mut apis: Vec<Api>) -> Vec<Api> {
    let first = number % apis.len();
    apis.rotate_left(first);
    apis
}

/// The statuses that Vault's API client retries, and a lost connection.
fn is_worth_another_try(status: u16) -> bool {
    status == 0 || status == 429 || (status >= 500 && status != 501)
}

fn without_addresses(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| *word != "*" && !word.contains("127.0.0.1"));
    words.collect::<Vec<_>>().join(" ")
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Prints the result of a story past the capture of the test runner.
pub fn say(text: &str) {
    // a closed pipe is not a reason to fail
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}
