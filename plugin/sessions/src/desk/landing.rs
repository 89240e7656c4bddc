//! A flight ends, one way or the other.

use std::hash::Hash;
use std::time::Duration;

use super::{Decision, Desk, LEAST_HINT};
use crate::ask::{Mode, Rank, Sharing};
use crate::fair::End;
use crate::flight::{Made, Outcome, Phase, Waiter};
use crate::ids::FlightId;
use crate::kept::Kept;
use crate::moment::Moment;
use crate::reply::{Freshness, Why};

const FIRST_REST: Duration = Duration::from_millis(200);
const LONGEST_REST: Duration = Duration::from_secs(15);
/// Further attempts before a caller that wants its answer now is told: SDKs show a failure that comes before they leave, and ask
/// again themselves while the flight goes on.
const HASTY_RETRIES: u32 = 2;
/// A renewal ahead that was refused is tried again after this long, while the old session lives.
const REFUSED_REST: Duration = Duration::from_mins(1);

impl<K: Clone + Eq + Hash, S: Clone, E: Clone, W: Clone> Desk<K, S, E, W> {
    /// An attempt that [`Decision::Start`] began has ended. To be called once for each.
    pub fn landed(&mut self, now: Moment, id: FlightId, outcome: Outcome<S, E>) {
        let Some(flight) = self.flights.get(&id) else { return };
        let Phase::Flying(started) = flight.phase else { return };
        let place = flight.order.place.clone();
        match outcome {
            Outcome::Made(made) => self.made(now, id, started, made),
            Outcome::Refused(error) => self.refused(now, id, &Why::Refused(error)),
            Outcome::Lost => self.refused(now, id, &Why::Lost),
            Outcome::Unreachable(error) => self.unreachable(now, id, &Why::Unreachable(error)),
            Outcome::Overdue => self.unreachable(now, id, &Why::Slow),
            Outcome::Throttled { error, retry_after } => {
                let luck = self.dice.f64();
                if let Some(place) = self.places.get_mut(&place) {
                    place.throttled(now.steady, started.steady, retry_after, luck);
                }
                self.throttled(now, id, &Why::Throttled(error));
            }
        }
        self.pump(now, &place);
    }

    fn made(&mut self, now: Moment, id: FlightId, started: Moment, made: Made<S>) {
        let luck = self.dice.f64();
        let Some(flight) = self.flights.get(&id) else { return };
        let Some(kept) = Kept::new(made, started, flight.order.duration, now, luck) else {
            return self.refused(now, id, &Why::BornExpired);
        };
        let Some(flight) = self.flights.remove(&id) else { return };
        self.counts.issued += 1;
        if let Some(place) = self.places.get_mut(&flight.order.place) {
            place.succeeded();
        }
        for (nth, waiter) in flight.waiters.into_iter().enumerate() {
            self.waiters.remove(&waiter.id);
            let freshness = if nth == 0 { Freshness::New } else { Freshness::Shared };
            let reply = self.granted(kept.grant(now, freshness));
            self.decisions.push(Decision::Answer { waiter: waiter.id, reply });
        }
        let group = flight.order.group.clone();
        let was_suspect = self.refusals.succeeded(&flight.key, &group);
        if flight.sharing == Sharing::SameKey {
            self.by_key.remove(&flight.key);
            self.counts.evicted += self.shelf.insert(now, &flight.key, kept, flight.order, flight.asked);
        }
        if was_suspect {
            self.move_lanes(now, &group);
        }
    }

    fn refused(&mut self, now: Moment, id: FlightId, why: &Why<E>) {
        self.counts.refused += 1;
        let Some(flight) = self.flights.get(&id) else { return };
        if flight.is_outdated {
            return self.drop_flight(now, id, why);
        }
        let (key, group) = (flight.key.clone(), flight.order.group.clone());
        let is_suspect_now = self.refusals.remember(now.steady, &key, &group, why.clone());
        let rest = self.refusals.of(now.steady, &key).map_or(LEAST_HINT, |(_, left)| left);
        self.answer_all(now, id, why, rest);
        self.drop_flight(now, id, why);
        self.shelf.wake_again(&key, now.steady + REFUSED_REST);
        if is_suspect_now {
            self.move_lanes(now, &group);
        }
    }

    fn unreachable(&mut self, now: Moment, id: FlightId, why: &Why<E>) {
        self.counts.unreachable += 1;
        self.rest(now, id, why);
    }

    /// Another attempt follows after a while, which grows; waiters are told once there were enough of them.
    fn rest(&mut self, now: Moment, id: FlightId, why: &Why<E>) {
        let luck = self.dice.f64();
        let Some(flight) = self.flights.get_mut(&id) else { return };
        flight.failures = flight.failures.saturating_add(1);
        let doubled = FIRST_REST.saturating_mul(1 << (flight.failures - 1).min(10)).min(LONGEST_REST);
        let rest = doubled.mul_f64(1.0 + luck);
        let (failures, retries) = (flight.failures, self.limits.max_retries);
        let next = now.steady + rest;
        let is_told = move |waiter: &Waiter| match waiter.mode {
            Mode::Patient => failures > retries,
            // nor is it kept for an attempt that would begin after it has left
            Mode::AtOnce => failures > retries.min(HASTY_RETRIES) || waiter.leaves <= next,
        };
        if !self.set_back(now, id, why, is_told, rest) {
            return;
        }
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.phase = Phase::Resting(next);
            self.resting.insert((next, id));
        }
    }

    fn throttled(&mut self, now: Moment, id: FlightId, why: &Why<E>) {
        self.counts.throttled += 1;
        if self.flights.get(&id).is_some_and(|flight| flight.order.rank == Rank::First) {
            // no pause holds it, so that it has one of its own
            return self.rest(now, id, why);
        }
        if self.set_back(now, id, why, |waiter| waiter.mode == Mode::AtOnce, LEAST_HINT) {
            self.enqueue(now, id, End::Front);
        }
    }

    /// Notes why there is no session yet. Waiters with an old session get it now, of the others those who are to be told, by `is_told`. False
    /// when the flight has ended.
    fn set_back(
        &mut self,
        now: Moment,
        id: FlightId,
        why: &Why<E>,
        is_told: impl Fn(&Waiter) -> bool,
        retry_in: Duration,
    ) -> bool {
        let Some(flight) = self.flights.get_mut(&id) else { return false };
        if flight.is_outdated {
            self.drop_flight(now, id, &Why::Changed);
            return false;
        }
        flight.last = Some(why.clone());
        let is_shared = flight.sharing == Sharing::SameKey;
        let has_old = is_shared && self.shelf.usable(now, &flight.key).is_some();
        let (told, waiting): (Vec<Waiter>, Vec<Waiter>) =
            flight.waiters.iter().partition(|waiter| has_old || is_told(waiter));
        let is_wanted = is_shared || !waiting.is_empty();
        flight.waiters = waiting;
        self.answer(now, id, &told, why, retry_in);
        if !is_wanted {
            self.drop_flight(now, id, why);
        }
        is_wanted
    }
}
