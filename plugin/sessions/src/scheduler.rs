//! The state machine: events in, decisions out. It does no I/O and owns no clock.
//!
//! `requests.rs` serves requests, `landing.rs` takes the outcomes of attempts, `places.rs` chooses where the next one is
//! made, and `sweep.rs` drops what is no longer needed. This file holds the shared state, and time.

mod landing;
mod places;
mod requests;
mod sweep;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::counts::Counts;
use crate::flight::{Ask, Cause, Departure, Flight, FlightPhase, Waiter};
use crate::ids::{FlightId, WaiterId};
use crate::invalidations::{Epoch, Invalidations};
use crate::key::Key;
use crate::limits::{Limits, Renewal};
use crate::negative_cache::NegativeCache;
use crate::now::Now;
use crate::priority_queue::Priority;
use crate::quota_queue::QuotaQueue;
use crate::reply::{CacheStatus, Grant, Reply, Why};
use crate::request::{FailureDomain, FlightSpec, Freshness, QuotaScope, Rank, Sharing};
use crate::round_robin::End;
use crate::session_cache::SessionCache;

const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How soon a due session is checked again after the wall clock was set forward past its expiration: the clock may be
/// set right.
const UNUSABLE_REST: Duration = Duration::from_mins(1);
/// How long the renewal of a session may wait for its turn in one place before another place makes it.
const RENEWAL_PATIENCE: Duration = Duration::from_mins(1);
const MIN_HINT: Duration = Duration::from_secs(1);

/// An instruction to the caller of the scheduler.
#[derive(Clone, Debug)]
pub enum Decision<S, E, W> {
    /// Run `work` once and report its outcome with [`Scheduler::landed`].
    Start {
        /// Identifies the flight in the report.
        flight: FlightId,
        /// The work of the newest request.
        work: W,
        /// Why, where and for how long.
        departure: Departure,
    },
    /// Send `reply` to a caller that waits.
    Answer {
        /// The caller.
        waiter: WaiterId,
        /// Its reply.
        reply: Reply<S, E>,
    },
}

/// The immediate result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<S, E> {
    /// The reply.
    Done(Reply<S, E>),
    /// A [`Decision::Answer`] follows. The waiter must call [`Scheduler::give_up`] when it leaves or its deadline
    /// passes.
    Wait(WaiterId),
}

/// Schedules sessions `S` by keys `K`; `E` are errors, and `W` is the work that makes a session.
#[derive(Debug)]
pub struct Scheduler<K, S, E, W> {
    limits: Limits,
    rng: fastrand::Rng,
    cache: SessionCache<K, S, W>,
    negative_cache: NegativeCache<K, E>,
    flights: HashMap<FlightId, Flight<K, E, W>>,
    /// The flight that new requests for a key join.
    by_key: HashMap<K, FlightId>,
    waiters: HashMap<WaiterId, FlightId>,
    queues: HashMap<QuotaScope, QuotaQueue>,
    resting: BTreeSet<(Duration, FlightId)>,
    next_id: u64,
    swept: Duration,
    closed: bool,
    invalidations: Invalidations<K>,
    counts: Counts,
    decisions: Vec<Decision<S, E, W>>,
}

impl<K: Key, S: Clone, E: Clone, W: Clone> Scheduler<K, S, E, W> {
    /// An empty scheduler. `rng` supplies the jitter; a seeded one makes every run the same.
    pub fn new(limits: Limits, rng: fastrand::Rng) -> Self {
        Self {
            limits,
            rng,
            cache: SessionCache::new(limits.max_sessions),
            negative_cache: NegativeCache::new(limits.max_flights()),
            flights: HashMap::new(),
            by_key: HashMap::new(),
            waiters: HashMap::new(),
            queues: HashMap::new(),
            resting: BTreeSet::new(),
            next_id: 0,
            swept: Duration::ZERO,
            closed: false,
            invalidations: Invalidations::new(),
            counts: Counts::default(),
            decisions: Vec::new(),
        }
    }

    /// The number of changes that this scheduler has been told of, for [`FlightSpec::epoch`].
    pub fn epoch(&self) -> Epoch {
        self.invalidations.epoch()
    }

    /// Takes the decisions made since the last call. Call it after every event.
    pub fn decisions(&mut self) -> Vec<Decision<S, E, W>> {
        std::mem::take(&mut self.decisions)
    }

    /// When [`tick`](Self::tick) has work to do, on the monotonic clock.
    pub fn next_tick(&self) -> Option<Duration> {
        let passes = self.queues.values().filter_map(QuotaQueue::ready_at);
        let rested = self.resting.first().map(|(until, _)| *until);
        let sweep = (!self.is_swept()).then_some(self.swept + SWEEP_EVERY);
        passes.chain(rested).chain(self.cache.wakes_at()).chain(sweep).min()
    }

    /// Does the work that is due at `now`.
    pub fn tick(&mut self, now: Now) {
        while let Some(key) = self.cache.wake(now) {
            self.renew_ahead(now, &key);
        }
        while let Some((until, flight)) =
            self.resting.first().copied().filter(|(until, _)| *until <= now.monotonic)
        {
            self.resting.remove(&(until, flight));
            let end = self.flights.get(&flight).map_or(End::Back, |flight| match flight.failures {
                ..=1 => End::Front,
                _ => End::Back,
            });
            self.enqueue(now, flight, end);
        }
        if self.swept + SWEEP_EVERY <= now.monotonic {
            self.sweep(now);
        }
        self.pump_all(now);
    }

    /// Drops the cached sessions and refusals of these keys, because the data they were made from has changed. A flight
    /// under way still answers the callers that waited for it before the change, and is not cached. A flight that has
    /// not begun ends. A request that was planned before the change and comes after it is denied.
    pub fn invalidate(&mut self, now: Now, invalidated: impl Fn(&K) -> bool + Send + 'static) {
        self.cache.invalidate(&invalidated);
        for domain in self.negative_cache.invalidate(&invalidated) {
            self.requeue(now, &domain);
        }
        let ids: Vec<FlightId> =
            self.flights.iter().filter(|(_, flight)| invalidated(&flight.key)).map(|(id, _)| *id).collect();
        for id in ids {
            match self.flights.get_mut(&id) {
                Some(flight) if matches!(flight.phase, FlightPhase::Flying(_)) => {
                    flight.is_outdated = true;
                    if std::mem::replace(&mut flight.sharing, Sharing::Nobody) == Sharing::SameKey {
                        self.by_key.remove(&flight.key);
                    }
                }
                _ => self.drop_flight(now, id, &Why::Changed),
            }
        }
        self.invalidations.invalidate(now.monotonic, Box::new(invalidated));
        self.pump_all(now);
    }

    /// As [`Self::invalidate`], of the keys whose cached session is `meant`.
    pub fn invalidate_sessions(&mut self, now: Now, meant: impl Fn(&S) -> bool) {
        let keys: HashSet<K> = self.cache.keys_of(meant).cloned().collect();
        if !keys.is_empty() {
            self.invalidate(now, move |key| keys.contains(key));
        }
    }

    /// Replaces the bounds.
    pub fn set_limits(&mut self, now: Now, limits: Limits) {
        self.invalidations.pass();
        self.limits = limits;
        self.counts.evicted += self.cache.set_bound(now, limits.max_sessions);
        self.negative_cache.set_bound(limits.max_flights());
        for queue in self.queues.values_mut() {
            queue.set_rate(now.monotonic, limits.rate);
        }
        self.pump_all(now);
    }

    /// Answers every waiter, drops every session, and starts nothing more.
    pub fn close(&mut self, now: Now) {
        self.closed = true;
        let ids: Vec<FlightId> = self.flights.keys().copied().collect();
        for id in ids {
            self.drop_flight(now, id, &Why::Closing);
        }
        self.cache.invalidate(|_| true);
        self.negative_cache.invalidate(|_| true);
    }

    /// Totals and gauges.
    pub fn counts(&self, now: Now) -> Counts {
        let flying =
            self.flights.values().filter(|flight| matches!(flight.phase, FlightPhase::Flying(_))).count();
        let paused = self.queues.values().filter(|queue| queue.is_paused(now.monotonic)).count();
        let burst = u64::from(self.limits.rate.burst.get());
        let gauge = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Counts {
            cached: gauge(self.cache.len()),
            queued: gauge(self.flights.len() - flying),
            flying: gauge(flying),
            waiting: gauge(self.waiters.len()),
            paused: gauge(paused),
            away: gauge(self.queues.values().filter(|queue| !queue.health.is_closed()).count()),
            tokens: self.queues.values().map(|queue| queue.tokens(now.monotonic)).min().unwrap_or(burst),
            pause_left: self
                .queues
                .values()
                .map(|queue| queue.pause_left(now.monotonic))
                .max()
                .unwrap_or_default(),
            ..self.counts
        }
    }

    /// A session that a [`StaleOk`](Freshness::StaleOk) caller used is due: it is renewed without a request, if it was
    /// used.
    fn renew_ahead(&mut self, now: Now, key: &K) {
        let Some(entry) = self.cache.usable(now, key) else {
            return self.cache.wake_again(key, now.monotonic + UNUSABLE_REST);
        };
        let used = now.monotonic.saturating_sub(entry.asked) <= entry.cached.whole();
        let wanted =
            self.limits.renewal == Renewal::Ahead && entry.spec.freshness == Freshness::StaleOk && used;
        if !wanted || self.by_key.contains_key(key) {
            return;
        }
        let (spec, asked) = (entry.spec.clone(), entry.asked);
        let ask = Ask { sharing: Sharing::SameKey, cause: Cause::Ahead, patience: RENEWAL_PATIENCE };
        let id = self.begin(now, key.clone(), spec, ask);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.asked = asked;
        }
    }

    /// Creates a flight and queues it.
    fn begin(&mut self, now: Now, key: K, spec: FlightSpec<W>, ask: Ask) -> FlightId {
        self.next_id += 1;
        let id = FlightId(self.next_id);
        if ask.sharing == Sharing::SameKey {
            self.by_key.insert(key.clone(), id);
        }
        let places = key.places();
        self.flights.insert(id, Flight::new(now.monotonic, key, places, spec, ask));
        self.enqueue(now, id, End::Back);
        id
    }

    fn enqueue(&mut self, now: Now, id: FlightId, end: End) {
        let Some(flight) = self.flights.get_mut(&id) else { return };
        let is_shared = flight.sharing == Sharing::SameKey;
        let old = is_shared.then(|| self.cache.due(now, &flight.key)).flatten();
        let priority = match (flight.spec.rank, old) {
            (Rank::First, _) => Priority::First,
            (Rank::Spare, _) => Priority::Spare,
            // a caller with a session was not refused, whatever happened to the others of its domain
            (Rank::InTurn, Some(due)) => Priority::Renewal(due),
            (Rank::InTurn, None) if self.negative_cache.is_penalized(&flight.key.failure_domain()) => {
                Priority::Penalized
            }
            (Rank::InTurn, None) => Priority::NoSession,
        };
        flight.phase = FlightPhase::Queued(priority);
        self.choose(now, id, priority);
        let Some(flight) = self.flights.get(&id) else { return };
        let (scope, tickets) = (flight.scope().clone(), flight.tickets.clone());
        self.queue_of(&scope).push(now.monotonic, priority, &tickets, id, end);
    }

    fn dequeue(&mut self, id: FlightId) {
        let Some(flight) = self.flights.get(&id) else { return };
        match flight.phase {
            FlightPhase::Queued(priority) => {
                if let Some(queue) = self.queues.get_mut(flight.scope()) {
                    queue.remove(priority, &flight.tickets, id);
                }
            }
            FlightPhase::Resting(until) => {
                self.resting.remove(&(until, id));
            }
            FlightPhase::Flying(_) => {}
        }
    }

    /// Starts flights of `scope` as far as its quota allows.
    fn pump(&mut self, now: Now, scope: &QuotaScope) {
        while let Some(id) = self.queues.get_mut(scope).and_then(|queue| queue.pass(now.monotonic)) {
            self.dequeue(id);
            let Some(flight) = self.flights.get(&id) else { continue };
            let limit = self.attempt_limit(now, flight);
            let departure = Departure { cause: flight.cause, place: flight.place, limit };
            let work = flight.spec.work.clone();
            self.counts.started += 1;
            self.decisions.push(Decision::Start { flight: id, work, departure });
            if let Some(flight) = self.flights.get_mut(&id) {
                flight.phase = FlightPhase::Flying(now);
            }
        }
    }

    fn pump_all(&mut self, now: Now) {
        let scopes: Vec<QuotaScope> = self.queues.keys().cloned().collect();
        for scope in scopes {
            self.pump(now, &scope);
        }
    }

    /// `domain` has become penalized, or no longer is: its queued flights change queues.
    fn requeue(&mut self, now: Now, domain: &FailureDomain) {
        let mut ids: Vec<FlightId> = self
            .flights
            .iter()
            .filter(|(_, flight)| {
                flight.key.failure_domain() == *domain && matches!(flight.phase, FlightPhase::Queued(_))
            })
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        for id in ids {
            self.leave_queue(now, id);
            self.enqueue(now, id, End::Back);
        }
    }

    /// Ends a flight without a session. Its waiters get an old session, or `why` there is none.
    fn drop_flight(&mut self, now: Now, id: FlightId, why: &Why<E>) {
        self.leave_queue(now, id);
        self.answer_all(now, id, why, MIN_HINT);
        let Some(flight) = self.flights.remove(&id) else { return };
        if flight.sharing == Sharing::SameKey {
            self.by_key.remove(&flight.key);
        }
    }

    fn answer_all(&mut self, now: Now, id: FlightId, why: &Why<E>, retry_in: Duration) {
        let Some(flight) = self.flights.get_mut(&id) else { return };
        let waiters = std::mem::take(&mut flight.waiters);
        self.answer(now, id, &waiters, why, retry_in);
    }

    /// Answers `waiters`, which must have left the flight's list.
    fn answer(&mut self, now: Now, id: FlightId, waiters: &[Waiter], why: &Why<E>, retry_in: Duration) {
        for Waiter { id: waiter, .. } in waiters.iter().copied() {
            self.waiters.remove(&waiter);
            let reply = self.without_new(now, id, why.clone(), retry_in);
            self.decisions.push(Decision::Answer { waiter, reply });
        }
    }

    /// The reply to a caller that waited for the flight `id` in vain: the old session while it may be served.
    fn without_new(&mut self, now: Now, id: FlightId, why: Why<E>, retry_in: Duration) -> Reply<S, E> {
        let shared = self.flights.get(&id).filter(|flight| flight.sharing == Sharing::SameKey);
        match shared.and_then(|flight| self.cache.usable(now, &flight.key)) {
            Some(entry) => {
                self.counts.stale += 1;
                Reply::Granted(entry.cached.grant(now, CacheStatus::Stale(why)))
            }
            None => self.denied(why, retry_in),
        }
    }

    fn granted(&mut self, grant: Grant<S, E>) -> Reply<S, E> {
        match &grant.cache_status {
            CacheStatus::New => self.counts.fresh += 1,
            CacheStatus::Shared => self.counts.shared += 1,
            CacheStatus::Renewing => self.counts.renewing += 1,
            CacheStatus::Stale(_) => self.counts.stale += 1,
        }
        Reply::Granted(grant)
    }

    fn denied(&mut self, why: Why<E>, retry_in: Duration) -> Reply<S, E> {
        self.counts.denied += 1;
        Reply::Denied { why, retry_in: retry_in.max(MIN_HINT) }
    }

    /// The estimated time until the flight `id` starts.
    fn outlook(&self, now: Now, id: FlightId) -> Duration {
        let Some(flight) = self.flights.get(&id) else { return Duration::ZERO };
        match flight.phase {
            FlightPhase::Flying(_) => Duration::ZERO,
            FlightPhase::Resting(until) => until.saturating_sub(now.monotonic),
            FlightPhase::Queued(priority) => {
                let queue = self.queues.get(flight.scope());
                queue.map_or(Duration::ZERO, |queue| queue.backlog(now.monotonic, priority))
            }
        }
    }
}
