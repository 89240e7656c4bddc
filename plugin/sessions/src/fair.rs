//! A queue in which callers take turns.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::ask::Caller;
use crate::ids::FlightId;

/// Round robin over callers, first come first served within one caller.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    /// Whose turn is when. Holds exactly the callers of `lines`.
    turns: BTreeMap<i64, Caller>,
    lines: HashMap<Caller, Line>,
    last_turn: i64,
    first_turn: i64,
}

#[derive(Debug)]
struct Line {
    turn: i64,
    flights: VecDeque<FlightId>,
}

/// Which end of its line, and of the round, a flight joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has had its turn and could not use it.
    Front,
    /// As everybody.
    Back,
}

impl FairQueue {
    pub(crate) fn push(&mut self, caller: &Caller, flight: FlightId, end: End) {
        if end == End::Front {
            self.first_turn -= 1;
            self.move_to(caller, self.first_turn);
        } else if !self.lines.contains_key(caller) {
            self.last_turn += 1;
            self.move_to(caller, self.last_turn);
        }
        if let Some(line) = self.lines.get_mut(caller) {
            match end {
                End::Front => line.flights.push_front(flight),
                End::Back => line.flights.push_back(flight),
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<FlightId> {
        let (_, caller) = self.turns.pop_first()?;
        let line = self.lines.get_mut(&caller)?;
        let flight = line.flights.pop_front();
        if line.flights.is_empty() {
            self.lines.remove(&caller);
        } else {
            self.last_turn += 1;
            line.turn = self.last_turn;
            self.turns.insert(self.last_turn, caller);
        }
        flight
    }

    /// Takes `flight` out of the line of `caller`, if it is there.
    pub(crate) fn remove(&mut self, caller: &Caller, flight: FlightId) {
        let Some(line) = self.lines.get_mut(caller) else { return };
        line.flights.retain(|waiting| *waiting != flight);
        if line.flights.is_empty() {
            self.turns.remove(&line.turn);
            self.lines.remove(caller);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// How many flights `caller` has in line.
    pub(crate) fn len_of(&self, caller: &Caller) -> usize {
        self.lines.get(caller).map_or(0, |line| line.flights.len())
    }

    fn move_to(&mut self, caller: &Caller, turn: i64) {
        let line =
            self.lines.entry(caller.clone()).or_insert_with(|| Line { turn, flights: VecDeque::new() });
        self.turns.remove(&line.turn);
        line.turn = turn;
        self.turns.insert(turn, caller.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(tickets: &[(&str, u64)]) -> FairQueue {
        let mut queue = FairQueue::default();
        for (caller, flight) in tickets {
            queue.push(&Caller::new(caller), FlightId(*flight), End::Back);
        }
        queue
    }

    fn drained(mut queue: FairQueue) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop()).map(|flight| flight.0).collect()
    }

    #[test]
    fn a_caller_with_many_flights_waits_for_those_with_one() {
        let queue = queue(&[("greedy", 1), ("greedy", 2), ("greedy", 3), ("modest", 4), ("shy", 5)]);

        assert_eq!(drained(queue), [1, 4, 5, 2, 3]);
    }

    #[test]
    fn a_flight_pushed_to_the_front_is_next() {
        let mut queue = queue(&[("a", 1), ("b", 2), ("a", 3)]);

        queue.push(&Caller::new("b"), FlightId(9), End::Front);

        assert_eq!(drained(queue), [9, 1, 2, 3]);
    }

    #[test]
    fn a_removed_flight_leaves_nothing_behind() {
        let mut queue = queue(&[("a", 1), ("b", 2)]);

        queue.remove(&Caller::new("a"), FlightId(1));
        queue.remove(&Caller::new("b"), FlightId(2));

        assert!(queue.is_empty());
        assert!(queue.lines.is_empty() && queue.turns.is_empty());
    }
}
