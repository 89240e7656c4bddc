//! Drops flights without a waiter, old refusals, and quota scopes at rest.

use std::collections::HashSet;

use super::Scheduler;
use crate::flight::{Flight, FlightPhase};
use crate::ids::FlightId;
use crate::key::Key;
use crate::now::Now;
use crate::reply::Why;
use crate::request::QuotaScope;

impl<K: Key, S: Clone, E: Clone, W: Clone> Scheduler<K, S, E, W> {
    pub(super) fn sweep(&mut self, now: Now) {
        self.swept = now.monotonic;
        self.negative_cache.sweep(now.monotonic);
        let unwanted = |flight: &Flight<K, E, W>| {
            flight.waiters.is_empty()
                && flight.kept_until <= now.monotonic
                && !matches!(flight.phase, FlightPhase::Flying(_))
        };
        let ids: Vec<FlightId> =
            self.flights.iter().filter(|(_, flight)| unwanted(flight)).map(|(id, _)| *id).collect();
        for id in ids {
            self.drop_flight(now, id, &Why::Busy(K::CALL));
        }
        let in_use: HashSet<QuotaScope> =
            self.flights.values().map(|flight| flight.scope().clone()).collect();
        self.queues.retain(|name, queue| in_use.contains(name) || !queue.is_spent(now.monotonic));
    }

    /// Whether [`sweep`](Self::sweep) has nothing left to do, now and later.
    pub(super) fn is_swept(&self) -> bool {
        self.flights.is_empty() && self.queues.is_empty() && self.negative_cache.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;
    use crate::flight::{FlightOutcome, Made};
    use crate::invalidations::Epoch;
    use crate::limits::{Limits, Rate};
    use crate::request::{FailureDomain, FlightSpec, Freshness, Rank, Requester, SessionRequest, Sharing};
    use crate::scheduler::Decision;

    /// A key, and its quota scope.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Scoped(u32, String);

    impl Key for Scoped {
        const CALL: &'static str = "Make";

        fn places(&self) -> Arc<[QuotaScope]> {
            [QuotaScope::new(&self.1)].into()
        }

        fn failure_domain(&self) -> FailureDomain {
            FailureDomain::new(self.0.to_string())
        }
    }

    type SmallScheduler = Scheduler<Scoped, (), (), ()>;

    fn at(seconds: u64) -> Now {
        let monotonic = Duration::from_secs(seconds);
        Now { monotonic, wall: datetime!(2026-01-02 12:00 UTC) + monotonic }
    }

    fn ask(key: u32, scope: &str) -> SessionRequest<Scoped, ()> {
        SessionRequest {
            key: Scoped(key, scope.to_owned()),
            sharing: Sharing::SameKey,
            spec: FlightSpec {
                requester: Requester::new("a"),
                freshness: Freshness::Prefer,
                rank: Rank::InTurn,
                duration: Duration::from_mins(15),
                work: (),
                epoch: Epoch::default(),
            },
            deadline: Duration::from_secs(15),
        }
    }

    /// Ends every attempt that has started.
    fn land(scheduler: &mut SmallScheduler, now: Now, outcome: &FlightOutcome<(), ()>) {
        for decision in scheduler.decisions() {
            if let Decision::Start { flight, .. } = decision {
                scheduler.landed(now, flight, outcome.clone());
            }
        }
    }

    fn pass(scheduler: &mut SmallScheduler, end: Now) {
        while let Some(next) = scheduler.next_tick().filter(|next| *next <= end.monotonic) {
            scheduler.tick(Now { monotonic: next, wall: at(0).wall + next });
        }
    }

    fn made(expires_at: u64) -> FlightOutcome<(), ()> {
        FlightOutcome::Made(Made { session: (), expiration: at(expires_at).wall })
    }

    #[test]
    fn scopes_and_refusals_at_rest_are_forgotten_and_then_nothing_ticks() {
        let mut scheduler = SmallScheduler::new(Limits::default(), fastrand::Rng::with_seed(1));
        for (key, scope) in (0..100).zip((0..).map(|scope| scope.to_string())) {
            scheduler.ask(at(0), ask(key, &scope));
        }
        land(&mut scheduler, at(1), &made(900));
        scheduler.ask(at(1), ask(100, "refused"));
        land(&mut scheduler, at(1), &FlightOutcome::Refused(()));

        pass(&mut scheduler, at(500));
        let (early, negative_cache) = (scheduler.queues.len(), scheduler.negative_cache.is_empty());
        pass(&mut scheduler, at(1000));

        assert_eq!((early, negative_cache, scheduler.queues.len()), (101, true, 0));
        assert_eq!(scheduler.next_tick(), None);
    }

    #[test]
    fn a_scope_whose_quota_is_spent_is_not_forgotten() {
        let some = |n| NonZeroU32::new(n).unwrap();
        let rate = Rate { per_second: some(1), burst: some(1000) };
        let mut scheduler =
            SmallScheduler::new(Limits { rate, ..Limits::default() }, fastrand::Rng::with_seed(1));
        for key in 0..1000 {
            scheduler.ask(at(0), SessionRequest { sharing: Sharing::Nobody, ..ask(key, "here") });
            land(&mut scheduler, at(0), &made(900));
        }

        pass(&mut scheduler, at(900));
        let during = scheduler.counts(at(900)).tokens;
        pass(&mut scheduler, at(1100));

        assert_eq!(during, 900);
        assert!(scheduler.queues.is_empty());
    }

    #[test]
    fn new_limits_bound_the_memory_of_refusals_too() {
        let bound = |sessions: usize| Limits {
            max_sessions: sessions.try_into().unwrap(),
            rate: Rate { per_second: NonZeroU32::MAX, burst: NonZeroU32::MAX },
            ..Limits::default()
        };
        let mut scheduler = SmallScheduler::new(bound(3000), fastrand::Rng::with_seed(1));
        for key in 0..2000 {
            scheduler.ask(at(0), SessionRequest { sharing: Sharing::Nobody, ..ask(key, "here") });
            land(&mut scheduler, at(0), &FlightOutcome::Refused(()));
        }

        scheduler.set_limits(at(0), bound(1));

        let is_remembered = |key: &Scoped| scheduler.negative_cache.of(Duration::ZERO, key).is_some();
        let remembered = (0..2000).filter(|key| is_remembered(&Scoped(*key, "here".to_owned()))).count();
        assert_eq!(remembered, 1024);
    }
}
