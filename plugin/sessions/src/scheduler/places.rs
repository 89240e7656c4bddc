//! Which of its places makes a flight's session.
//!
//! A flight takes the first place of its key that answers and that can serve it in time. If an attempt gets no answer, the
//! flight goes on to the next place at once, and rests only after each one has been tried.

use std::time::Duration;

use super::Scheduler;
use crate::flight::{Flight, FlightPhase};
use crate::ids::FlightId;
use crate::key::Key;
use crate::now::Now;
use crate::priority_queue::Priority;
use crate::quota_queue::QuotaQueue;
use crate::request::QuotaScope;
use crate::round_robin::End;

/// The shortest bound of an attempt that another place follows.
const MIN_ATTEMPT: Duration = Duration::from_secs(1);

impl<K: Key, S: Clone, E: Clone, W: Clone> Scheduler<K, S, E, W> {
    /// Chooses the place for the next attempt of a flight that is about to be queued, and notes it.
    pub(super) fn choose(&mut self, now: Now, id: FlightId, priority: Priority) {
        let Some(flight) = self.flights.get(&id).filter(|flight| flight.places.len() > 1) else { return };
        let place = self.best(now.monotonic, flight, priority);
        let scope = flight.places[place].clone();
        self.queue_of(&scope).health.chosen(now.monotonic, id);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.place = place;
        }
    }

    fn best(&self, now: Duration, flight: &Flight<K, E, W>, priority: Priority) -> usize {
        let queue = |place: usize| self.queues.get(&flight.places[place]);
        let untried = || (0..flight.places.len()).filter(|place| !flight.has_tried(*place));
        let is_admitted = |place: &usize| queue(*place).is_none_or(|queue| queue.health.admits(now));
        let wait = |place: &usize| queue(*place).map_or(Duration::ZERO, |queue| queue.backlog(now, priority));
        let in_time = untried().filter(is_admitted).find(|place| wait(place) <= flight.patience / 2);
        in_time
            .or_else(|| untried().filter(is_admitted).min_by_key(wait))
            .or_else(|| untried().min_by_key(|place| queue(*place).map(|queue| queue.health.admits_at())))
            .unwrap_or(0)
    }

    /// The bound of a flight's attempt: a part of the caller's patience while another place is left to try.
    pub(super) fn attempt_limit(&self, now: Now, flight: &Flight<K, E, W>) -> Duration {
        let whole = self.limits.flight_timeout;
        if self.has_next(now, flight, flight.place) {
            whole.min(MIN_ATTEMPT.max(flight.patience / 3))
        } else {
            whole
        }
    }

    /// Whether a place is left that was not tried in this round, beside `but`, and that takes flights now.
    fn has_next(&self, now: Now, flight: &Flight<K, E, W>, but: usize) -> bool {
        (0..flight.places.len()).any(|place| {
            let queue = self.queues.get(&flight.places[place]);
            place != but
                && !flight.has_tried(place)
                && queue.is_none_or(|queue| queue.health.admits(now.monotonic))
        })
    }

    /// An attempt got an answer from its place.
    pub(super) fn place_answered(&mut self, scope: &QuotaScope) {
        if let Some(queue) = self.queues.get_mut(scope) {
            queue.health.answered();
        }
    }

    /// An attempt ended and says nothing of its place. If it was the place's probe, the next flight is.
    pub(super) fn place_unknown(&mut self, now: Now, id: FlightId) {
        let scope = self.flights.get(&id).map(|flight| flight.scope().clone());
        if let Some(queue) = scope.and_then(|scope| self.queues.get_mut(&scope)) {
            queue.health.left(now.monotonic, id);
        }
    }

    /// An attempt got no answer. Returns true if the flight goes on to another place.
    pub(super) fn fails_over(&mut self, now: Now, id: FlightId) -> bool {
        let jitter = self.rng.f64();
        let Some(flight) = self.flights.get_mut(&id).filter(|flight| flight.places.len() > 1) else {
            return false;
        };
        let (scope, place) = (flight.scope().clone(), flight.place);
        flight.try_place(place);
        let opens = self.queue_of(&scope).health.failed(now.monotonic, id, jitter);
        let Some(flight) = self.flights.get(&id) else { return false };
        let goes_on = !flight.is_outdated && self.has_next(now, flight, place);
        if goes_on {
            self.counts.failed_over += 1;
            self.enqueue(now, id, End::Front);
        } else if let Some(flight) = self.flights.get_mut(&id) {
            flight.begin_round();
        }
        if opens {
            self.move_away(now, &scope);
        }
        goes_on
    }

    /// The flights that wait for a place which has opened choose again.
    fn move_away(&mut self, now: Now, scope: &QuotaScope) {
        let waits = |flight: &Flight<K, E, W>| {
            flight.places.len() > 1
                && flight.scope() == scope
                && matches!(flight.phase, FlightPhase::Queued(_))
        };
        let mut ids: Vec<FlightId> =
            self.flights.iter().filter(|(_, flight)| waits(flight)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        for id in ids {
            self.leave_queue(now, id);
            self.enqueue(now, id, End::Back);
        }
        self.pump_all(now);
    }

    /// Takes a flight that has not begun out of its queue; if it was to probe its place, the next one is.
    pub(super) fn leave_queue(&mut self, now: Now, id: FlightId) {
        self.dequeue(id);
        let Some(flight) = self.flights.get(&id) else { return };
        if let Some(queue) = self.queues.get_mut(flight.scope()) {
            queue.health.left(now.monotonic, id);
        }
    }

    /// The queue of a place, a new one if there is none.
    pub(super) fn queue_of(&mut self, scope: &QuotaScope) -> &mut QuotaQueue {
        let rate = self.limits.rate;
        self.queues.entry(scope.clone()).or_insert_with(|| QuotaQueue::new(rate))
    }
}
