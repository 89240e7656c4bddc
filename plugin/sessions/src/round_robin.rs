//! A queue that serves its requesters in turn.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::ids::FlightId;
use crate::request::Requester;

/// Round robin over requesters; first come, first served within one requester.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    /// The requesters by the number of their next turn: exactly the requesters of `lines`.
    turns: BTreeMap<i64, Requester>,
    lines: HashMap<Requester, RequesterLine>,
    last_turn: i64,
    first_turn: i64,
}

#[derive(Debug)]
struct RequesterLine {
    turn: i64,
    flights: VecDeque<FlightId>,
}

/// The end of its line, and of the round, at which a flight joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The flight had its turn and could not use it.
    Front,
    /// The flight waits its turn.
    Back,
}

impl RoundRobin {
    pub(crate) fn push(&mut self, requester: &Requester, flight: FlightId, end: End) {
        if end == End::Front {
            self.first_turn -= 1;
            self.move_to(requester, self.first_turn);
        } else if !self.lines.contains_key(requester) {
            self.last_turn += 1;
            self.move_to(requester, self.last_turn);
        }
        if let Some(line) = self.lines.get_mut(requester) {
            match end {
                End::Front => line.flights.push_front(flight),
                End::Back => line.flights.push_back(flight),
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<FlightId> {
        let (_, requester) = self.turns.pop_first()?;
        let line = self.lines.get_mut(&requester)?;
        let flight = line.flights.pop_front();
        if line.flights.is_empty() {
            self.lines.remove(&requester);
        } else {
            self.last_turn += 1;
            line.turn = self.last_turn;
            self.turns.insert(self.last_turn, requester);
        }
        flight
    }

    /// Removes `flight` from the line of `requester`, if it is there.
    pub(crate) fn remove(&mut self, requester: &Requester, flight: FlightId) {
        let Some(line) = self.lines.get_mut(requester) else { return };
        line.flights.retain(|waiting| *waiting != flight);
        if line.flights.is_empty() {
            self.turns.remove(&line.turn);
            self.lines.remove(requester);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The number of flights that `requester` has in line.
    pub(crate) fn len_of(&self, requester: &Requester) -> usize {
        self.lines.get(requester).map_or(0, |line| line.flights.len())
    }

    fn move_to(&mut self, requester: &Requester, turn: i64) {
        let line = self
            .lines
            .entry(requester.clone())
            .or_insert_with(|| RequesterLine { turn, flights: VecDeque::new() });
        self.turns.remove(&line.turn);
        line.turn = turn;
        self.turns.insert(turn, requester.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(tickets: &[(&str, u64)]) -> RoundRobin {
        let mut queue = RoundRobin::default();
        for (requester, flight) in tickets {
            queue.push(&Requester::new(requester), FlightId(*flight), End::Back);
        }
        queue
    }

    fn drained(mut queue: RoundRobin) -> Vec<u64> {
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

        queue.push(&Requester::new("b"), FlightId(9), End::Front);

        assert_eq!(drained(queue), [9, 1, 2, 3]);
    }

    #[test]
    fn a_removed_flight_leaves_nothing_behind() {
        let mut queue = queue(&[("a", 1), ("b", 2)]);

        queue.remove(&Requester::new("a"), FlightId(1));
        queue.remove(&Requester::new("b"), FlightId(2));

        assert!(queue.is_empty());
        assert!(queue.lines.is_empty() && queue.turns.is_empty());
    }
}
