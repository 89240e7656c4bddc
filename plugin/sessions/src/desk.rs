//! The state machine: events in, decisions out, no I/O, no clock of its own.
//!
//! `asking.rs` answers asks, `landing.rs` takes the outcomes of flights, `sweep.rs` drops what nobody wants; here is what they share,
//! and time.

mod asking;
mod landing;
mod sweep;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use crate::ask::{Group, Mode, Order, Place, Rank, Sharing};
use crate::changes::{Changes, Epoch};
use crate::counts::Counts;
use crate::fair::End;
use crate::flight::{Cause, Flight, Phase, Waiter};
use crate::ids::{FlightId, WaiterId};
use crate::lanes::Lane;
use crate::limits::{Limits, Renewal};
use crate::moment::Moment;
use crate::refusals::Refusals;
use crate::reply::{Freshness, Grant, Reply, Why};
use crate::shelf::Shelf;
use crate::turnstile::Turnstile;

/// A flight that nobody waits for is kept this long after somebody asked, so that a fleet's start makes progress although its
/// callers come and go.
const KEPT_QUEUED: Duration = Duration::from_mins(10);
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// A session that is due but dead by a wall clock that was set forward is looked at again: the clock may be set right.
const UNUSABLE_REST: Duration = Duration::from_mins(1);
const LEAST_HINT: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Clone, Debug)]
pub enum Decision<S, E, W> {
    /// Run `work` once and report its end with [`Desk::landed`].
    Start {
        /// Names it in the report.
        flight: FlightId,
        /// What the caller that asked last handed in.
        work: W,
        /// Whether somebody asked.
        cause: Cause,
    },
    /// Hand `reply` to a caller that waits.
    Answer {
        /// Who.
        waiter: WaiterId,
        /// What.
        reply: Reply<S, E>,
    },
}

/// The immediate answer to an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<S, E> {
    /// Here it is.
    Done(Reply<S, E>),
    /// A [`Decision::Answer`] will come. The waiter calls [`Desk::give_up`] when it leaves or its patience ends.
    Wait(WaiterId),
}

/// Keys `K`, sessions `S`, errors `E`, and `W`, whatever makes a session.
#[derive(Debug)]
pub struct Desk<K, S, E, W> {
    limits: Limits,
    dice: fastrand::Rng,
    shelf: Shelf<K, S, W>,
    refusals: Refusals<K, E>,
    flights: HashMap<FlightId, Flight<K, E, W>>,
    /// The flight that new asks for a key join.
    by_key: HashMap<K, FlightId>,
    waiters: HashMap<WaiterId, FlightId>,
    places: HashMap<Place, Turnstile>,
    resting: BTreeSet<(Duration, FlightId)>,
    next_id: u64,
    swept: Duration,
    closed: bool,
    changes: Changes<K>,
    counts: Counts,
    decisions: Vec<Decision<S, E, W>>,
}

impl<K: Clone + Eq + Hash, S: Clone, E: Clone, W: Clone> Desk<K, S, E, W> {
    /// An empty desk. `dice` gives the jitter; a seeded one makes every run the same.
    pub fn new(limits: Limits, dice: fastrand::Rng) -> Self {
        Self {
            limits,
            dice,
            shelf: Shelf::new(limits.max_sessions),
            refusals: Refusals::new(limits.max_flights()),
            flights: HashMap::new(),
            by_key: HashMap::new(),
            waiters: HashMap::new(),
            places: HashMap::new(),
            resting: BTreeSet::new(),
            next_id: 0,
            swept: Duration::ZERO,
            closed: false,
            changes: Changes::new(),
            counts: Counts::default(),
            decisions: Vec::new(),
        }
    }

    /// How many changes this desk has been told of, for [`Order::epoch`].
    pub fn epoch(&self) -> Epoch {
        self.changes.epoch()
    }

    /// Takes the decisions made since the last call. To be called after every event.
    pub fn decisions(&mut self) -> Vec<Decision<S, E, W>> {
        std::mem::take(&mut self.decisions)
    }

    /// When [`tick`](Self::tick) has something to do, on the steady clock.
    pub fn next_tick(&self) -> Option<Duration> {
        let passes = self.places.values().filter_map(Turnstile::ready_at);
        let rested = self.resting.first().map(|(until, _)| *until);
        let sweep = (!self.is_swept()).then_some(self.swept + SWEEP_EVERY);
        passes.chain(rested).chain(self.shelf.wakes_at()).chain(sweep).min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        while let Some(key) = self.shelf.wake(now) {
            self.renew_ahead(now, &key);
        }
        while let Some((until, flight)) =
            self.resting.first().copied().filter(|(until, _)| *until <= now.steady)
        {
            self.resting.remove(&(until, flight));
            let end = self.flights.get(&flight).map_or(End::Back, |flight| match flight.failures {
                ..=1 => End::Front,
                _ => End::Back,
            });
            self.enqueue(now, flight, end);
        }
        if self.swept + SWEEP_EVERY <= now.steady {
            self.sweep(now);
        }
        self.pump_all(now);
    }

    /// What sessions with a doomed key were made from has changed: they are dropped, with what was refused. A flight under way
    /// still answers those who waited for it before the change, and is not kept; one that has not begun ends. An ask that was
    /// planned before the change and comes after it is denied.
    pub fn forget(&mut self, now: Moment, doomed: impl Fn(&K) -> bool + Send + 'static) {
        self.shelf.forget(&doomed);
        for group in self.refusals.forget(&doomed) {
            self.move_lanes(now, &group);
        }
        let ids: Vec<FlightId> =
            self.flights.iter().filter(|(_, flight)| doomed(&flight.key)).map(|(id, _)| *id).collect();
        for id in ids {
            match self.flights.get_mut(&id) {
                Some(flight) if matches!(flight.phase, Phase::Flying(_)) => {
                    flight.is_outdated = true;
                    if std::mem::replace(&mut flight.sharing, Sharing::Nobody) == Sharing::SameKey {
                        self.by_key.remove(&flight.key);
                    }
                }
                _ => self.drop_flight(now, id, &Why::Changed),
            }
        }
        self.changes.doom(now.steady, Box::new(doomed));
        self.pump_all(now);
    }

    /// New bounds, from now on.
    pub fn set_limits(&mut self, now: Moment, limits: Limits) {
        self.changes.pass();
        self.limits = limits;
        self.counts.evicted += self.shelf.set_bound(now, limits.max_sessions);
        self.refusals.set_bound(limits.max_flights());
        for place in self.places.values_mut() {
            place.set_rate(now.steady, limits.rate);
        }
        self.pump_all(now);
    }

    /// Answers everybody, drops everything, starts nothing more.
    pub fn close(&mut self, now: Moment) {
        self.closed = true;
        let ids: Vec<FlightId> = self.flights.keys().copied().collect();
        for id in ids {
            self.drop_flight(now, id, &Why::Closing);
        }
        self.shelf.forget(|_| true);
        self.refusals.forget(|_| true);
    }

    /// Totals and gauges.
    pub fn counts(&self, now: Moment) -> Counts {
        let flying = self.flights.values().filter(|flight| matches!(flight.phase, Phase::Flying(_))).count();
        let paused = self.places.values().filter(|place| place.is_paused(now.steady)).count();
        let burst = u64::from(self.limits.rate.burst.get());
        let gauge = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Counts {
            kept: gauge(self.shelf.len()),
            queued: gauge(self.flights.len() - flying),
            flying: gauge(flying),
            waiting: gauge(self.waiters.len()),
            paused: gauge(paused),
            tokens: self.places.values().map(|place| place.tokens(now.steady)).min().unwrap_or(burst),
            pause_left: self
                .places
                .values()
                .map(|place| place.pause_left(now.steady))
                .max()
                .unwrap_or_default(),
            ..self.counts
        }
    }

    /// A session that an impatient caller used is due: made again without being asked, if it was used.
    fn renew_ahead(&mut self, now: Moment, key: &K) {
        let Some(entry) = self.shelf.usable(now, key) else {
            return self.shelf.wake_again(key, now.steady + UNUSABLE_REST);
        };
        let used = now.steady.saturating_sub(entry.asked) <= entry.kept.whole();
        let wanted = self.limits.renewal == Renewal::Ahead && entry.order.mode == Mode::AtOnce && used;
        if !wanted || self.by_key.contains_key(key) {
            return;
        }
        let (order, asked) = (entry.order.clone(), entry.asked);
        let id = self.begin(now, key.clone(), Sharing::SameKey, order, Cause::Ahead);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.asked = asked;
        }
    }

    /// Makes a flight and puts it in line.
    fn begin(&mut self, now: Moment, key: K, sharing: Sharing, order: Order<W>, cause: Cause) -> FlightId {
        self.next_id += 1;
        let id = FlightId(self.next_id);
        if sharing == Sharing::SameKey {
            self.by_key.insert(key.clone(), id);
        }
        let flight = Flight {
            key,
            sharing,
            tickets: vec![order.caller.clone()],
            order,
            cause,
            waiters: Vec::new(),
            phase: Phase::Resting(now.steady),
            asked: now.steady,
            kept_until: now.steady + KEPT_QUEUED,
            failures: 0,
            last: None,
            is_outdated: false,
        };
        self.flights.insert(id, flight);
        self.enqueue(now, id, End::Back);
        id
    }

    fn enqueue(&mut self, now: Moment, id: FlightId, end: End) {
        let Some(flight) = self.flights.get_mut(&id) else { return };
        let is_shared = flight.sharing == Sharing::SameKey;
        let old = is_shared.then(|| self.shelf.due(now, &flight.key)).flatten();
        let lane = match (flight.order.rank, old) {
            (Rank::First, _) => Lane::First,
            (Rank::Spare, _) => Lane::Spare,
            // whoever has a session was not refused, whatever others of its group are
            (Rank::InTurn, Some(due)) => Lane::Renewal(due),
            (Rank::InTurn, None) if self.refusals.is_suspect(&flight.order.group) => Lane::Suspect,
            (Rank::InTurn, None) => Lane::Urgent,
        };
        flight.phase = Phase::Queued(lane);
        let rate = self.limits.rate;
        let place = self.places.entry(flight.order.place.clone()).or_insert_with(|| Turnstile::new(rate));
        place.push(now.steady, lane, &flight.tickets, id, end);
    }

    fn dequeue(&mut self, id: FlightId) {
        let Some(flight) = self.flights.get(&id) else { return };
        match flight.phase {
            Phase::Queued(lane) => {
                if let Some(place) = self.places.get_mut(&flight.order.place) {
                    place.remove(lane, &flight.tickets, id);
                }
            }
            Phase::Resting(until) => {
                self.resting.remove(&(until, id));
            }
            Phase::Flying(_) => {}
        }
    }

    /// Lets flights of `place` start as far as its quota goes.
    fn pump(&mut self, now: Moment, place: &Place) {
        while let Some(id) = self.places.get_mut(place).and_then(|place| place.pass(now.steady)) {
            self.dequeue(id);
            let Some(flight) = self.flights.get_mut(&id) else { continue };
            flight.phase = Phase::Flying(now);
            self.counts.started += 1;
            let work = flight.order.work.clone();
            self.decisions.push(Decision::Start { flight: id, work, cause: flight.cause });
        }
    }

    fn pump_all(&mut self, now: Moment) {
        let places: Vec<Place> = self.places.keys().cloned().collect();
        for place in places {
            self.pump(now, &place);
        }
    }

    /// `group` has become suspect or is no longer: its flights in line change lanes.
    fn move_lanes(&mut self, now: Moment, group: &Group) {
        let mut ids: Vec<FlightId> = self
            .flights
            .iter()
            .filter(|(_, flight)| flight.order.group == *group && matches!(flight.phase, Phase::Queued(_)))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        for id in ids {
            self.dequeue(id);
            self.enqueue(now, id, End::Back);
        }
    }

    /// Ends a flight without a session; whoever waits for it is told `why`, or gets an old session.
    fn drop_flight(&mut self, now: Moment, id: FlightId, why: &Why<E>) {
        self.dequeue(id);
        self.answer_all(now, id, why, LEAST_HINT);
        let Some(flight) = self.flights.remove(&id) else { return };
        if flight.sharing == Sharing::SameKey {
            self.by_key.remove(&flight.key);
        }
    }

    fn answer_all(&mut self, now: Moment, id: FlightId, why: &Why<E>, retry_in: Duration) {
        let Some(flight) = self.flights.get_mut(&id) else { return };
        let waiters = std::mem::take(&mut flight.waiters);
        self.answer(now, id, &waiters, why, retry_in);
    }

    /// Tells `waiters`, who no longer stand in the flight's list.
    fn answer(&mut self, now: Moment, id: FlightId, waiters: &[Waiter], why: &Why<E>, retry_in: Duration) {
        for Waiter { id: waiter, .. } in waiters.iter().copied() {
            self.waiters.remove(&waiter);
            let reply = self.without_new(now, id, why.clone(), retry_in);
            self.decisions.push(Decision::Answer { waiter, reply });
        }
    }

    /// The answer to someone who waited for the flight `id` in vain: the old session while it may be served.
    fn without_new(&mut self, now: Moment, id: FlightId, why: Why<E>, retry_in: Duration) -> Reply<S, E> {
        let shared = self.flights.get(&id).filter(|flight| flight.sharing == Sharing::SameKey);
        match shared.and_then(|flight| self.shelf.usable(now, &flight.key)) {
            Some(entry) => {
                self.counts.stale += 1;
                Reply::Granted(entry.kept.grant(now, Freshness::Stale(why)))
            }
            None => self.denied(why, retry_in),
        }
    }

    fn granted(&mut self, grant: Grant<S, E>) -> Reply<S, E> {
        match &grant.freshness {
            Freshness::New => self.counts.fresh += 1,
            Freshness::Shared => self.counts.shared += 1,
            Freshness::Renewing => self.counts.renewing += 1,
            Freshness::Stale(_) => self.counts.stale += 1,
        }
        Reply::Granted(grant)
    }

    fn denied(&mut self, why: Why<E>, retry_in: Duration) -> Reply<S, E> {
        self.counts.denied += 1;
        Reply::Denied { why, retry_in: retry_in.max(LEAST_HINT) }
    }

    /// How long until `id` may have started, roughly.
    fn outlook(&self, now: Moment, id: FlightId) -> Duration {
        let Some(flight) = self.flights.get(&id) else { return Duration::ZERO };
        match flight.phase {
            Phase::Flying(_) => Duration::ZERO,
            Phase::Resting(until) => until.saturating_sub(now.steady),
            Phase::Queued(lane) => {
                let place = self.places.get(&flight.order.place);
                place.map_or(Duration::ZERO, |place| place.backlog(now.steady, lane))
            }
        }
    }
}
