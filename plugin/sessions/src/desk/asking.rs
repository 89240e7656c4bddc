//! Someone asks, and someone leaves.

use std::hash::Hash;
use std::time::Duration;

use super::{Desk, KEPT_QUEUED, LEAST_HINT, Step};
use crate::ask::{Ask, Mode, Rank, Sharing};
use crate::fair::End;
use crate::flight::{Cause, Flight, Phase, Waiter};
use crate::ids::{FlightId, WaiterId};
use crate::lanes::Lane;
use crate::moment::Moment;
use crate::reply::{Freshness, Grant, Reply, Why};

/// When to ask again where the queue is full.
const FULL_HINT: Duration = Duration::from_secs(10);

impl<K: Clone + Eq + Hash, S: Clone, E: Clone, W: Clone> Desk<K, S, E, W> {
    /// A caller asks for a session. One that was planned before a change of its key is denied as [`Changed`](Why::Changed).
    pub fn ask(&mut self, now: Moment, ask: Ask<K, W>) -> Step<S, E> {
        if self.closed {
            return Step::Done(self.denied(Why::Closing, LEAST_HINT));
        }
        if self.changes.is_outdated(ask.order.epoch, &ask.key) {
            return Step::Done(self.denied(Why::Changed, LEAST_HINT));
        }
        let place = ask.order.place.clone();
        let step = match ask.sharing {
            Sharing::Nobody => self.ask_for_new(now, ask),
            Sharing::SameKey => self.ask_shared(now, ask),
        };
        self.pump(now, &place);
        step
    }

    /// A waiter leaves, or its patience ends. The answer is what there is instead: an old session, or why there is none. The
    /// flight goes on for the others and for the next ask.
    pub fn give_up(&mut self, now: Moment, waiter: WaiterId) -> Reply<S, E> {
        let Some(id) = self.waiters.remove(&waiter) else {
            return self.denied(Why::Lost, LEAST_HINT);
        };
        let Some(flight) = self.flights.get_mut(&id) else {
            return self.denied(Why::Lost, LEAST_HINT);
        };
        flight.waiters.retain(|waiting| waiting.id != waiter);
        let is_flying = matches!(flight.phase, Phase::Flying(_));
        let is_orphan = flight.sharing == Sharing::Nobody && flight.waiters.is_empty() && !is_flying;
        let why = flight.why();
        let retry_in = self.outlook(now, id);
        let reply = self.without_new(now, id, why, retry_in);
        if is_orphan {
            self.drop_flight(now, id, &Why::Busy);
        }
        reply
    }

    fn ask_shared(&mut self, now: Moment, ask: Ask<K, W>) -> Step<S, E> {
        self.shelf.touch(now, &ask.key, &ask.order);
        let Some(entry) = self.shelf.usable(now, &ask.key) else {
            return self.ask_for_new(now, ask);
        };
        let grant = entry.kept.grant(now, Freshness::Shared);
        if entry.kept.is_due(now) {
            return self.ask_due(now, ask, grant);
        }
        Step::Done(self.granted(grant))
    }

    fn ask_for_new(&mut self, now: Moment, ask: Ask<K, W>) -> Step<S, E> {
        let (mode, patience) = (ask.order.mode, ask.patience);
        if let Some((why, left)) = self.refusals.of(now.steady, &ask.key) {
            return Step::Done(self.denied(why, left));
        }
        match self.join(now, ask) {
            Ok(flight) => match self.vain(now, flight, patience) {
                Some((why, left)) => Step::Done(self.denied(why, left)),
                None => Step::Wait(self.wait_for(flight, mode, now.steady + patience)),
            },
            Err(why) => Step::Done(self.denied(why, FULL_HINT)),
        }
    }

    /// Why it is vain to wait: the flight has failed and rests for longer than the caller has patience, or it is the caller's
    /// alone and would come to its turn when the caller is about to leave. Such a session nobody would have, so it must not be
    /// asked for: under load every turn would go to somebody who is leaving.
    fn vain(&mut self, now: Moment, id: FlightId, patience: Duration) -> Option<(Why<E>, Duration)> {
        let left = self.outlook(now, id);
        let flight = self.flights.get(&id)?;
        if flight.sharing == Sharing::Nobody && left > patience / 4 * 3 {
            self.drop_flight(now, id, &Why::Busy);
            return Some((Why::Busy, left.max(LEAST_HINT)));
        }
        let Phase::Resting(_) = flight.phase else { return None };
        flight.last.clone().filter(|_| left >= patience).map(|why| (why, left))
    }

    /// A usable session is there, and past its half-life.
    fn ask_due(&mut self, now: Moment, ask: Ask<K, W>, old: Grant<S, E>) -> Step<S, E> {
        let (mode, patience) = (ask.order.mode, ask.patience);
        let joined = match self.refusals.of(now.steady, &ask.key) {
            Some((why, _)) => Err(why),
            None => self.join(now, ask),
        };
        let freshness = match joined {
            Err(why) => Freshness::Stale(why),
            Ok(id) => match (self.setback(id), mode) {
                (Some(why), _) => Freshness::Stale(why),
                (None, Mode::AtOnce) => Freshness::Renewing,
                (None, Mode::Patient) if self.outlook(now, id) >= patience => Freshness::Stale(Why::Busy),
                (None, Mode::Patient) => return Step::Wait(self.wait_for(id, mode, now.steady + patience)),
            },
        };
        Step::Done(self.granted(Grant { freshness, ..old }))
    }

    /// The flight that will answer `ask`: one that is there for its key, or a new one.
    fn join(&mut self, now: Moment, ask: Ask<K, W>) -> Result<FlightId, Why<E>> {
        if ask.sharing == Sharing::SameKey
            && let Some(id) = self.by_key.get(&ask.key).copied()
        {
            self.join_flight(now, id, &ask);
            return Ok(id);
        }
        let place = self.places.get(&ask.order.place);
        let of_this_caller = place.map_or(0, |place| place.len_of(&ask.order.caller));
        let is_full = self.flights.len() >= self.limits.max_flights()
            || of_this_caller >= self.limits.max_flights_of_one();
        if is_full && ask.order.rank != Rank::First {
            return Err(Why::Full);
        }
        Ok(self.begin(now, ask.key, ask.sharing, ask.order, Cause::Asked))
    }

    fn join_flight(&mut self, now: Moment, id: FlightId, ask: &Ask<K, W>) {
        let Some(flight) = self.flights.get_mut(&id) else { return };
        flight.asked = now.steady;
        flight.kept_until = now.steady + KEPT_QUEUED;
        let rank = flight.order.rank;
        flight.order.join(&ask.order);
        let is_raised = flight.order.rank != rank && matches!(flight.phase, Phase::Queued(_));
        flight.cause = Cause::Asked;
        let caller = &ask.order.caller;
        let has_room = flight.tickets.len() < Flight::<K, E, W>::MOST_TICKETS;
        if has_room && !flight.tickets.contains(caller) {
            flight.tickets.push(caller.clone());
            if let (Phase::Queued(lane), Some(place)) =
                (flight.phase, self.places.get_mut(&flight.order.place))
            {
                place.add(lane, caller, id);
            }
        }
        let is_renewal = matches!(flight.phase, Phase::Queued(Lane::Renewal(_)));
        if is_raised || (is_renewal && self.shelf.due(now, &ask.key).is_none()) {
            self.dequeue(id);
            self.enqueue(now, id, End::Back);
        }
    }

    fn wait_for(&mut self, id: FlightId, mode: Mode, leaves: Duration) -> WaiterId {
        self.next_id += 1;
        let waiter = WaiterId(self.next_id);
        self.waiters.insert(waiter, id);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.waiters.push(Waiter { id: waiter, mode, leaves });
        }
        waiter
    }

    fn setback(&self, id: FlightId) -> Option<Why<E>> {
        self.flights.get(&id).and_then(|flight| flight.last.clone())
    }
}
