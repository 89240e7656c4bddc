//! Random schedules of everything that can happen, against what must never happen.

mod world;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use sessions::{
    Ask, Caller, Decision, Desk, FlightId, Grant, Group, Limits, Made, Mode, Moment, Order, Outcome, Place,
    Rate, Renewal, Reply, Sharing, Step, WaiterId,
};
use world::{NOON, bound, rate};

const KEYS: u32 = 6;
const PLACES: [&str; 2] = ["here", "there"];
/// Beyond this, a waiter with this patience has certainly been answered or has left.
const LONG: Duration = Duration::from_mins(30);

#[derive(Clone, Copy, Debug)]
enum Event {
    Ask {
        key: u32,
        caller: u8,
        mode: Mode,
        sharing: Sharing,
    },
    Land {
        nth: usize,
        how: How,
    },
    Leave {
        nth: usize,
    },
    Pass {
        millis: u64,
    },
    /// Time passes and nobody tells the desk.
    Sleep {
        millis: u64,
    },
    /// In a run in which the wall clock may be set.
    StepClock {
        seconds: i64,
    },
    /// In a run in which the machine may be suspended: the steady clock stands still. With both at once nobody could know the time.
    Suspend {
        seconds: u64,
    },
    Forget {
        key: u32,
    },
    Resize {
        sessions: usize,
        per_second: u32,
    },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Made { seconds: u64 },
    Refused,
    Unreachable,
    Throttled,
    Overdue,
    Lost,
}

/// Which of the two clocks is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Odd {
    WallIsSet,
    SteadySleeps,
}

/// A session as the true clock knows it.
#[derive(Clone, Debug, PartialEq)]
struct Session {
    key: u32,
    truly_ends: Duration,
    is_whole: bool,
}

fn event() -> impl Strategy<Value = Event> {
    let mode = prop_oneof![Just(Mode::Patient), Just(Mode::AtOnce)];
    let sharing = prop_oneof![4 => Just(Sharing::SameKey), 1 => Just(Sharing::Nobody)];
    let how = prop_oneof![
        5 => (60_u64..=900).prop_map(|seconds| How::Made { seconds }),
        1 => Just(How::Refused),
        1 => Just(How::Unreachable),
        1 => Just(How::Throttled),
        1 => Just(How::Overdue),
        1 => Just(How::Lost),
    ];
    prop_oneof![
        8 => (0..KEYS, 0_u8..4, mode, sharing)
            .prop_map(|(key, caller, mode, sharing)| Event::Ask { key, caller, mode, sharing }),
        6 => (any::<usize>(), how).prop_map(|(nth, how)| Event::Land { nth, how }),
        2 => any::<usize>().prop_map(|nth| Event::Leave { nth }),
        4 => prop_oneof![0_u64..2_000, 0_u64..600_000].prop_map(|millis| Event::Pass { millis }),
        1 => (0_u64..600_000).prop_map(|millis| Event::Sleep { millis }),
        1 => prop_oneof![Just(-3600_i64), Just(3600)].prop_map(|seconds| Event::StepClock { seconds }),
        1 => (0_u64..2_000).prop_map(|seconds| Event::Suspend { seconds }),
        1 => (0..KEYS).prop_map(|key| Event::Forget { key }),
        1 => (1_usize..4, 1_u32..5).prop_map(|(sessions, per_second)| Event::Resize { sessions, per_second }),
    ]
}

/// When an attempt began, truly, and whether the wall clock was right.
#[derive(Clone, Copy, Debug)]
struct Start {
    truly: Duration,
    wall_is_right: bool,
}

/// The schedule's view of the desk, with what is known to be true beside it.
struct Run {
    desk: Desk<u32, Session, u32, (u32, Place)>,
    limits: Limits,
    odd: Odd,
    now: Moment,
    /// What the steady clock missed.
    slept: Duration,
    flying: Vec<(FlightId, u32, Start)>,
    /// Keys of flights under way that were begun after the last change of the key.
    shared: HashMap<FlightId, u32>,
    waiting: HashMap<WaiterId, u32>,
    starts: HashMap<Place, Vec<Duration>>,
    /// The highest rate or burst so far.
    most_per_second: u32,
}

impl Run {
    fn new(limits: Limits, odd: Odd) -> Self {
        Self {
            desk: Desk::new(limits, fastrand::Rng::with_seed(11)),
            limits,
            odd,
            now: Moment { steady: Duration::ZERO, wall: NOON },
            slept: Duration::ZERO,
            flying: Vec::new(),
            shared: HashMap::new(),
            waiting: HashMap::new(),
            starts: HashMap::new(),
            most_per_second: most(limits.rate),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask { key, caller, mode, sharing } => self.ask(key, caller, mode, sharing),
            Event::Land { nth, how } => self.land(nth, how),
            Event::Leave { nth } => self.leave(nth),
            Event::Pass { millis } => self.pass(Duration::from_millis(millis)),
            Event::Sleep { millis } => self.jump(Duration::from_millis(millis)),
            Event::StepClock { seconds } if self.odd == Odd::WallIsSet => {
                self.now.wall += time::Duration::seconds(seconds);
            }
            Event::Suspend { seconds } if self.odd == Odd::SteadySleeps => {
                self.slept += Duration::from_secs(seconds);
                self.now.wall += Duration::from_secs(seconds);
            }
            Event::StepClock { .. } | Event::Suspend { .. } => {}
            Event::Forget { key } => {
                self.shared.retain(|_, flying| *flying != key);
                self.desk.forget(self.now, |other| *other == key);
            }
            Event::Resize { sessions, per_second } => {
                self.most_per_second = self.most_per_second.max(per_second);
                self.limits = Limits { rate: rate(per_second, per_second), ..bound(sessions) };
                self.desk.set_limits(self.now, self.limits);
            }
        }
        self.obey();
        let counts = self.desk.counts(self.now);
        let most = u64::try_from(self.limits.max_sessions.get()).unwrap();
        assert!(counts.kept <= most, "{} kept of {most}", counts.kept);
        assert_eq!(counts.waiting, u64::try_from(self.waiting.len()).unwrap(), "waiters differ");
        assert_eq!(counts.flying, u64::try_from(self.flying.len()).unwrap(), "flights differ");
    }

    fn ask(&mut self, key: u32, caller: u8, mode: Mode, sharing: Sharing) {
        let place = Place::new(PLACES[usize::try_from(key % 2).unwrap()]);
        let ask = Ask {
            key,
            sharing,
            order: Order {
                place: place.clone(),
                group: Group::new((key % 3).to_string()),
                caller: Caller::new(caller.to_string()),
                mode,
                duration: Duration::from_secs(900),
                work: (key, place),
            },
            patience: Duration::from_secs(15),
        };
        match self.desk.ask(self.now, ask) {
            Step::Wait(waiter) => {
                self.waiting.insert(waiter, key);
            }
            Step::Done(reply) => {
                assert!(sharing == Sharing::SameKey || matches!(reply, Reply::Denied { .. }));
                self.check(key, &reply);
            }
        }
    }

    fn land(&mut self, nth: usize, how: How) {
        if self.flying.is_empty() {
            return;
        }
        let (flight, key, began) = self.flying.remove(nth % self.flying.len());
        self.shared.remove(&flight);
        let outcome = match how {
            // The issuer takes no signature of a clock that is an hour wrong.
            How::Made { .. } if !began.wall_is_right => Outcome::Refused(0),
            How::Made { seconds } => {
                // It made the session somewhere between start and landing, by a clock of its own that is right.
                let made_at = began.truly + self.truly().saturating_sub(began.truly) / 2;
                let truly_ends = made_at + Duration::from_secs(seconds);
                let true_wall = NOON + truly_ends;
                let session = Session { key, truly_ends, is_whole: true };
                Outcome::Made(Made { session, expiration: true_wall })
            }
            How::Refused => Outcome::Refused(1),
            How::Unreachable => Outcome::Unreachable(2),
            How::Throttled => Outcome::Throttled { error: 3, retry_after: None },
            How::Overdue => Outcome::Overdue,
            How::Lost => Outcome::Lost,
        };
        self.desk.landed(self.now, flight, outcome);
    }

    fn leave(&mut self, nth: usize) {
        let mut waiters: Vec<WaiterId> = self.waiting.keys().copied().collect();
        waiters.sort_unstable();
        if waiters.is_empty() {
            return;
        }
        let waiter = waiters[nth % waiters.len()];
        let key = self.waiting.remove(&waiter).unwrap();
        let reply = self.desk.give_up(self.now, waiter);
        self.check(key, &reply);
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now.steady + span;
        while let Some(next) = self.desk.next_tick().filter(|next| *next <= end) {
            self.jump(next.saturating_sub(self.now.steady));
            self.desk.tick(self.now);
            self.obey();
            assert!(
                self.desk.next_tick().is_none_or(|later| later > self.now.steady),
                "a tick that does not help"
            );
        }
        self.jump(end.saturating_sub(self.now.steady));
    }

    /// Since the start, by a clock that neither steps nor sleeps.
    fn truly(&self) -> Duration {
        self.now.steady + self.slept
    }

    fn jump(&mut self, span: Duration) {
        self.now.steady += span;
        self.now.wall += span;
    }

    fn obey(&mut self) {
        for decision in self.desk.decisions() {
            match decision {
                Decision::Start { flight, work: (key, place) } => self.start(flight, key, place),
                Decision::Answer { waiter, reply } => {
                    let key = self.waiting.remove(&waiter).expect("only waiters are answered, and once");
                    self.check(key, &reply);
                }
            }
        }
    }

    fn start(&mut self, flight: FlightId, key: u32, place: Place) {
        self.starts.entry(place).or_default().push(self.now.steady);
        let (truly, wall_is_right) = (self.truly(), self.now.wall == NOON + self.truly());
        self.flying.push((flight, key, Start { truly, wall_is_right }));
        self.shared.insert(flight, key);
    }

    /// Never expired, never partial, never another key's.
    fn check(&self, key: u32, reply: &Reply<Session, u32>) {
        let Reply::Granted(Grant { session, remaining, whole, .. }) = reply else { return };
        assert_eq!(session.key, key, "another key's session");
        assert!(session.is_whole);
        assert!(
            session.truly_ends > self.truly(),
            "expired at {:?}, now {:?}",
            session.truly_ends,
            self.truly()
        );
        assert!(!remaining.is_zero() && remaining <= whole);
    }

    fn check_rates(&self) {
        let most = usize::try_from(self.most_per_second).unwrap();
        for (place, starts) in &self.starts {
            for (at, first) in starts.iter().enumerate() {
                let end = *first + Duration::from_secs(1);
                let within = starts[at..].iter().take_while(|start| **start < end).count();
                assert!(within <= most, "{within} in one second at {place:?}");
            }
        }
    }

    /// Lets every attempt succeed until nobody can be waiting any more.
    fn settle(&mut self) {
        let end = self.now.steady + LONG;
        self.now.wall = NOON + self.truly();
        while self.now.steady < end && !self.waiting.is_empty() {
            self.pass(Duration::from_millis(500));
            while !self.flying.is_empty() {
                self.land(0, How::Made { seconds: 900 });
                self.obey();
            }
        }
        assert!(self.waiting.is_empty(), "forgotten: {:?}", self.waiting);
    }
}

fn most(rate: Rate) -> u32 {
    rate.per_second.max(rate.burst).get()
}

fn odd() -> impl Strategy<Value = Odd> {
    prop_oneof![Just(Odd::WallIsSet), Just(Odd::SteadySleeps)]
}

fn renewal() -> impl Strategy<Value = Renewal> {
    prop_oneof![Just(Renewal::Ahead), Just(Renewal::OnAsk)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_schedule_breaks_a_promise(
        per_second in 1_u32..5, burst in 1_u32..5, sessions in 1_usize..5, renewal in renewal(), odd in odd(),
        events in prop::collection::vec(event(), 1..250),
    ) {
        let mut run = Run::new(Limits { rate: rate(per_second, burst), renewal, ..bound(sessions) }, odd);

        for event in events {
            run.happen(event);
        }

        run.check_rates();
        run.settle();
    }

    #[test]
    fn a_key_has_one_flight_at_a_time(
        events in prop::collection::vec(event(), 1..250),
    ) {
        let mut run = Run::new(Limits { rate: rate(1000, 1000), ..bound(4) }, Odd::WallIsSet);

        for event in events {
            if matches!(event, Event::Ask { sharing: Sharing::Nobody, .. }) {
                continue;
            }
            run.happen(event);

            let keys: HashSet<u32> = run.shared.values().copied().collect();
            prop_assert_eq!(keys.len(), run.shared.len(), "two flights for one key");
        }
    }
}
