//! The desk on tokio: flights as tasks that no caller's leaving can cancel, patience as timers.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::ask::Ask;
use crate::changes::Epoch;
use crate::counts::Counts;
use crate::desk::{Decision, Desk, Step};
use crate::flight::{Cause, Outcome};
use crate::ids::{FlightId, WaiterId};
use crate::limits::Limits;
use crate::moment::Moment;
use crate::reply::Reply;

/// One attempt, as often as it is needed.
pub type Work<S, E> = Arc<dyn Fn(Cause) -> Attempt<S, E> + Send + Sync>;
type Attempt<S, E> = Pin<Box<dyn Future<Output = Outcome<S, E>> + Send>>;
type Wall = Box<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Turns a function that makes one attempt into [`Work`]. Every attempt must be a single request: the desk counts and repeats.
pub fn work<S, E, F>(attempt: impl Fn(Cause) -> F + Send + Sync + 'static) -> Work<S, E>
where
    F: Future<Output = Outcome<S, E>> + Send + 'static,
{
    Arc::new(move |cause| Box::pin(attempt(cause)))
}

/// What a key can be.
pub trait Key: Clone + Eq + Hash + Send + 'static {}
impl<T: Clone + Eq + Hash + Send + 'static> Key for T {}

/// What a session and an error can be.
pub trait Value: Clone + Send + 'static {}
impl<T: Clone + Send + 'static> Value for T {}

/// Hands out sessions. Clones are the same service; with the last one everything under way ends.
pub struct Sessions<K, S, E>(Arc<Inner<K, S, E>>);

impl<K, S, E> Clone for Sessions<K, S, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<K, S, E> {
    state: Mutex<State<K, S, E>>,
    began: Instant,
    wall: Wall,
    runtime: OnceLock<Handle>,
    /// The time of the next tick has moved.
    retimed: Arc<Notify>,
    closing: watch::Sender<bool>,
}

struct State<K, S, E> {
    desk: Desk<K, S, E, Work<S, E>>,
    replies: HashMap<WaiterId, oneshot::Sender<Reply<S, E>>>,
    next_tick: Option<Duration>,
    flight_timeout: Duration,
}

/// Flights to be spawned once the lock is released: on a runtime that ends, spawning drops the task at once, which lands it.
type Starts<S, E> = Vec<(FlightId, Cause, Work<S, E>)>;

impl<K: Key, S: Value, E: Value> Sessions<K, S, E> {
    /// An empty service. `wall` reads the wall clock; a seeded `dice` makes jitter repeatable.
    pub fn new(
        limits: Limits,
        dice: fastrand::Rng,
        wall: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            desk: Desk::new(limits, dice),
            replies: HashMap::new(),
            next_tick: None,
            flight_timeout: limits.flight_timeout,
        };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            began: Instant::now(),
            wall: Box::new(wall),
            runtime: OnceLock::new(),
            retimed: Arc::default(),
            closing: watch::Sender::new(false),
        }))
    }

    /// A session for `ask`, or why there is none, within its patience. Dropping the future withdraws this caller only: the
    /// flight goes on for the others and for the next ask.
    pub async fn get(&self, ask: Ask<K, Work<S, E>>) -> Reply<S, E> {
        self.0.start_driver();
        let patience = ask.patience;
        let mut waiting = match self.0.ask(ask) {
            Ok(reply) => return reply,
            Err(waiting) => waiting,
        };
        match tokio::time::timeout(patience, &mut waiting.reply).await {
            Ok(Ok(reply)) => {
                waiting.is_over = true;
                reply
            }
            Ok(Err(_)) | Err(_) => waiting.leave(),
        }
    }

    /// How many changes this service has been told of; see [`Order::epoch`](crate::Order::epoch).
    pub fn epoch(&self) -> Epoch {
        self.0.lock().desk.epoch()
    }

    /// Drops what was made from something that changed; see [`Desk::forget`].
    pub fn forget(&self, doomed: impl Fn(&K) -> bool + Send + 'static) {
        self.0.event(|desk, now| desk.forget(now, doomed));
    }

    /// New bounds, from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.0.lock().flight_timeout = limits.flight_timeout;
        self.0.event(|desk, now| desk.set_limits(now, limits));
    }

    /// Answers everybody, drops every session, ends every flight. For good, and at once.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
        self.0.event(Desk::close);
    }

    /// Totals and gauges.
    pub fn counts(&self) -> Counts {
        let now = self.0.now();
        self.0.lock().desk.counts(now)
    }
}

impl<K: Key, S: Value, E: Value> Inner<K, S, E> {
    fn ask(self: &Arc<Self>, ask: Ask<K, Work<S, E>>) -> Result<Reply<S, E>, Waiting<K, S, E>> {
        let now = self.now();
        let mut state = self.lock();
        let step = state.desk.ask(now, ask);
        let answer = match step {
            Step::Done(reply) => Ok(reply),
            Step::Wait(waiter) => {
                let (sender, reply) = oneshot::channel();
                state.replies.insert(waiter, sender);
                Err(Waiting { inner: Arc::clone(self), waiter, reply, is_over: false })
            }
        };
        let starts = self.obey(&mut state);
        drop(state);
        self.spawn(starts);
        answer
    }

    fn event(self: &Arc<Self>, happens: impl FnOnce(&mut Desk<K, S, E, Work<S, E>>, Moment)) {
        let now = self.now();
        let mut state = self.lock();
        happens(&mut state.desk, now);
        let starts = self.obey(&mut state);
        drop(state);
        self.spawn(starts);
    }

    fn obey(&self, state: &mut State<K, S, E>) -> Starts<S, E> {
        let mut starts = Vec::new();
        for decision in state.desk.decisions() {
            match decision {
                Decision::Start { flight, work, cause } => starts.push((flight, cause, work)),
                Decision::Answer { waiter, reply } => {
                    if let Some(sender) = state.replies.remove(&waiter) {
                        // A receiver that is gone left under the lock, or is about to find its reply gone.
                        let _ = sender.send(reply);
                    }
                }
            }
        }
        let next_tick = state.desk.next_tick();
        if state.next_tick != next_tick {
            state.next_tick = next_tick;
            self.retimed.notify_one();
        }
        starts
    }

    fn spawn(self: &Arc<Self>, starts: Starts<S, E>) {
        let Some(runtime) = self.runtime.get() else { return };
        for (flight, cause, work) in starts {
            let limit = self.lock().flight_timeout;
            let mut closing = self.closing.subscribe();
            let mut landing = Landing { inner: Arc::downgrade(self), flight, outcome: Some(Outcome::Lost) };
            runtime.spawn(async move {
                let attempt = tokio::time::timeout(limit, work(cause));
                tokio::select! {
                    outcome = attempt => landing.note(outcome.unwrap_or(Outcome::Overdue)),
                    _ = closing.wait_for(|closing| *closing) => {}
                }
            });
        }
    }

    /// The one task that keeps time, on the runtime of whoever asks first.
    fn start_driver(self: &Arc<Self>) {
        if self.runtime.get().is_some() || self.runtime.set(Handle::current()).is_err() {
            return;
        }
        let (inner, retimed) = (Arc::downgrade(self), Arc::clone(&self.retimed));
        let mut closing = self.closing.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = drive(inner, retimed) => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
        });
    }

    fn now(&self) -> Moment {
        Moment { steady: self.began.elapsed(), wall: (self.wall)() }
    }
}

impl<K, S, E> Inner<K, S, E> {
    fn lock(&self) -> MutexGuard<'_, State<K, S, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn drive<K: Key, S: Value, E: Value>(inner: Weak<Inner<K, S, E>>, retimed: Arc<Notify>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        strong.event(Desk::tick);
        let next = strong.lock().next_tick.map(|next| strong.began + next);
        drop(strong);
        match next {
            None => retimed.notified().await,
            Some(next) => tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = retimed.notified() => {}
            },
        }
    }
}

/// Reports the end of a flight when it is dropped, however the task ends.
struct Landing<K: Key, S: Value, E: Value> {
    inner: Weak<Inner<K, S, E>>,
    flight: FlightId,
    outcome: Option<Outcome<S, E>>,
}

impl<K: Key, S: Value, E: Value> Landing<K, S, E> {
    fn note(&mut self, outcome: Outcome<S, E>) {
        self.outcome = Some(outcome);
    }
}

impl<K: Key, S: Value, E: Value> Drop for Landing<K, S, E> {
    fn drop(&mut self) {
        if let (Some(inner), Some(outcome)) = (self.inner.upgrade(), self.outcome.take()) {
            inner.event(|desk, now| desk.landed(now, self.flight, outcome));
        }
    }
}

/// A caller in wait; dropped, it withdraws.
struct Waiting<K: Key, S: Value, E: Value> {
    inner: Arc<Inner<K, S, E>>,
    waiter: WaiterId,
    reply: oneshot::Receiver<Reply<S, E>>,
    is_over: bool,
}

impl<K: Key, S: Value, E: Value> Waiting<K, S, E> {
    fn leave(&mut self) -> Reply<S, E> {
        self.is_over = true;
        let now = self.inner.now();
        let mut state = self.inner.lock();
        if state.replies.remove(&self.waiter).is_none()
            && let Ok(reply) = self.reply.try_recv()
        {
            return reply;
        }
        let reply = state.desk.give_up(now, self.waiter);
        let starts = self.inner.obey(&mut state);
        drop(state);
        self.inner.spawn(starts);
        reply
    }
}

impl<K: Key, S: Value, E: Value> Drop for Waiting<K, S, E> {
    fn drop(&mut self) {
        if !self.is_over {
            self.leave();
        }
    }
}
