//! Whether a place answers: a circuit breaker for one account and region.
//!
//! ```text
//! closed ── two failures in a row ──▶ open ── its pause is over ──▶ probing ── an answer ──▶ closed
//!                                      ▲                               │
//!                                      └──────── no answer: twice the pause ◀──┘
//! ```
//!
//! A refusal is an answer. Only requests that have another place ask here, so a single place never opens for anybody.

use std::time::Duration;

use crate::ids::FlightId;

/// Failures in a row after which a place opens: a single lost answer moves no fleet.
const OPENS_AFTER: u32 = 2;
const MIN_PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// A probe that has not landed after this time is over: its flight is gone.
const MAX_PROBE: Duration = Duration::from_mins(2);

/// The state of one place.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Attempts in a row without an answer.
    failures: u32,
    /// Pauses since the last answer.
    pauses: u32,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    /// No flight that has another place goes there before this time.
    Open(Duration),
    /// This flight finds out; the probe is over at the latest at this time.
    Probing(FlightId, Duration),
}

impl Health {
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether a flight that has another place may go there: it is well, or its pause is over and nobody probes it.
    pub(crate) fn admits(&self, now: Duration) -> bool {
        self.admits_at() <= now
    }

    /// When [`admits`](Self::admits) turns true if nothing happens.
    pub(crate) fn admits_at(&self) -> Duration {
        match self.state {
            State::Closed => Duration::ZERO,
            State::Open(until) | State::Probing(_, until) => until,
        }
    }

    /// A flight has chosen the place. If the place is not well, the flight is its probe.
    pub(crate) fn chosen(&mut self, now: Duration, flight: FlightId) {
        if !self.is_closed() && self.admits(now) {
            self.state = State::Probing(flight, now + MAX_PROBE);
        }
    }

    /// A flight that has not begun goes elsewhere or ends. If it was the probe, the next flight is.
    pub(crate) fn left(&mut self, now: Duration, flight: FlightId) {
        if matches!(self.state, State::Probing(probe, _) if probe == flight) {
            self.state = State::Open(now);
        }
    }

    /// An attempt got an answer, whatever it says.
    pub(crate) fn answered(&mut self) {
        *self = Self::default();
    }

    /// An attempt got no answer. Returns true if the place opens by it. `jitter` in 0..1 spreads the ends of pauses.
    pub(crate) fn failed(&mut self, now: Duration, flight: FlightId, jitter: f64) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            State::Closed => self.failures >= OPENS_AFTER,
            State::Probing(probe, _) => probe == flight,
            // it began before the place opened
            State::Open(_) => false,
        };
        if opens {
            let pause = MIN_PAUSE.saturating_mul(1 << self.pauses.min(6)).min(MAX_PAUSE);
            self.pauses += 1;
            self.state = State::Open(now + pause.mul_f64(1.0 + jitter / 2.0));
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn opened() -> Health {
        let mut health = Health::default();
        assert!(!health.failed(seconds(1), FlightId(1), 0.0) && health.is_closed());
        assert!(health.failed(seconds(1), FlightId(2), 0.0));
        health
    }

    #[test]
    fn a_single_lost_answer_opens_nothing_and_an_answer_ends_the_row() {
        let mut health = Health::default();

        assert!(!health.failed(seconds(1), FlightId(1), 0.0));
        health.answered();
        assert!(!health.failed(seconds(2), FlightId(2), 0.0));

        assert!(health.admits(seconds(2)));
    }

    #[test]
    fn one_flight_probes_a_place_whose_pause_is_over() {
        let mut health = opened();

        assert!(!health.admits(seconds(5)));
        assert!(health.admits(seconds(6)));
        health.chosen(seconds(6), FlightId(3));

        assert!(!health.admits(seconds(7)), "one is enough");
        health.left(seconds(7), FlightId(4));
        assert!(!health.admits(seconds(7)), "another flight's leaving says nothing");
        health.left(seconds(7), FlightId(3));
        assert!(health.admits(seconds(7)), "the next flight is the probe");
    }

    #[test]
    fn pauses_double_to_a_minute_while_probes_fail() {
        let mut health = opened();
        let mut pauses = Vec::new();
        for number in 3..9 {
            let now = health.admits_at();
            health.chosen(now, FlightId(number));
            assert!(health.failed(now, FlightId(number), 0.0));
            pauses.push(health.admits_at().saturating_sub(now).as_secs());
        }

        assert_eq!(pauses, [10, 20, 40, 60, 60, 60]);
    }

    #[test]
    fn what_began_before_it_opened_does_not_lengthen_the_pause() {
        let mut health = opened();

        let opens = health.failed(seconds(4), FlightId(9), 0.0);

        assert_eq!((opens, health.admits_at()), (false, seconds(6)));
    }

    #[test]
    fn a_probe_that_never_lands_holds_up_nobody_for_good() {
        let mut health = opened();
        health.chosen(seconds(6), FlightId(3));

        assert!(health.admits(seconds(6) + MAX_PROBE));
    }
}
