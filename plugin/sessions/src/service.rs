//! The scheduler on tokio: flights are tasks that a leaving caller cannot cancel, deadlines are timers.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::counts::Counts;
use crate::flight::{Departure, FlightOutcome};
use crate::ids::{FlightId, WaiterId};
use crate::invalidations::Epoch;
use crate::key::Key;
use crate::limits::Limits;
use crate::now::Now;
use crate::reply::Reply;
use crate::request::SessionRequest;
use crate::scheduler::{Decision, Scheduler, Step};

/// Makes one attempt; called once for each.
pub type FlightWork<S, E> = Arc<dyn Fn(Departure) -> Attempt<S, E> + Send + Sync>;
type Attempt<S, E> = Pin<Box<dyn Future<Output = FlightOutcome<S, E>> + Send>>;
type Wall = Box<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Turns a function that makes one attempt into [`FlightWork`]. Every attempt must be a single request, because the scheduler
/// counts and repeats.
pub fn work<S, E, F>(attempt: impl Fn(Departure) -> F + Send + Sync + 'static) -> FlightWork<S, E>
where
    F: Future<Output = FlightOutcome<S, E>> + Send + 'static,
{
    Arc::new(move |departure| Box::pin(attempt(departure)))
}

/// The bounds of a session and of an error.
pub trait Value: Clone + Send + 'static {}
impl<T: Clone + Send + 'static> Value for T {}

/// Serves sessions. Clones are handles to the same service. Everything under way ends with the last one.
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
    scheduler: Scheduler<K, S, E, FlightWork<S, E>>,
    replies: HashMap<WaiterId, oneshot::Sender<Reply<S, E>>>,
    next_tick: Option<Duration>,
}

/// Flights to spawn once the lock is released. On a runtime that is shutting down, spawning drops the task at once,
/// which reports its outcome.
type Starts<S, E> = Vec<(FlightId, Departure, FlightWork<S, E>)>;

impl<K: Key, S: Value, E: Value> Sessions<K, S, E> {
    /// An empty service. `wall` reads the wall clock; a seeded `rng` makes the jitter repeatable.
    pub fn new(
        limits: Limits,
        rng: fastrand::Rng,
        wall: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
    ) -> Self {
        let state =
            State { scheduler: Scheduler::new(limits, rng), replies: HashMap::new(), next_tick: None };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            began: Instant::now(),
            wall: Box::new(wall),
            runtime: OnceLock::new(),
            retimed: Arc::default(),
            closing: watch::Sender::new(false),
        }))
    }

    /// Returns a session for `ask`, or why there is none, within its deadline. Dropping the future withdraws this
    /// caller only: the flight goes on for the others and for the next request.
    pub async fn get(&self, ask: SessionRequest<K, FlightWork<S, E>>) -> Reply<S, E> {
        self.0.start_driver();
        let deadline = ask.deadline;
        let mut waiting = match self.0.ask(ask) {
            Ok(reply) => return reply,
            Err(waiting) => waiting,
        };
        match tokio::time::timeout(deadline, &mut waiting.reply).await {
            Ok(Ok(reply)) => {
                waiting.is_over = true;
                reply
            }
            Ok(Err(_)) | Err(_) => waiting.leave(),
        }
    }

    /// The number of changes that this service has been told of; see [`FlightSpec::epoch`](crate::FlightSpec::epoch).
    pub fn epoch(&self) -> Epoch {
        self.0.lock().scheduler.epoch()
    }

    /// Drops the sessions of keys whose data has changed; see [`Scheduler::invalidate`].
    pub fn invalidate(&self, invalidated: impl Fn(&K) -> bool + Send + 'static) {
        self.0.event(|scheduler, now| scheduler.invalidate(now, invalidated));
    }

    /// Drops cached sessions; see [`Scheduler::invalidate_sessions`].
    pub fn invalidate_sessions(&self, meant: impl Fn(&S) -> bool) {
        self.0.event(|scheduler, now| scheduler.invalidate_sessions(now, meant));
    }

    /// Replaces the bounds.
    pub fn set_limits(&self, limits: Limits) {
        self.0.event(|scheduler, now| scheduler.set_limits(now, limits));
    }

    /// Answers every waiter, drops every session and ends every flight, for good and at once.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
        self.0.event(Scheduler::close);
    }

    /// Totals and gauges.
    pub fn counts(&self) -> Counts {
        let now = self.0.now();
        self.0.lock().scheduler.counts(now)
    }
}

impl<K: Key, S: Value, E: Value> Inner<K, S, E> {
    fn ask(
        self: &Arc<Self>,
        ask: SessionRequest<K, FlightWork<S, E>>,
    ) -> Result<Reply<S, E>, Waiting<K, S, E>> {
        let now = self.now();
        let mut state = self.lock();
        let step = state.scheduler.ask(now, ask);
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

    fn event(self: &Arc<Self>, happens: impl FnOnce(&mut Scheduler<K, S, E, FlightWork<S, E>>, Now)) {
        let now = self.now();
        let mut state = self.lock();
        happens(&mut state.scheduler, now);
        let starts = self.obey(&mut state);
        drop(state);
        self.spawn(starts);
    }

    fn obey(&self, state: &mut State<K, S, E>) -> Starts<S, E> {
        let mut starts = Vec::new();
        for decision in state.scheduler.decisions() {
            match decision {
                Decision::Start { flight, work, departure } => starts.push((flight, departure, work)),
                Decision::Answer { waiter, reply } => {
                    if let Some(sender) = state.replies.remove(&waiter) {
                        // A receiver that is gone gave up under the lock, or is about to find its reply gone.
                        let _ = sender.send(reply);
                    }
                }
            }
        }
        let next_tick = state.scheduler.next_tick();
        if state.next_tick != next_tick {
            state.next_tick = next_tick;
            self.retimed.notify_one();
        }
        starts
    }

    fn spawn(self: &Arc<Self>, starts: Starts<S, E>) {
        let Some(runtime) = self.runtime.get() else { return };
        for (flight, departure, work) in starts {
            let mut closing = self.closing.subscribe();
            let mut landing =
                Landing { inner: Arc::downgrade(self), flight, outcome: Some(FlightOutcome::Lost) };
            runtime.spawn(async move {
                let attempt = tokio::time::timeout(departure.limit, work(departure));
                tokio::select! {
                    outcome = attempt => landing.note(outcome.unwrap_or(FlightOutcome::Overdue)),
                    _ = closing.wait_for(|closing| *closing) => {}
                }
            });
        }
    }

    /// Starts the one task that keeps time, on the runtime of the first caller.
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

    fn now(&self) -> Now {
        Now { monotonic: self.began.elapsed(), wall: (self.wall)() }
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
        strong.event(Scheduler::tick);
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

/// Reports the outcome of a flight when it is dropped, however its task ends.
struct Landing<K: Key, S: Value, E: Value> {
    inner: Weak<Inner<K, S, E>>,
    flight: FlightId,
    outcome: Option<FlightOutcome<S, E>>,
}

impl<K: Key, S: Value, E: Value> Landing<K, S, E> {
    fn note(&mut self, outcome: FlightOutcome<S, E>) {
        self.outcome = Some(outcome);
    }
}

impl<K: Key, S: Value, E: Value> Drop for Landing<K, S, E> {
    fn drop(&mut self) {
        if let (Some(inner), Some(outcome)) = (self.inner.upgrade(), self.outcome.take()) {
            inner.event(|scheduler, now| scheduler.landed(now, self.flight, outcome));
        }
    }
}

/// A waiting caller. Dropping it withdraws the request.
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
        let reply = state.scheduler.give_up(now, self.waiter);
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
