//! The order of the flights of one quota scope: first the flights that must not wait, then callers without a session,
//! renewals, penalized failure domains, and spare work.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::ids::FlightId;
use crate::request::Requester;
use crate::round_robin::{End, RoundRobin};

/// A session is in danger when less than this is left, or less than two fifths of its length. Its renewal then goes
/// before callers without a session, so that a backlog after an outage does not let further sessions expire. Two fifths
/// lie between the latest half-life (45 %), when no session is in danger yet, and the third below which no session is
/// served.
const DANGER: Duration = Duration::from_mins(20);
const DANGER_FIFTHS: u32 = 2;
/// One start in this many goes to the side that is not preferred, so that neither side starves the other.
const ROUND: u32 = 8;
/// Penalized failure domains get an eighth of the rate, so that a role which AWS refuses cannot use up the quota of the
/// others.
const PENALIZED_SHARE: u32 = 8;
/// Spare work gets a sixteenth of the rate while others wait, so that it finishes under any load.
const SPARE_SHARE: u32 = 16;

/// The priority of a flight: each has a queue of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// It must not wait.
    First,
    /// There is no session for its key: served by round robin over requesters.
    NoSession,
    /// It renews a session: those in danger by when they expire, the others by when their danger begins.
    Renewal(Due),
    /// The last attempts of its failure domain were all refused: served by round robin over requesters.
    Penalized,
    /// It takes what others leave: served by round robin over requesters.
    Spare,
}

/// When a session expires, and when its danger begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    ends: Duration,
    danger: Duration,
}

impl Due {
    /// The due times of a session of length `whole` that expires at `ends`.
    pub(crate) fn new(ends: Duration, whole: Duration) -> Self {
        Self { ends, danger: ends.saturating_sub(DANGER.min(whole * DANGER_FIFTHS / 5)) }
    }
}

#[derive(Debug, Default)]
pub(crate) struct PriorityQueue {
    first: VecDeque<FlightId>,
    no_session: RoundRobin,
    renewals: Renewals,
    penalized: RoundRobin,
    spare: RoundRobin,
    starts: u32,
    penalized_from: Duration,
    spare_from: Duration,
}

/// When tokens are available, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    /// When one token is available.
    pub(crate) any: Duration,
    /// When more than half of the burst is available.
    pub(crate) ample: Duration,
    /// The time between two starts in the long run.
    pub(crate) spacing: Duration,
}

impl PriorityQueue {
    pub(crate) fn push(&mut self, priority: Priority, requester: &Requester, flight: FlightId, end: End) {
        match priority {
            Priority::First => self.first.push_back(flight),
            Priority::NoSession => self.no_session.push(requester, flight, end),
            Priority::Penalized => self.penalized.push(requester, flight, end),
            Priority::Spare => self.spare.push(requester, flight, end),
            Priority::Renewal(due) => self.renewals.push(due, flight),
        }
    }

    pub(crate) fn remove(&mut self, priority: Priority, requester: &Requester, flight: FlightId) {
        match priority {
            Priority::First => self.first.retain(|waiting| *waiting != flight),
            Priority::NoSession => self.no_session.remove(requester, flight),
            Priority::Penalized => self.penalized.remove(requester, flight),
            Priority::Spare => self.spare.remove(requester, flight),
            Priority::Renewal(due) => self.renewals.remove(due, flight),
        }
    }

    /// Removes the next flight that needs no token.
    pub(crate) fn pop_first(&mut self) -> Option<FlightId> {
        self.first.pop_front()
    }

    /// Removes the flight whose turn it is, of those that need a token. A token must be available.
    pub(crate) fn pop(&mut self, now: Duration, tokens: Tokens) -> Option<FlightId> {
        if now >= self.penalized_from && !self.penalized.is_empty() {
            self.penalized_from = now + tokens.spacing * PENALIZED_SHARE;
            return self.penalized.pop();
        }
        if now >= self.spare_from && !self.spare.is_empty() {
            return self.pop_spare(now, tokens.spacing);
        }
        let in_turn = self.pop_in_turn(now);
        if in_turn.is_some() || now < tokens.ample { in_turn } else { self.pop_spare(now, tokens.spacing) }
    }

    fn pop_spare(&mut self, now: Duration, spacing: Duration) -> Option<FlightId> {
        self.spare_from = now + spacing * SPARE_SHARE;
        self.spare.pop()
    }

    fn pop_in_turn(&mut self, now: Duration) -> Option<FlightId> {
        self.starts = (self.starts + 1) % ROUND;
        let renewals_turn = if self.renewals.in_danger(now) { self.starts != 0 } else { self.starts == 0 };
        let renewal = if renewals_turn || self.no_session.is_empty() { self.renewals.pop() } else { None };
        renewal.or_else(|| self.no_session.pop())
    }

    /// When a flight may be next; none if no flight waits.
    pub(crate) fn ready_at(&self, tokens: Tokens) -> Option<Duration> {
        let waits = |is_empty: bool, from: Duration| (!is_empty).then_some(from);
        let nobody_in_turn = self.no_session.is_empty() && self.renewals.is_empty();
        [
            waits(self.first.is_empty(), Duration::ZERO),
            waits(nobody_in_turn, tokens.any),
            waits(self.penalized.is_empty(), self.penalized_from.max(tokens.any)),
            waits(self.spare.is_empty(), self.spare_from.max(tokens.any).min(tokens.ample)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The time until the last of `count` spare flights has started by the share of spare work alone.
    pub(crate) fn share_of_spare(&self, now: Duration, spacing: Duration, count: u32) -> Duration {
        let others = spacing * SPARE_SHARE * count.saturating_sub(1);
        self.spare_from.saturating_sub(now) + others
    }

    /// The number of flights that `requester` has waiting for a token, without renewals.
    pub(crate) fn len_of(&self, requester: &Requester) -> usize {
        self.no_session.len_of(requester) + self.penalized.len_of(requester) + self.spare.len_of(requester)
    }
}

#[derive(Debug, Default)]
struct Renewals {
    /// The flights in danger, by when their sessions expire.
    endangered: BTreeSet<(Duration, FlightId)>,
    /// The other flights, by when danger begins, then by when their sessions expire.
    early: BTreeSet<(Duration, Duration, FlightId)>,
}

impl Renewals {
    fn push(&mut self, Due { ends, danger }: Due, flight: FlightId) {
        self.early.insert((danger, ends, flight));
    }

    fn remove(&mut self, Due { ends, danger }: Due, flight: FlightId) {
        if !self.early.remove(&(danger, ends, flight)) {
            self.endangered.remove(&(ends, flight));
        }
    }

    fn in_danger(&mut self, now: Duration) -> bool {
        while let Some((danger, ends, flight)) = self.early.first().copied()
            && danger <= now
        {
            self.early.pop_first();
            self.endangered.insert((ends, flight));
        }
        !self.endangered.is_empty()
    }

    fn pop(&mut self) -> Option<FlightId> {
        let endangered = self.endangered.pop_first().map(|(_, flight)| flight);
        endangered.or_else(|| self.early.pop_first().map(|(_, _, flight)| flight))
    }

    fn is_empty(&self) -> bool {
        self.early.is_empty() && self.endangered.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(n: u64) -> Duration {
        Duration::from_mins(n)
    }

    #[test]
    fn danger_begins_after_every_half_life_and_before_a_session_is_served_to_nobody() {
        for whole in [1, 15, 20, 30, 40, 60, 720].map(minutes) {
            let Due { ends, danger } = Due::new(whole, whole);
            let left = ends.saturating_sub(danger);

            assert!(left < whole.mul_f64(0.45), "{whole:?}");
            assert!(left > minutes(5).min(whole / 3), "{whole:?}");
            assert!(left <= minutes(20), "{whole:?}");
        }
    }

    #[test]
    fn in_danger_the_soonest_end_goes_first_and_then_the_soonest_danger() {
        let mut renewals = Renewals::default();
        renewals.push(Due::new(minutes(19), minutes(60)), FlightId(1));
        renewals.push(Due::new(minutes(5), minutes(15)), FlightId(2));
        renewals.push(Due::new(minutes(30), minutes(60)), FlightId(3));
        renewals.push(Due::new(minutes(7), minutes(15)), FlightId(4));

        let (before, spec): (_, Vec<_>) =
            (renewals.in_danger(Duration::ZERO), std::iter::from_fn(|| renewals.pop()).collect());

        assert!(before);
        assert_eq!(spec, [2, 1, 4, 3].map(FlightId));
    }

    #[test]
    fn a_renewal_leaves_also_when_it_is_in_danger_by_now() {
        let mut renewals = Renewals::default();
        let due = Due::new(minutes(19), minutes(60));
        renewals.push(due, FlightId(1));
        assert!(renewals.in_danger(Duration::ZERO));

        renewals.remove(due, FlightId(1));

        assert!(renewals.is_empty());
    }
}
