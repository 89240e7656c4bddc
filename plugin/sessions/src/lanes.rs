//! Which flight of a place is next: those who have nothing, those whose session ends, and those who were refused.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::ask::Caller;
use crate::fair::{End, FairQueue};
use crate::flight::FlightId;

/// A session that ends sooner than this is in danger: its renewal goes before those who have nothing, so that a backlog after an
/// outage lets no further session run out.
const DANGER: Duration = Duration::from_mins(20);
/// One start in so many is for the side that is not preferred, so that neither can starve the other.
const ROUND: u32 = 8;
/// Groups that are being refused get an eighth of the rate, so that a role AWS does not know cannot burn the quota of the others.
const SUSPECT_SHARE: u32 = 8;

/// A queue of its own for each urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Nobody with this key has a session: in turns by caller.
    Urgent,
    /// There is one until then: the soonest end goes first.
    Renewal(Duration),
    /// The group's last attempts were all refused: in turns by caller.
    Suspect,
}

#[derive(Debug, Default)]
pub(crate) struct Lanes {
    urgent: FairQueue,
    renewal: BTreeSet<(Duration, FlightId)>,
    suspect: FairQueue,
    starts: u32,
    suspect_from: Duration,
}

impl Lanes {
    pub(crate) fn push(&mut self, lane: Lane, caller: &Caller, flight: FlightId, end: End) {
        match lane {
            Lane::Urgent => self.urgent.push(caller, flight, end),
            Lane::Suspect => self.suspect.push(caller, flight, end),
            Lane::Renewal(ends) => {
                self.renewal.insert((ends, flight));
            }
        }
    }

    pub(crate) fn remove(&mut self, lane: Lane, caller: &Caller, flight: FlightId) {
        match lane {
            Lane::Urgent => self.urgent.remove(caller, flight),
            Lane::Suspect => self.suspect.remove(caller, flight),
            Lane::Renewal(ends) => {
                self.renewal.remove(&(ends, flight));
            }
        }
    }

    /// The flight whose turn it is. `spacing` is the time between two starts in the long run.
    pub(crate) fn pop(&mut self, now: Duration, spacing: Duration) -> Option<FlightId> {
        if now >= self.suspect_from && !self.suspect.is_empty() {
            self.suspect_from = now + spacing * SUSPECT_SHARE;
            return self.suspect.pop();
        }
        self.starts = (self.starts + 1) % ROUND;
        let in_danger = self.renewal.first().is_some_and(|(ends, _)| *ends <= now + DANGER);
        let renewals_turn = if in_danger { self.starts != 0 } else { self.starts == 0 };
        let renewal = if renewals_turn || self.urgent.is_empty() { self.renewal.pop_first() } else { None };
        match renewal {
            Some((_, flight)) => Some(flight),
            None => self.urgent.pop(),
        }
    }

    /// When there may be somebody whose turn it is; none when nobody waits.
    pub(crate) fn ready_at(&self) -> Option<Duration> {
        if !self.urgent.is_empty() || !self.renewal.is_empty() {
            Some(Duration::ZERO)
        } else if self.suspect.is_empty() {
            None
        } else {
            Some(self.suspect_from)
        }
    }

    /// How many flights `caller` has waiting, renewals aside.
    pub(crate) fn len_of(&self, caller: &Caller) -> usize {
        self.urgent.len_of(caller) + self.suspect.len_of(caller)
    }
}
