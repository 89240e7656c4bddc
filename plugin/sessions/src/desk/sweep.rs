//! What nobody wants any more is dropped: flights without a caller, old refusals, places at rest.

use std::collections::HashSet;
use std::hash::Hash;

use super::Desk;
use crate::ask::Place;
use crate::flight::{Flight, Phase};
use crate::ids::FlightId;
use crate::moment::Moment;
use crate::reply::Why;

impl<K: Clone + Eq + Hash, S: Clone, E: Clone, W: Clone> Desk<K, S, E, W> {
    pub(super) fn sweep(&mut self, now: Moment) {
        self.swept = now.steady;
        self.refusals.sweep(now.steady);
        let unwanted = |flight: &Flight<K, E, W>| {
            flight.waiters.is_empty()
                && flight.kept_until <= now.steady
                && !matches!(flight.phase, Phase::Flying(_))
        };
        let ids: Vec<FlightId> =
            self.flights.iter().filter(|(_, flight)| unwanted(flight)).map(|(id, _)| *id).collect();
        for id in ids {
            self.drop_flight(now, id, &Why::Busy);
        }
        let in_use: HashSet<&Place> = self.flights.values().map(|flight| &flight.order.place).collect();
        self.places.retain(|name, place| in_use.contains(name) || !place.is_spent(now.steady));
    }

    /// Whether [`sweep`](Self::sweep) will never have anything to do as things are.
    pub(super) fn is_swept(&self) -> bool {
        self.flights.is_empty() && self.places.is_empty() && self.refusals.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;
    use crate::ask::{Ask, Caller, Group, Mode, Order, Rank, Sharing};
    use crate::changes::Epoch;
    use crate::desk::Decision;
    use crate::flight::{Made, Outcome};
    use crate::limits::{Limits, Rate};

    type Small = Desk<u32, (), (), ()>;

    fn at(seconds: u64) -> Moment {
        let steady = Duration::from_secs(seconds);
        Moment { steady, wall: datetime!(2026-01-02 12:00 UTC) + steady }
    }

    fn ask(key: u32, place: &str) -> Ask<u32, ()> {
        Ask {
            key,
            sharing: Sharing::SameKey,
            order: Order {
                place: Place::new(place),
                group: Group::new(key.to_string()),
                caller: Caller::new("a"),
                mode: Mode::Patient,
                rank: Rank::InTurn,
                duration: Duration::from_mins(15),
                work: (),
                epoch: Epoch::default(),
            },
            patience: Duration::from_secs(15),
        }
    }

    /// Ends what has started.
    fn land(desk: &mut Small, now: Moment, outcome: &Outcome<(), ()>) {
        for decision in desk.decisions() {
            if let Decision::Start { flight, .. } = decision {
                desk.landed(now, flight, outcome.clone());
            }
        }
    }

    fn pass(desk: &mut Small, end: Moment) {
        while let Some(next) = desk.next_tick().filter(|next| *next <= end.steady) {
            desk.tick(Moment { steady: next, wall: at(0).wall + next });
        }
    }

    fn made(expires_at: u64) -> Outcome<(), ()> {
        Outcome::Made(Made { session: (), expiration: at(expires_at).wall })
    }

    #[test]
    fn places_and_refusals_at_rest_are_forgotten_and_then_nothing_ticks() {
        let mut desk = Small::new(Limits::default(), fastrand::Rng::with_seed(1));
        for (key, place) in (0..100).zip((0..).map(|place| place.to_string())) {
            desk.ask(at(0), ask(key, &place));
        }
        land(&mut desk, at(1), &made(900));
        desk.ask(at(1), ask(100, "refused"));
        land(&mut desk, at(1), &Outcome::Refused(()));

        pass(&mut desk, at(500));
        let (early, refusals) = (desk.places.len(), desk.refusals.is_empty());
        pass(&mut desk, at(1000));

        assert_eq!((early, refusals, desk.places.len()), (101, true, 0));
        assert_eq!(desk.next_tick(), None);
    }

    #[test]
    fn a_place_whose_quota_is_spent_is_not_forgotten() {
        let some = |n| NonZeroU32::new(n).unwrap();
        let rate = Rate { per_second: some(1), burst: some(1000) };
        let mut desk = Small::new(Limits { rate, ..Limits::default() }, fastrand::Rng::with_seed(1));
        for key in 0..1000 {
            desk.ask(at(0), Ask { sharing: Sharing::Nobody, ..ask(key, "here") });
            land(&mut desk, at(0), &made(900));
        }

        pass(&mut desk, at(900));
        let during = desk.counts(at(900)).tokens;
        pass(&mut desk, at(1100));

        assert_eq!(during, 900);
        assert!(desk.places.is_empty());
    }

    #[test]
    fn new_limits_bound_the_memory_of_refusals_too() {
        let bound = |sessions: usize| Limits {
            max_sessions: sessions.try_into().unwrap(),
            rate: Rate { per_second: NonZeroU32::MAX, burst: NonZeroU32::MAX },
            ..Limits::default()
        };
        let mut desk = Small::new(bound(3000), fastrand::Rng::with_seed(1));
        for key in 0..2000 {
            desk.ask(at(0), Ask { sharing: Sharing::Nobody, ..ask(key, "here") });
            land(&mut desk, at(0), &Outcome::Refused(()));
        }

        desk.set_limits(at(0), bound(1));

        let remembered = (0..2000).filter(|key| desk.refusals.of(Duration::ZERO, key).is_some()).count();
        assert_eq!(remembered, 1024);
    }
}
