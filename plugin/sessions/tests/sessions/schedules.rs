//! Random schedules of everything that can happen, against what must never happen.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::world::{NOON, bound, rate};
use proptest::prelude::*;
use sessions::{
    Decision, FailureDomain, FlightId, FlightOutcome, FlightSpec, Freshness, Grant, Key, Limits, Made, Now,
    QuotaScope, Rank, Rate, Renewal, Reply, Requester, Scheduler, SessionRequest, Sharing, Step, WaiterId,
    Why,
};

const KEYS: u32 = 6;
/// Far more than a schedule can have begun.
const MOST_LANDINGS: usize = 10_000;
const SCOPES: [&str; 3] = ["here", "there", "elsewhere"];
/// Beyond this, a waiter with this deadline has certainly been answered or has left.
const LONG: Duration = Duration::from_mins(30);

/// One of [`KEYS`], in one of three failure domains. Most have one of two places; two have three places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Number(u32);

impl Key for Number {
    const CALL: &'static str = "Make";

    fn places(&self) -> Arc<[QuotaScope]> {
        let own = usize::try_from(self.0 % 2).unwrap();
        let of = |place: usize| QuotaScope::new(SCOPES[place]);
        match self.0 {
            4 | 5 => [of(own), of(2), of(1 - own)].into(),
            _ => [of(own)].into(),
        }
    }

    fn failure_domain(&self) -> FailureDomain {
        FailureDomain::new((self.0 % 3).to_string())
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    SessionRequest {
        key: u32,
        requester: u8,
        freshness: Freshness,
        sharing: Sharing,
        speed: Speed,
    },
    /// An ask that was planned earlier reaches the scheduler.
    Arrive {
        nth: usize,
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
    /// Time passes and nobody tells the scheduler.
    Sleep {
        millis: u64,
    },
    /// In a run in which the wall clock may be set.
    StepClock {
        seconds: i64,
    },
    /// In a run in which the machine may be suspended: the monotonic clock stands still. With both at once nobody could know the time.
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

/// Between what an ask is made of being read and the ask itself, things may change.
#[derive(Clone, Copy, Debug)]
enum Speed {
    AtOnce,
    Later,
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
    /// Of what it was made from.
    version: u32,
    truly_ends: Duration,
    is_whole: bool,
}

/// What an ask was planned from, and the work that makes its session.
#[derive(Clone, Debug)]
struct Plan {
    key: u32,
    sharing: Sharing,
    /// How often what the key is made of had changed.
    version: u32,
    /// How often the limits had changed, which keys know nothing of.
    limits: u32,
    at: Duration,
}

fn event() -> impl Strategy<Value = Event> {
    let freshness = prop_oneof![Just(Freshness::Prefer), Just(Freshness::StaleOk)];
    let sharing = prop_oneof![4 => Just(Sharing::SameKey), 1 => Just(Sharing::Nobody)];
    let speed = prop_oneof![3 => Just(Speed::AtOnce), 1 => Just(Speed::Later)];
    let how = prop_oneof![
        5 => (60_u64..=900).prop_map(|seconds| How::Made { seconds }),
        1 => Just(How::Refused),
        1 => Just(How::Unreachable),
        1 => Just(How::Throttled),
        1 => Just(How::Overdue),
        1 => Just(How::Lost),
    ];
    prop_oneof![
        8 => (0..KEYS, 0_u8..4, freshness, sharing, speed)
            .prop_map(|(key, requester, freshness, sharing, speed)| Event::SessionRequest { key, requester, freshness, sharing, speed }),
        2 => any::<usize>().prop_map(|nth| Event::Arrive { nth }),
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

/// The schedule's view of the scheduler, with what is known to be true beside it.
struct Run {
    scheduler: Scheduler<Number, Session, u32, Plan>,
    limits: Limits,
    odd: Odd,
    now: Now,
    /// What the monotonic clock missed.
    slept: Duration,
    flying: Vec<(FlightId, Plan, Start)>,
    /// Keys of flights under way that were begun after the last change of the key.
    shared: HashMap<FlightId, u32>,
    waiting: HashMap<WaiterId, Plan>,
    planned: Vec<SessionRequest<Number, Plan>>,
    versions: HashMap<u32, u32>,
    resized: u32,
    starts: HashMap<QuotaScope, Vec<Duration>>,
    /// The highest rate or burst so far.
    most_per_second: u32,
}

impl Run {
    fn new(limits: Limits, odd: Odd) -> Self {
        Self {
            scheduler: Scheduler::new(limits, fastrand::Rng::with_seed(11)),
            limits,
            odd,
            now: Now { monotonic: Duration::ZERO, wall: NOON },
            slept: Duration::ZERO,
            flying: Vec::new(),
            shared: HashMap::new(),
            waiting: HashMap::new(),
            planned: Vec::new(),
            versions: HashMap::new(),
            resized: 0,
            starts: HashMap::new(),
            most_per_second: most(limits.rate),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::SessionRequest { key, requester, freshness, sharing, speed } => {
                let ask = self.plan(key, requester, freshness, sharing);
                match speed {
                    Speed::AtOnce => self.ask(ask),
                    Speed::Later => self.planned.push(ask),
                }
            }
            Event::Arrive { nth } => self.arrive(nth),
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
                *self.versions.entry(key).or_default() += 1;
                self.scheduler.invalidate(self.now, move |other| other.0 == key);
            }
            Event::Resize { sessions, per_second } => {
                self.resized += 1;
                self.most_per_second = self.most_per_second.max(per_second);
                self.limits = Limits { rate: rate(per_second, per_second), ..bound(sessions) };
                self.scheduler.set_limits(self.now, self.limits);
            }
        }
        self.obey();
        let counts = self.scheduler.counts(self.now);
        let most = u64::try_from(self.limits.max_sessions.get()).unwrap();
        assert!(counts.cached <= most, "{} kept of {most}", counts.cached);
        assert_eq!(counts.waiting, u64::try_from(self.waiting.len()).unwrap(), "waiters differ");
        assert_eq!(counts.flying, u64::try_from(self.flying.len()).unwrap(), "flights differ");
    }

    fn version(&self, key: u32) -> u32 {
        self.versions.get(&key).copied().unwrap_or_default()
    }

    fn plan(
        &self,
        key: u32,
        requester: u8,
        freshness: Freshness,
        sharing: Sharing,
    ) -> SessionRequest<Number, Plan> {
        let version = self.version(key);
        SessionRequest {
            key: Number(key),
            sharing,
            spec: FlightSpec {
                requester: Requester::new(requester.to_string()),
                freshness,
                rank: if requester % 4 == 3 { Rank::Spare } else { Rank::InTurn },
                duration: Duration::from_secs(900),
                work: Plan { key, sharing, version, limits: self.resized, at: self.now.monotonic },
                epoch: self.scheduler.epoch(),
            },
            deadline: Duration::from_secs(15),
        }
    }

    fn arrive(&mut self, nth: usize) {
        if !self.planned.is_empty() {
            let ask = self.planned.remove(nth % self.planned.len());
            self.ask(ask);
        }
    }

    fn ask(&mut self, ask: SessionRequest<Number, Plan>) {
        let plan = ask.spec.work.clone();
        let is_outdated = plan.version != self.version(plan.key);
        match self.scheduler.ask(self.now, ask) {
            Step::Wait(waiter) => {
                assert!(!is_outdated, "planned before a change, and not told");
                self.waiting.insert(waiter, plan);
            }
            Step::Done(reply) => {
                assert!(plan.sharing == Sharing::SameKey || matches!(reply, Reply::Denied { .. }));
                let is_denied = matches!(reply, Reply::Denied { why: Why::Changed, .. });
                let is_recent = self.now.monotonic <= plan.at + Duration::from_mins(1);
                assert!(is_denied || !is_outdated, "not told of a change: {reply:?}");
                assert!(is_outdated || !is_denied || !is_recent, "told of a change that was none");
                self.check(&plan, &reply);
            }
        }
    }

    fn land(&mut self, nth: usize, how: How) {
        if self.flying.is_empty() {
            return;
        }
        let (flight, plan, began) = self.flying.remove(nth % self.flying.len());
        self.shared.remove(&flight);
        let outcome = match how {
            // The issuer takes no signature of a clock that is an hour wrong.
            How::Made { .. } if !began.wall_is_right => FlightOutcome::Refused(0),
            How::Made { seconds } => {
                // It made the session somewhere between start and landing, by a clock of its own that is right.
                let made_at = began.truly + self.truly().saturating_sub(began.truly) / 2;
                let truly_ends = made_at + Duration::from_secs(seconds);
                let true_wall = NOON + truly_ends;
                let Plan { key, version, .. } = plan;
                let session = Session { key, version, truly_ends, is_whole: true };
                FlightOutcome::Made(Made { session, expiration: true_wall })
            }
            How::Refused => FlightOutcome::Refused(1),
            How::Unreachable => FlightOutcome::Unreachable(2),
            How::Throttled => FlightOutcome::Throttled { error: 3, retry_after: None },
            How::Overdue => FlightOutcome::Overdue,
            How::Lost => FlightOutcome::Lost,
        };
        self.scheduler.landed(self.now, flight, outcome);
    }

    fn leave(&mut self, nth: usize) {
        let mut waiters: Vec<WaiterId> = self.waiting.keys().copied().collect();
        waiters.sort_unstable();
        if waiters.is_empty() {
            return;
        }
        let waiter = waiters[nth % waiters.len()];
        let plan = self.waiting.remove(&waiter).unwrap();
        let reply = self.scheduler.give_up(self.now, waiter);
        self.check(&plan, &reply);
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now.monotonic + span;
        while let Some(next) = self.scheduler.next_tick().filter(|next| *next <= end) {
            self.jump(next.saturating_sub(self.now.monotonic));
            self.scheduler.tick(self.now);
            self.obey();
            assert!(
                self.scheduler.next_tick().is_none_or(|later| later > self.now.monotonic),
                "a tick that does not help"
            );
        }
        self.jump(end.saturating_sub(self.now.monotonic));
    }

    /// Since the start, by a clock that neither steps nor sleeps.
    fn truly(&self) -> Duration {
        self.now.monotonic + self.slept
    }

    fn jump(&mut self, span: Duration) {
        self.now.monotonic += span;
        self.now.wall += span;
    }

    fn obey(&mut self) {
        for decision in self.scheduler.decisions() {
            match decision {
                Decision::Start { flight, work, departure } => self.start(flight, work, departure.place),
                Decision::Answer { waiter, reply } => {
                    let plan = self.waiting.remove(&waiter).expect("only waiters are answered, and once");
                    self.check(&plan, &reply);
                }
            }
        }
    }

    /// Of the flights for a key that may be shared, one is of the version that holds: those who wait for that wait for this one.
    fn start(&mut self, flight: FlightId, work: Plan, place: usize) {
        let joined = self.waiting.values().filter(|plan| {
            plan.key == work.key && plan.version == work.version && plan.sharing == Sharing::SameKey
        });
        if work.sharing == Sharing::SameKey {
            assert_eq!(work.version, self.version(work.key), "started after a change");
            let newest = joined.map(|plan| plan.limits).max().unwrap_or_default();
            assert!(work.limits >= newest, "made by the limits of {}, not of {newest}", work.limits);
        }
        let scope = Number(work.key).places()[place].clone();
        self.starts.entry(scope).or_default().push(self.now.monotonic);
        let (truly, wall_is_right) = (self.truly(), self.now.wall == NOON + self.truly());
        self.shared.insert(flight, work.key);
        self.flying.push((flight, work, Start { truly, wall_is_right }));
    }

    /// Never expired, never partial, never another key's, never made of what had changed before it was asked for.
    fn check(&self, plan: &Plan, reply: &Reply<Session, u32>) {
        let Reply::Granted(Grant { session, remaining, whole, .. }) = reply else { return };
        assert_eq!(session.key, plan.key, "another key's session");
        assert!(session.version >= plan.version, "made before a change: {session:?} for {plan:?}");
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
        for (scope, starts) in &self.starts {
            for (at, first) in starts.iter().enumerate() {
                let end = *first + Duration::from_secs(1);
                let within = starts[at..].iter().take_while(|start| **start < end).count();
                assert!(within <= most, "{within} in one second at {scope:?}");
            }
        }
    }

    /// Lets every attempt succeed until nobody can be waiting any more.
    fn settle(&mut self) {
        let end = self.now.monotonic + LONG;
        self.now.wall = NOON + self.truly();
        while self.now.monotonic < end && !self.waiting.is_empty() {
            self.pass(Duration::from_millis(500));
            let mut landings = 0..MOST_LANDINGS;
            while !self.flying.is_empty() {
                landings.next().expect("flights that all succeed come to an end");
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
            if matches!(event, Event::SessionRequest { sharing: Sharing::Nobody, .. }) {
                continue;
            }
            run.happen(event);

            let keys: HashSet<u32> = run.shared.values().copied().collect();
            prop_assert_eq!(keys.len(), run.shared.len(), "two flights for one key");
        }
    }
}
