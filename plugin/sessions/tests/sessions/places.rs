//! Keys with several places: which one makes a session, what happens when one is away, and when it is back.

use std::sync::Arc;
use std::time::Duration;

use sessions::{
    Decision, Departure, Epoch, FailureDomain, FlightId, FlightOutcome, FlightSpec, Freshness, Key, Limits,
    Made, Now, QuotaScope, Rank, Reply, Requester, Scheduler, SessionRequest, Sharing, Step, WaiterId, Why,
};

use crate::world::{HOUR, NOON, rate, seconds};

/// A key whose sessions two places can make.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Twofold(u32);

impl Key for Twofold {
    const CALL: &'static str = "Make";

    fn places(&self) -> Arc<[QuotaScope]> {
        ["near", "far"].map(QuotaScope::new).into()
    }

    fn failure_domain(&self) -> FailureDomain {
        FailureDomain::new("web")
    }
}

/// A scheduler whose attempts land when the test says so.
struct World {
    scheduler: Scheduler<Twofold, u32, &'static str, ()>,
    now: Now,
    flying: Vec<(FlightId, Departure)>,
    answers: Vec<(WaiterId, Reply<u32, &'static str>)>,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self {
            scheduler: Scheduler::new(limits, fastrand::Rng::with_seed(7)),
            now: Now { monotonic: Duration::ZERO, wall: NOON },
            flying: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn ask(&mut self, key: u32) -> Option<WaiterId> {
        let spec = FlightSpec {
            requester: Requester::new(key.to_string()),
            freshness: Freshness::Prefer,
            rank: Rank::InTurn,
            duration: HOUR,
            work: (),
            epoch: Epoch::default(),
        };
        let ask =
            SessionRequest { key: Twofold(key), sharing: Sharing::SameKey, spec, deadline: seconds(15) };
        let step = self.scheduler.ask(self.now, ask);
        self.obey();
        match step {
            Step::Wait(waiter) => Some(waiter),
            Step::Done(_) => None,
        }
    }

    fn obey(&mut self) {
        for decision in self.scheduler.decisions() {
            match decision {
                Decision::Start { flight, departure, .. } => self.flying.push((flight, departure)),
                Decision::Answer { waiter, reply } => self.answers.push((waiter, reply)),
            }
        }
    }

    /// Lands every attempt that is under way: those in a place that is `away` without an answer.
    fn land(&mut self, away: &[usize]) -> Vec<usize> {
        let flying = std::mem::take(&mut self.flying);
        let places = flying.iter().map(|(_, departure)| departure.place).collect();
        for (flight, departure) in flying {
            let outcome = if away.contains(&departure.place) {
                FlightOutcome::Unreachable("no route")
            } else {
                FlightOutcome::Made(Made { session: 1, expiration: self.now.wall + HOUR })
            };
            self.scheduler.landed(self.now, flight, outcome);
            self.obey();
        }
        places
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now.monotonic + span;
        while let Some(next) = self.scheduler.next_tick().filter(|next| *next <= end) {
            self.jump(next.saturating_sub(self.now.monotonic));
            self.scheduler.tick(self.now);
            self.obey();
        }
        self.jump(end.saturating_sub(self.now.monotonic));
    }

    fn jump(&mut self, span: Duration) {
        self.now.monotonic += span;
        self.now.wall += span;
    }

    fn is_granted(&self, waiter: WaiterId) -> bool {
        self.answers.iter().any(|(answered, reply)| *answered == waiter && matches!(reply, Reply::Granted(_)))
    }
}

fn usual() -> World {
    World::new(Limits { rate: rate(100, 100), ..Limits::default() })
}

#[test]
fn the_first_place_makes_every_session_while_it_is_well() {
    let mut world = usual();

    let waiters: Vec<_> = (0..20).filter_map(|key| world.ask(key)).collect();
    let places = world.land(&[]);

    assert_eq!(places, [0; 20]);
    assert!(waiters.iter().all(|waiter| world.is_granted(*waiter)));
}

#[test]
fn a_flight_goes_on_to_the_next_place_at_once_and_its_waiters_notice_nothing() {
    let mut world = usual();
    let waiter = world.ask(1).unwrap();

    let (first, second) = (world.land(&[0]), world.land(&[0]));

    assert_eq!((first, second, world.now.monotonic), (vec![0], vec![1], Duration::ZERO));
    assert!(world.is_granted(waiter));
    assert_eq!(world.scheduler.counts(world.now).failed_over, 1);
}

#[test]
fn an_attempt_that_another_place_follows_is_given_a_third_of_the_callers_patience() {
    let mut world = usual();
    world.ask(1);
    let first = world.flying[0].1.limit;
    world.land(&[0]);
    let last = world.flying[0].1.limit;

    assert_eq!((first, last), (seconds(5), Limits::default().flight_timeout));
}

#[test]
fn an_attempt_that_asked_nobody_says_nothing_of_its_place() {
    let mut world = usual();
    for key in 0..3 {
        world.ask(key);
        for (flight, _) in std::mem::take(&mut world.flying) {
            world.scheduler.landed(world.now, flight, FlightOutcome::NotTried("not yet"));
            world.obey();
        }
    }

    let waiter = world.ask(9).unwrap();

    assert_eq!(world.land(&[]), [0]);
    assert!(world.is_granted(waiter));
    assert_eq!(world.scheduler.counts(world.now).failed_over, 0);
}

#[test]
fn after_two_failures_nobody_goes_there_and_one_flight_at_a_time_looks_whether_it_is_back() {
    let mut world = usual();
    for key in 0..2 {
        world.ask(key);
        while !world.flying.is_empty() {
            world.land(&[0]);
        }
    }
    assert_eq!(world.scheduler.counts(world.now).away, 1);

    let mut probes = 0;
    for key in 2..602 {
        world.ask(key);
        while !world.flying.is_empty() {
            probes += world.land(&[0]).into_iter().filter(|place| *place == 0).count();
        }
        world.pass(seconds(1));
    }

    assert!((8..=20).contains(&probes), "{probes} in ten minutes");
    assert_eq!(world.scheduler.counts(world.now).waiting, 0);
}

#[test]
fn a_place_that_is_back_takes_everybody_again_after_one_probe() {
    let mut world = usual();
    for key in 0..2 {
        world.ask(key);
        while !world.flying.is_empty() {
            world.land(&[0]);
        }
    }
    world.pass(seconds(8));

    for key in 2..12 {
        world.ask(key);
    }
    let places = world.land(&[]);
    world.ask(12);
    let after = world.land(&[]);

    assert_eq!(places.iter().filter(|place| **place == 0).count(), 1, "{places:?}");
    assert_eq!(after, [0]);
}

#[test]
fn flights_that_wait_for_a_place_that_dies_move_and_none_is_lost() {
    let mut world = World::new(Limits { rate: rate(2, 2), ..Limits::default() });
    let waiters: Vec<_> = (0..12).filter_map(|key| world.ask(key)).collect();

    for _ in 0..60 {
        world.land(&[0]);
        world.pass(Duration::from_millis(250));
    }

    assert_eq!(waiters.len(), 12);
    assert!(waiters.iter().all(|waiter| world.is_granted(*waiter)), "{:?}", world.answers);
}

#[test]
fn with_both_places_away_waiters_are_told_and_no_place_is_asked_without_end() {
    let mut world = usual();
    let waiter = world.ask(1).unwrap();

    let mut attempts = 0;
    for _ in 0..600 {
        attempts += world.land(&[0, 1]).len();
        world.pass(Duration::from_millis(100));
    }

    let told = world.answers.iter().find(|(answered, _)| *answered == waiter);
    assert!(matches!(told, Some((_, Reply::Denied { why: Why::Unreachable("no route"), .. }))), "{told:?}");
    assert!(attempts < 30, "{attempts} attempts in a minute");
}

#[test]
fn a_refusal_is_an_answer_and_moves_nobody() {
    let mut world = usual();
    let waiter = world.ask(1).unwrap();
    let (flight, departure) = world.flying.remove(0);

    world.scheduler.landed(world.now, flight, FlightOutcome::Refused("AccessDenied"));
    world.obey();

    assert_eq!((departure.place, world.flying.len()), (0, 0));
    let told = world.answers.iter().find(|(answered, _)| *answered == waiter);
    assert!(matches!(told, Some((_, Reply::Denied { why: Why::Refused(_), .. }))), "{told:?}");
    assert_eq!(world.scheduler.counts(world.now).away, 0);
}

#[test]
fn a_crowd_that_one_place_cannot_serve_in_time_is_shared_with_the_next() {
    let mut world = World::new(Limits { rate: rate(8, 8), ..Limits::default() });
    for key in 0..200 {
        world.ask(key);
    }
    let mut of_each = [0, 0];
    for _ in 0..200 {
        for place in world.land(&[]) {
            of_each[place] += 1;
        }
        world.pass(Duration::from_millis(100));
    }

    assert!(of_each[0] >= 60 && of_each[1] >= 60, "{of_each:?}");
}
