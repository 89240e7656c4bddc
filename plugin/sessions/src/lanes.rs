//! Which flight of a place is next: what must not wait, those who have nothing, those whose session ends, those who were refused, and
//! spare work.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::ask::Caller;
use crate::fair::{End, FairQueue};
use crate::ids::FlightId;

/// A session that ends sooner than this, or than two fifths of it, is in danger: its renewal goes before those who have nothing, so
/// that a backlog after an outage lets no further session run out. Two fifths lie between the latest half-life (45 %), where no
/// session is in danger yet, and the third that is served to nobody.
const DANGER: Duration = Duration::from_mins(20);
const DANGER_FIFTHS: u32 = 2;
/// One start in so many is for the side that is not preferred, so that neither can starve the other.
const ROUND: u32 = 8;
/// Groups that are being refused get an eighth of the rate, so that a role AWS does not know cannot burn the quota of the others.
const SUSPECT_SHARE: u32 = 8;
/// Spare work gets a sixteenth while others wait, so that it comes to an end under any load.
const SPARE_SHARE: u32 = 16;

/// A queue of its own for each urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It does not wait.
    First,
    /// Nobody with this key has a session: in turns by caller.
    Urgent,
    /// There is one: in danger the soonest end goes first, before that the soonest danger.
    Renewal(Due),
    /// The group's last attempts were all refused: in turns by caller.
    Suspect,
    /// What others leave: in turns by caller.
    Spare,
}

/// When a session ends, and from when on it is in danger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    ends: Duration,
    danger: Duration,
}

impl Due {
    /// Of a session of `whole` that ends at `ends`.
    pub(crate) fn new(ends: Duration, whole: Duration) -> Self {
        Self { ends, danger: ends.saturating_sub(DANGER.min(whole * DANGER_FIFTHS / 5)) }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Lanes {
    first: VecDeque<FlightId>,
    urgent: FairQueue,
    renewals: Renewals,
    suspect: FairQueue,
    spare: FairQueue,
    starts: u32,
    suspect_from: Duration,
    spare_from: Duration,
}

/// When there are tokens, on the steady clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    /// One.
    pub(crate) any: Duration,
    /// More than half of the burst.
    pub(crate) ample: Duration,
    /// The time between two starts in the long run.
    pub(crate) spacing: Duration,
}

impl Lanes {
    pub(crate) fn push(&mut self, lane: Lane, caller: &Caller, flight: FlightId, end: End) {
        match lane {
            Lane::First => self.first.push_back(flight),
            Lane::Urgent => self.urgent.push(caller, flight, end),
            Lane::Suspect => self.suspect.push(caller, flight, end),
            Lane::Spare => self.spare.push(caller, flight, end),
            Lane::Renewal(due) => self.renewals.push(due, flight),
        }
    }

    pub(crate) fn remove(&mut self, lane: Lane, caller: &Caller, flight: FlightId) {
        match lane {
            Lane::First => self.first.retain(|waiting| *waiting != flight),
            Lane::Urgent => self.urgent.remove(caller, flight),
            Lane::Suspect => self.suspect.remove(caller, flight),
            Lane::Spare => self.spare.remove(caller, flight),
            Lane::Renewal(due) => self.renewals.remove(due, flight),
        }
    }

    /// A flight that needs no token.
    pub(crate) fn pop_first(&mut self) -> Option<FlightId> {
        self.first.pop_front()
    }

    /// The flight whose turn it is, of those that need a token; one is there.
    pub(crate) fn pop(&mut self, now: Duration, tokens: Tokens) -> Option<FlightId> {
        if now >= self.suspect_from && !self.suspect.is_empty() {
            self.suspect_from = now + tokens.spacing * SUSPECT_SHARE;
            return self.suspect.pop();
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
        let renewal = if renewals_turn || self.urgent.is_empty() { self.renewals.pop() } else { None };
        renewal.or_else(|| self.urgent.pop())
    }

    /// When there may be somebody whose turn it is; none when nobody waits.
    pub(crate) fn ready_at(&self, tokens: Tokens) -> Option<Duration> {
        let waits = |is_empty: bool, from: Duration| (!is_empty).then_some(from);
        let nobody_in_turn = self.urgent.is_empty() && self.renewals.is_empty();
        [
            waits(self.first.is_empty(), Duration::ZERO),
            waits(nobody_in_turn, tokens.any),
            waits(self.suspect.is_empty(), self.suspect_from.max(tokens.any)),
            waits(self.spare.is_empty(), self.spare_from.max(tokens.any).min(tokens.ample)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How long until the last of `count` spare flights has started by its share alone.
    pub(crate) fn share_of_spare(&self, now: Duration, spacing: Duration, count: u32) -> Duration {
        let others = spacing * SPARE_SHARE * count.saturating_sub(1);
        self.spare_from.saturating_sub(now) + others
    }

    /// How many flights `caller` has waiting for a token, renewals aside.
    pub(crate) fn len_of(&self, caller: &Caller) -> usize {
        self.urgent.len_of(caller) + self.suspect.len_of(caller) + self.spare.len_of(caller)
    }
}

#[derive(Debug, Default)]
struct Renewals {
    /// In danger, by their ends.
    endangered: BTreeSet<(Duration, FlightId)>,
    /// By when danger begins, then by their ends.
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

        let (before, order): (_, Vec<_>) =
            (renewals.in_danger(Duration::ZERO), std::iter::from_fn(|| renewals.pop()).collect());

        assert!(before);
        assert_eq!(order, [2, 1, 4, 3].map(FlightId));
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
