//! Requests, and callers that give up.

use std::time::Duration;

use super::{MIN_HINT, Scheduler, Step};
use crate::flight::{Ask, Cause, Flight, FlightPhase, KEPT_QUEUED, Waiter};
use crate::ids::{FlightId, WaiterId};
use crate::key::Key;
use crate::now::Now;
use crate::priority_queue::Priority;
use crate::reply::{CacheStatus, Grant, Reply, Why};
use crate::request::{Freshness, Rank, SessionRequest, Sharing};
use crate::round_robin::End;

/// When to request again after the queue was full.
const FULL_HINT: Duration = Duration::from_secs(10);

impl<K: Key, S: Clone, E: Clone, W: Clone> Scheduler<K, S, E, W> {
    /// Serves a request. One that was planned before a change of its key is denied as [`Changed`](Why::Changed).
    pub fn ask(&mut self, now: Now, ask: SessionRequest<K, W>) -> Step<S, E> {
        if self.closed {
            return Step::Done(self.denied(Why::Closing, MIN_HINT));
        }
        if self.invalidations.is_outdated(ask.spec.epoch, &ask.key) {
            return Step::Done(self.denied(Why::Changed, MIN_HINT));
        }
        let places = ask.key.places();
        let step = match ask.sharing {
            Sharing::Nobody => self.ask_for_new(now, ask),
            Sharing::SameKey => self.ask_shared(now, ask),
        };
        for place in places.iter() {
            self.pump(now, place);
        }
        step
    }

    /// A waiter leaves, or its deadline passes. Returns the old session, or why there is none. The flight goes on for
    /// the others and for the next request.
    pub fn give_up(&mut self, now: Now, waiter: WaiterId) -> Reply<S, E> {
        let Some(id) = self.waiters.remove(&waiter) else {
            return self.denied(Why::Lost, MIN_HINT);
        };
        let Some(flight) = self.flights.get_mut(&id) else {
            return self.denied(Why::Lost, MIN_HINT);
        };
        flight.waiters.retain(|waiting| waiting.id != waiter);
        let is_flying = matches!(flight.phase, FlightPhase::Flying(_));
        let is_orphan = flight.sharing == Sharing::Nobody && flight.waiters.is_empty() && !is_flying;
        let why = flight.why();
        let retry_in = self.outlook(now, id);
        let reply = self.without_new(now, id, why, retry_in);
        if is_orphan {
            self.drop_flight(now, id, &Why::Busy(K::CALL));
        }
        reply
    }

    fn ask_shared(&mut self, now: Now, ask: SessionRequest<K, W>) -> Step<S, E> {
        self.cache.touch(now, &ask.key, &ask.spec);
        let Some(entry) = self.cache.usable(now, &ask.key) else {
            return self.ask_for_new(now, ask);
        };
        let grant = entry.cached.grant(now, CacheStatus::Shared);
        if entry.cached.is_due(now) {
            return self.ask_due(now, ask, grant);
        }
        Step::Done(self.granted(grant))
    }

    fn ask_for_new(&mut self, now: Now, ask: SessionRequest<K, W>) -> Step<S, E> {
        let (freshness, deadline) = (ask.spec.freshness, ask.deadline);
        if let Some((why, left)) = self.negative_cache.of(now.monotonic, &ask.key) {
            return Step::Done(self.denied(why, left));
        }
        match self.join(now, ask) {
            Ok(flight) => match self.vain(now, flight, deadline) {
                Some((why, left)) => Step::Done(self.denied(why, left)),
                None => Step::Wait(self.wait_for(flight, freshness, now.monotonic + deadline)),
            },
            Err(why) => Step::Done(self.denied(why, FULL_HINT)),
        }
    }

    /// Why waiting is in vain: the flight has failed and rests past the deadline, or it serves this caller alone and
    /// would start when the caller is about to leave. Nobody would get such a session, so it must not be requested:
    /// under load every turn would go to a caller that is leaving.
    fn vain(&mut self, now: Now, id: FlightId, deadline: Duration) -> Option<(Why<E>, Duration)> {
        let left = self.outlook(now, id);
        let flight = self.flights.get(&id)?;
        if flight.sharing == Sharing::Nobody && left > deadline / 4 * 3 {
            self.drop_flight(now, id, &Why::Busy(K::CALL));
            return Some((Why::Busy(K::CALL), left.max(MIN_HINT)));
        }
        let FlightPhase::Resting(_) = flight.phase else { return None };
        flight.last.clone().filter(|_| left >= deadline).map(|why| (why, left))
    }

    /// A usable session is cached, and past its half-life.
    fn ask_due(&mut self, now: Now, ask: SessionRequest<K, W>, old: Grant<S, E>) -> Step<S, E> {
        let (freshness, deadline) = (ask.spec.freshness, ask.deadline);
        let joined = match self.negative_cache.of(now.monotonic, &ask.key) {
            Some((why, _)) => Err(why),
            None => self.join(now, ask),
        };
        let cache_status = match joined {
            Err(why) => CacheStatus::Stale(why),
            Ok(id) => match (self.setback(id), freshness) {
                (Some(why), _) => CacheStatus::Stale(why),
                (None, Freshness::StaleOk) => CacheStatus::Renewing,
                (None, Freshness::Prefer) if self.outlook(now, id) >= deadline => {
                    CacheStatus::Stale(Why::Busy(K::CALL))
                }
                (None, Freshness::Prefer) => {
                    return Step::Wait(self.wait_for(id, freshness, now.monotonic + deadline));
                }
            },
        };
        Step::Done(self.granted(Grant { cache_status, ..old }))
    }

    /// Returns the flight that answers `ask`: the one of its key, or a new one.
    fn join(&mut self, now: Now, ask: SessionRequest<K, W>) -> Result<FlightId, Why<E>> {
        if ask.sharing == Sharing::SameKey
            && let Some(id) = self.by_key.get(&ask.key).copied()
        {
            self.join_flight(now, id, &ask);
            return Ok(id);
        }
        let places = ask.key.places();
        let queues = places.iter().filter_map(|place| self.queues.get(place));
        let of_this_caller: usize = queues.map(|queue| queue.len_of(&ask.spec.requester)).sum();
        let is_full = self.flights.len() >= self.limits.max_flights()
            || of_this_caller >= self.limits.max_flights_of_one();
        if is_full && ask.spec.rank != Rank::First {
            return Err(Why::Full);
        }
        let of_it = Ask { sharing: ask.sharing, cause: Cause::Asked, patience: ask.deadline };
        Ok(self.begin(now, ask.key, ask.spec, of_it))
    }

    fn join_flight(&mut self, now: Now, id: FlightId, ask: &SessionRequest<K, W>) {
        let Some(flight) = self.flights.get_mut(&id) else { return };
        flight.asked = now.monotonic;
        flight.kept_until = now.monotonic + KEPT_QUEUED;
        let rank = flight.spec.rank;
        flight.spec.join(&ask.spec);
        let is_raised = flight.spec.rank != rank && matches!(flight.phase, FlightPhase::Queued(_));
        flight.cause = Cause::Asked;
        let requester = &ask.spec.requester;
        let has_room = flight.tickets.len() < Flight::<K, E, W>::MAX_TICKETS;
        if has_room && !flight.tickets.contains(requester) {
            flight.tickets.push(requester.clone());
            if let (FlightPhase::Queued(priority), Some(queue)) =
                (flight.phase, self.queues.get_mut(flight.scope()))
            {
                queue.add(priority, requester, id);
            }
        }
        let is_renewal = matches!(flight.phase, FlightPhase::Queued(Priority::Renewal(_)));
        if is_raised || (is_renewal && self.cache.due(now, &ask.key).is_none()) {
            self.leave_queue(now, id);
            self.enqueue(now, id, End::Back);
        }
    }

    fn wait_for(&mut self, id: FlightId, freshness: Freshness, leaves: Duration) -> WaiterId {
        self.next_id += 1;
        let waiter = WaiterId(self.next_id);
        self.waiters.insert(waiter, id);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.waiters.push(Waiter { id: waiter, freshness, leaves });
        }
        waiter
    }

    fn setback(&self, id: FlightId) -> Option<Why<E>> {
        self.flights.get(&id).and_then(|flight| flight.last.clone())
    }
}
