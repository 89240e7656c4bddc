//! Readers that do not stop, and their results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use harness::{Api, Reply, until};
use tokio::task::JoinSet;

/// The pause between two reads of one reader, because the load must not overload a busy machine.
const PAUSE: Duration = Duration::from_millis(20);

const BOTOCORES_TRIES: usize = 3;

/// Readers of some paths, one for each, from [`Load::of`] to [`Load::end`].
pub struct Load {
    shared: Arc<Shared>,
    readers: JoinSet<Vec<Reply>>,
}

struct Shared {
    succeeded: Vec<AtomicUsize>,
    over: AtomicBool,
}

impl Load {
    /// Starts a reader of each of `paths`.
    pub fn of(api: &Api, paths: &[&str]) -> Load {
        let succeeded = paths.iter().map(|_| AtomicUsize::new(0)).collect();
        let shared = Arc::new(Shared { succeeded, over: AtomicBool::new(false) });
        let mut readers = JoinSet::new();
        for (number, path) in paths.iter().enumerate() {
            readers.spawn(keep_reading(api.clone(), (*path).to_owned(), Arc::clone(&shared), number));
        }
        Load { shared, readers }
    }

    /// Waits until each reader has succeeded twice more, because the second read began after this call.
    pub async fn goes_on(&self) {
        let counts = || self.shared.succeeded.iter().map(|count| count.load(Relaxed));
        let before: Vec<usize> = counts().collect();
        until("every reader to go on", Duration::from_secs(90), async || {
            counts().zip(&before).all(|(now, before)| now >= before + 2).then_some(())
        })
        .await;
    }

    /// The number of reads that succeeded so far.
    #[must_use]
    pub fn succeeded(&self) -> usize {
        self.shared.succeeded.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Ends the readers, and returns every answer that was not a success.
    pub async fn end(self) -> Vec<Reply> {
        self.shared.over.store(true, Relaxed);
        self.readers.join_all().await.into_iter().flatten().collect()
    }
}

/// A reader's final answer: like botocore, an SDK at `container` asks again after a 503, which it gets if a stalled machine makes no
/// session in the two seconds that the engine waits.
async fn answer(api: &Api, path: &str) -> Reply {
    let tries = if path.contains("/container/") { BOTOCORES_TRIES } else { 1 };
    for _ in 1..tries {
        let reply = api.read(path).await;
        if reply.status != 503 {
            return reply;
        }
    }
    api.read(path).await
}

async fn keep_reading(api: Api, path: String, shared: Arc<Shared>, number: usize) -> Vec<Reply> {
    let mut failures = Vec::new();
    while !shared.over.load(Relaxed) {
        let reply = answer(&api, &path).await;
        if reply.status == 200 {
            shared.succeeded[number].fetch_add(1, Relaxed);
        } else {
            failures.push(reply);
        }
        tokio::time::sleep(PAUSE).await;
    }
    failures
}
