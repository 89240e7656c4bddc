//! The outcomes of attempts.

use std::time::Duration;

use super::{Decision, MIN_HINT, Scheduler};
use crate::cached_session::CachedSession;
use crate::flight::{FlightOutcome, FlightPhase, Made, Waiter};
use crate::ids::FlightId;
use crate::key::Key;
use crate::now::Now;
use crate::reply::{CacheStatus, Why};
use crate::request::{Freshness, Rank, Sharing};
use crate::round_robin::End;

const MIN_REST: Duration = Duration::from_millis(200);
const MAX_REST: Duration = Duration::from_secs(15);
/// Further attempts before a [`StaleOk`](Freshness::StaleOk) caller is told of the failure. SDKs report a failure that
/// comes before they give up, and request again while the flight goes on.
const HASTY_RETRIES: u32 = 2;
/// How long after a refused renewal the next one is tried, while the old session lives.
const REFUSED_REST: Duration = Duration::from_mins(1);

impl<K: Key, S: Clone, E: Clone, W: Clone> Scheduler<K, S, E, W> {
    /// Takes the outcome of an attempt that [`Decision::Start`] began. Call it once for each.
    pub fn landed(&mut self, now: Now, id: FlightId, outcome: FlightOutcome<S, E>) {
        let Some(flight) = self.flights.get(&id) else { return };
        let FlightPhase::Flying(started) = flight.phase else { return };
        let scope = flight.scope().clone();
        if is_answer(&outcome) {
            self.place_answered(&scope);
        }
        match outcome {
            FlightOutcome::Made(made) => self.made(now, id, started, made),
            FlightOutcome::Refused(error) => self.refused(now, id, &Why::Refused(error)),
            FlightOutcome::Lost => {
                self.place_unknown(now, id);
                self.refused(now, id, &Why::Lost);
            }
            FlightOutcome::Unreachable(error) => self.unreachable(now, id, &Why::Unreachable(error)),
            FlightOutcome::Overdue => self.unreachable(now, id, &Why::Slow(K::CALL)),
            FlightOutcome::NotTried(error) => {
                self.place_unknown(now, id);
                self.rest(now, id, &Why::Unreachable(error));
            }
            FlightOutcome::Throttled { error, retry_after } => {
                let jitter = self.rng.f64();
                if let Some(queue) = self.queues.get_mut(&scope) {
                    queue.throttled(now.monotonic, started.monotonic, retry_after, jitter);
                }
                self.throttled(now, id, &Why::Throttled(error));
            }
        }
        self.pump(now, &scope);
        if !self.is_in_one_place(id) {
            // the flight may wait elsewhere now
            self.pump_all(now);
        }
    }

    fn is_in_one_place(&self, id: FlightId) -> bool {
        self.flights.get(&id).is_none_or(|flight| flight.places.len() == 1)
    }

    fn made(&mut self, now: Now, id: FlightId, started: Now, made: Made<S>) {
        let jitter = self.rng.f64();
        let Some(flight) = self.flights.get(&id) else { return };
        let Some(cached) = CachedSession::new(made, started, flight.spec.duration, now, jitter) else {
            return self.refused(now, id, &Why::BornExpired);
        };
        let Some(flight) = self.flights.remove(&id) else { return };
        self.counts.issued += 1;
        if let Some(queue) = self.queues.get_mut(flight.scope()) {
            queue.succeeded();
        }
        for (nth, waiter) in flight.waiters.into_iter().enumerate() {
            self.waiters.remove(&waiter.id);
            let cache_status = if nth == 0 { CacheStatus::New } else { CacheStatus::Shared };
            let reply = self.granted(cached.grant(now, cache_status));
            self.decisions.push(Decision::Answer { waiter: waiter.id, reply });
        }
        let domain = flight.key.failure_domain();
        let was_penalized = self.negative_cache.succeeded(&flight.key);
        if flight.sharing == Sharing::SameKey {
            self.by_key.remove(&flight.key);
            self.counts.evicted += self.cache.insert(now, &flight.key, cached, flight.spec, flight.asked);
        }
        if was_penalized {
            self.requeue(now, &domain);
        }
    }

    fn refused(&mut self, now: Now, id: FlightId, why: &Why<E>) {
        self.counts.refused += 1;
        let Some(flight) = self.flights.get(&id) else { return };
        if flight.is_outdated {
            return self.drop_flight(now, id, why);
        }
        let key = flight.key.clone();
        let is_penalized_now = self.negative_cache.remember(now.monotonic, &key, why.clone());
        let rest = self.negative_cache.of(now.monotonic, &key).map_or(MIN_HINT, |(_, left)| left);
        self.answer_all(now, id, why, rest);
        self.drop_flight(now, id, why);
        self.cache.wake_again(&key, now.monotonic + REFUSED_REST);
        if is_penalized_now {
            self.requeue(now, &key.failure_domain());
        }
    }

    fn unreachable(&mut self, now: Now, id: FlightId, why: &Why<E>) {
        self.counts.unreachable += 1;
        if !self.fails_over(now, id) {
            self.rest(now, id, why);
        }
    }

    /// Schedules another attempt after a growing pause. Waiters are told of the failure after enough attempts.
    fn rest(&mut self, now: Now, id: FlightId, why: &Why<E>) {
        let jitter = self.rng.f64();
        let Some(flight) = self.flights.get_mut(&id) else { return };
        flight.failures = flight.failures.saturating_add(1);
        let doubled = MIN_REST.saturating_mul(1 << (flight.failures - 1).min(10)).min(MAX_REST);
        let rest = doubled.mul_f64(1.0 + jitter);
        let (failures, retries) = (flight.failures, self.limits.max_retries);
        let next = now.monotonic + rest;
        let is_answered = move |waiter: &Waiter| match waiter.freshness {
            Freshness::Prefer => failures > retries,
            // nor does it wait for an attempt that would begin after its deadline
            Freshness::StaleOk => failures > retries.min(HASTY_RETRIES) || waiter.leaves <= next,
        };
        if !self.set_back(now, id, why, is_answered, rest) {
            return;
        }
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.phase = FlightPhase::Resting(next);
            self.resting.insert((next, id));
        }
    }

    fn throttled(&mut self, now: Now, id: FlightId, why: &Why<E>) {
        self.counts.throttled += 1;
        if self.flights.get(&id).is_some_and(|flight| flight.spec.rank == Rank::First) {
            // no pause of the quota scope holds it, so it pauses on its own
            return self.rest(now, id, why);
        }
        if self.set_back(now, id, why, |waiter| waiter.freshness == Freshness::StaleOk, MIN_HINT) {
            self.enqueue(now, id, End::Front);
        }
    }

    /// Records why there is no session yet. Waiters that may have an old session get it now; of the others, those that
    /// `is_answered` selects are denied. Returns false if the flight has ended.
    fn set_back(
        &mut self,
        now: Now,
        id: FlightId,
        why: &Why<E>,
        is_answered: impl Fn(&Waiter) -> bool,
        retry_in: Duration,
    ) -> bool {
        let Some(flight) = self.flights.get_mut(&id) else { return false };
        if flight.is_outdated {
            self.drop_flight(now, id, &Why::Changed);
            return false;
        }
        flight.last = Some(why.clone());
        let is_shared = flight.sharing == Sharing::SameKey;
        let has_old = is_shared && self.cache.usable(now, &flight.key).is_some();
        let (answered, waiting): (Vec<Waiter>, Vec<Waiter>) =
            flight.waiters.iter().partition(|waiter| has_old || is_answered(waiter));
        let is_wanted = is_shared || !waiting.is_empty();
        flight.waiters = waiting;
        self.answer(now, id, &answered, why, retry_in);
        if !is_wanted {
            self.drop_flight(now, id, why);
        }
        is_wanted
    }
}

/// Whether the attempt's place answered, whatever it said.
fn is_answer<S, E>(outcome: &FlightOutcome<S, E>) -> bool {
    match outcome {
        FlightOutcome::Made(_) | FlightOutcome::Refused(_) | FlightOutcome::Throttled { .. } => true,
        FlightOutcome::Unreachable(_)
        | FlightOutcome::NotTried(_)
        | FlightOutcome::Overdue
        | FlightOutcome::Lost => false,
    }
}
