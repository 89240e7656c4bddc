//! The cache on tokio: a flight is a task that a leaving caller cannot cancel, and each request waits no longer than it may.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::sync::oneshot;

use crate::cache::{AnswerCache, Counts, Flights, Limits, Outcome, Reply, Step, WaiterId};
use crate::clock::{Clock, Deadline};
use crate::refusal::{DEFAULT_PAUSE, Refusal, Retry};
use crate::role::EngineRole;
use crate::token::TokenDigest;

/// How long one flight may take: a login and two reads, at two addresses of Vault.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two sweeps of the cache.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// What tells one request for credentials from another: the token, and the role that the pod named in the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AnswerKey {
    /// The token's SHA-256.
    pub token: TokenDigest,
    /// The role in the path.
    pub role: Option<EngineRole>,
}

/// A session as an SDK reads it, and what logs say of it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The JSON. Its memory is overwritten with the last clone.
    pub json: Bytes,
    /// When the session ends.
    pub ends: Deadline,
    /// Where it is from.
    pub source: Arc<SessionSource>,
}

/// By what a session is found again in other logs.
#[derive(Debug, PartialEq, Eq)]
pub struct SessionSource {
    /// The engine role.
    pub role: EngineRole,
    /// Id of the access key, which `CloudTrail` has.
    pub access_key_id: String,
    /// Id of the login, which Vault's audit log has.
    pub login_id: String,
    /// When the session ends.
    pub expiration: OffsetDateTime,
}

/// What a request for credentials gets.
pub type AnswerReply = Reply<Document, Refusal>;
type AnswerOutcome = Outcome<Document, Refusal>;

/// A flight under way.
pub type PendingFetch = Pin<Box<dyn Future<Output = Result<Document, Refusal>> + Send>>;

/// Answers of a moment ago, and flights for new ones. Clones share one cache.
#[derive(Clone)]
pub struct Answers(Arc<Inner>);

struct Inner {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    cache: AnswerCache<AnswerKey, Document, Refusal>,
    replies: HashMap<WaiterId, oneshot::Sender<AnswerReply>>,
}

impl Answers {
    /// No answers yet.
    pub fn new(limits: Limits, clock: Clock) -> Answers {
        let state = State { cache: AnswerCache::new(limits), replies: HashMap::new() };
        Answers(Arc::new(Inner { clock, state: Mutex::new(state) }))
    }

    /// An answer for `key`, whose token says that it ends at `token_ends`. `flight` makes what asks Vault; it is called if this request
    /// is the first that needs it, and what it makes goes on if its caller leaves.
    pub async fn get(
        &self,
        key: AnswerKey,
        token_ends: Option<OffsetDateTime>,
        flights: Flights,
        flight: impl FnOnce() -> PendingFetch,
    ) -> AnswerReply {
        let mut waiting = match self.0.ask(&key, token_ends, flights) {
            Ok(reply) => return reply,
            Err(Queued { waiter, reply, patience, starts }) => {
                if starts {
                    self.start(key.clone(), flight());
                }
                Waiting { inner: &self.0, key, waiter, reply, patience, is_over: false }
            }
        };
        waiting.reply().await
    }

    fn start(&self, key: AnswerKey, flight: PendingFetch) {
        let mut landing = Landing { inner: Arc::clone(&self.0), key, outcome: Some(lost()) };
        tokio::spawn(async move {
            let landed = tokio::time::timeout(FLIGHT_TIMEOUT, flight).await;
            landing.note(outcome(landed.unwrap_or_else(|_| Err(late(FLIGHT_TIMEOUT)))));
        });
    }

    /// Forgets what is of no use any more, for ever.
    pub async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            let now = self.0.clock.now();
            self.0.lock().cache.sweep(now);
        }
    }

    /// Totals and gauges.
    pub fn counts(&self) -> Counts {
        self.0.lock().cache.counts()
    }
}

/// A flight that took too long, or a request that waited for one.
pub fn late(waited: Duration) -> Refusal {
    let seconds = waited.as_secs_f32();
    Refusal::passing(504, "DeadlineExceeded", format!("Vault gave no session within {seconds} s; ask again"))
}

fn lost() -> AnswerOutcome {
    outcome(Err(Refusal::passing(500, "InternalError", "the agent lost this request; its log says why")))
}

fn outcome(landed: Result<Document, Refusal>) -> AnswerOutcome {
    match landed {
        Ok(document) => {
            let (bytes, ends) = (document.json.len(), document.ends);
            Outcome::Granted { value: document, bytes, ends }
        }
        Err(why) => match why.retry {
            Retry::Useless => Outcome::Refused(why),
            Retry::Later(pause) => Outcome::Failed { why, pause },
            Retry::Anew(pause) => Outcome::Void { why, pause: pause.max(DEFAULT_PAUSE) },
        },
    }
}

/// A request that has to wait.
struct Queued {
    waiter: WaiterId,
    reply: oneshot::Receiver<AnswerReply>,
    patience: Duration,
    starts: bool,
}

impl Inner {
    fn ask(
        &self,
        key: &AnswerKey,
        token_ends: Option<OffsetDateTime>,
        flights: Flights,
    ) -> Result<AnswerReply, Queued> {
        let now = self.clock.now();
        let mut state = self.lock();
        match state.cache.ask(now, key, token_ends, flights) {
            Step::Done(reply) => Ok(reply),
            Step::Wait { waiter, patience, starts } => {
                let (sender, reply) = oneshot::channel();
                state.replies.insert(waiter, sender);
                Err(Queued { waiter, reply, patience, starts })
            }
        }
    }

    fn land(&self, key: &AnswerKey, outcome: AnswerOutcome) {
        let now = self.clock.now();
        let mut state = self.lock();
        for (waiter, reply) in state.cache.landed(now, key, outcome) {
            if let Some(sender) = state.replies.remove(&waiter) {
                // a receiver that is gone is about to find its waiter gone
                let _left = sender.send(reply);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waiting request. Dropping it withdraws the request, and leaves the flight.
struct Waiting<'a> {
    inner: &'a Inner,
    key: AnswerKey,
    waiter: WaiterId,
    reply: oneshot::Receiver<AnswerReply>,
    patience: Duration,
    is_over: bool,
}

impl Waiting<'_> {
    async fn reply(&mut self) -> AnswerReply {
        match tokio::time::timeout(self.patience, &mut self.reply).await {
            Ok(Ok(reply)) => {
                self.is_over = true;
                reply
            }
            Ok(Err(_)) | Err(_) => self.give_up(),
        }
    }

    fn give_up(&mut self) -> AnswerReply {
        self.is_over = true;
        let now = self.inner.clock.now();
        let mut state = self.inner.lock();
        if state.replies.remove(&self.waiter).is_none()
            && let Ok(reply) = self.reply.try_recv()
        {
            return reply;
        }
        state.cache.give_up(now, &self.key, self.waiter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.give_up();
        }
    }
}

/// Lands its flight when it is dropped, however the task ends: a panic must leave no waiter behind.
struct Landing {
    inner: Arc<Inner>,
    key: AnswerKey,
    outcome: Option<AnswerOutcome>,
}

impl Landing {
    fn note(&mut self, outcome: AnswerOutcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.inner.land(&self.key, outcome);
        }
    }
}
