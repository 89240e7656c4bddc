//! Random schedules of everything that can happen, against what must never happen.

use std::collections::HashMap;
use std::time::Duration;

use node_agent::cache::{
    AnswerCache, FORGOTTEN_AFTER, FRESH, Flights, Limits, MIN_LEFT, Origin, Outcome, Reply, Step, WaiterId,
};
use node_agent::clock::{Deadline, Moment};
use proptest::prelude::*;
use time::OffsetDateTime;

use super::NOON;

const KEYS: u8 = 6;
const ANSWER_BYTES: usize = 100;

#[derive(Clone, Copy, Debug)]
enum Event {
    Ask {
        key: u8,
        flights: Flights,
    },
    Land {
        nth: usize,
        how: How,
    },
    GiveUp {
        nth: usize,
    },
    Pass {
        millis: u64,
    },
    /// In a run in which the wall clock may be set.
    StepClock {
        seconds: i64,
    },
    /// In a run in which the node may be suspended: the monotonic clock stands still. With both at once nobody could know the time.
    Suspend {
        seconds: u64,
    },
    Sweep,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Granted { seconds: u64 },
    Refused,
    Failed { pause: u64 },
    Void,
}

/// Which of the two clocks is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Odd {
    WallIsSet,
    MonotonicSleeps,
}

/// An answer as the true clock knows it.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    key: u8,
    came: Duration,
    truly_ends: Duration,
    whole: Duration,
    /// How often the key's answers had been revoked.
    version: u32,
}

fn event() -> impl Strategy<Value = Event> {
    let how = prop_oneof![
        5 => (1_u64..=5000).prop_map(|seconds| How::Granted { seconds }),
        1 => Just(How::Refused),
        3 => (0_u64..60).prop_map(|pause| How::Failed { pause }),
        1 => Just(How::Void),
    ];
    prop_oneof![
        8 => (0..KEYS).prop_map(|key| Event::Ask { key, flights: Flights::Open }),
        1 => (0..KEYS).prop_map(|key| Event::Ask { key, flights: Flights::Closed }),
        6 => (any::<usize>(), how).prop_map(|(nth, how)| Event::Land { nth, how }),
        2 => any::<usize>().prop_map(|nth| Event::GiveUp { nth }),
        4 => prop_oneof![0_u64..2_000, 0_u64..100_000, 0_u64..4_000_000].prop_map(|millis| Event::Pass { millis }),
        1 => prop_oneof![Just(-3600_i64), Just(3600)].prop_map(|seconds| Event::StepClock { seconds }),
        1 => (0_u64..2_000).prop_map(|seconds| Event::Suspend { seconds }),
        1 => Just(Event::Sweep),
    ]
}

struct Run {
    cache: AnswerCache<u8, Answer, &'static str>,
    limits: Limits,
    odd: Odd,
    now: Moment,
    /// How long the monotonic clock has stood still.
    slept: Duration,
    flying: Vec<u8>,
    waiting: Vec<(WaiterId, u8)>,
    versions: HashMap<u8, u32>,
    /// When each key was asked for last, on the monotonic clock.
    asked: HashMap<u8, Duration>,
}

impl Run {
    fn new(limits: Limits, odd: Odd) -> Run {
        Run {
            cache: AnswerCache::new(limits),
            limits,
            odd,
            now: Moment { monotonic: Duration::ZERO, wall: NOON },
            slept: Duration::ZERO,
            flying: Vec::new(),
            waiting: Vec::new(),
            versions: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    /// Since the start, by a clock that neither steps nor sleeps.
    fn truly(&self) -> Duration {
        self.now.monotonic + self.slept
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask { key, flights } => self.ask(key, flights),
            Event::Land { nth, how } if !self.flying.is_empty() => {
                let key = self.flying.remove(nth % self.flying.len());
                self.land(key, how);
            }
            Event::GiveUp { nth } if !self.waiting.is_empty() => {
                let (waiter, key) = self.waiting.remove(nth % self.waiting.len());
                let reply = self.cache.give_up(self.now, &key, waiter);
                self.check(key, &reply);
            }
            Event::Pass { millis } => {
                self.now.monotonic += Duration::from_millis(millis);
                self.now.wall += Duration::from_millis(millis);
            }
            Event::StepClock { seconds } if self.odd == Odd::WallIsSet => {
                self.now.wall += time::Duration::seconds(seconds);
            }
            Event::Suspend { seconds } if self.odd == Odd::MonotonicSleeps => {
                self.slept += Duration::from_secs(seconds);
                self.now.wall += Duration::from_secs(seconds);
            }
            Event::Sweep => self.sweep(),
            Event::Land { .. } | Event::GiveUp { .. } | Event::StepClock { .. } | Event::Suspend { .. } => {}
        }
        self.check_bounds();
    }

    /// When the token of a key ends, as it says itself.
    fn token_ends(key: u8) -> Option<OffsetDateTime> {
        key.is_multiple_of(2).then(|| NOON + Duration::from_secs(2000 * (1 + u64::from(key))))
    }

    fn ask(&mut self, key: u8, flights: Flights) {
        self.asked.insert(key, self.now.monotonic);
        match self.cache.ask(self.now, &key, Run::token_ends(key), flights) {
            Step::Wait { waiter, starts, patience } => {
                assert_eq!(starts, !self.flying.contains(&key), "one flight a key, and one who starts it");
                assert!(!starts || flights == Flights::Open, "started for who may start none");
                assert!(patience <= self.limits.answer_within);
                if starts {
                    self.flying.push(key);
                }
                self.waiting.push((waiter, key));
            }
            Step::Done(reply) => self.check(key, &reply),
        }
    }

    fn land(&mut self, key: u8, how: How) {
        let outcome = match how {
            How::Granted { seconds } => self.granted(key, Duration::from_secs(seconds)),
            How::Refused => Outcome::Refused("no"),
            How::Failed { pause } => Outcome::Failed { why: "away", pause: Duration::from_secs(pause) },
            How::Void => Outcome::Void { why: "revoked", pause: Duration::ZERO },
        };
        if matches!(how, How::Refused | How::Void) {
            *self.versions.entry(key).or_default() += 1;
        }
        for (waiter, reply) in self.cache.landed(self.now, &key, outcome) {
            let place = self.waiting.iter().position(|known| *known == (waiter, key));
            self.waiting.remove(place.expect("only waiters of this key are answered, and once"));
            self.check(key, &reply);
        }
        assert!(!self.waiting.iter().any(|(_, other)| *other == key), "a waiter was forgotten");
    }

    /// An answer whose length the issuer knows by a clock of its own that is right.
    fn granted(&self, key: u8, length: Duration) -> Outcome<Answer, &'static str> {
        let (came, truly_ends) = (self.truly(), self.truly() + length);
        let version = self.versions.get(&key).copied().unwrap_or_default();
        let ends = Deadline::within(NOON + truly_ends, length, self.now);
        let value = Answer { key, came, truly_ends, whole: ends.left(self.now), version };
        Outcome::Granted { value, bytes: ANSWER_BYTES, ends }
    }

    fn sweep(&mut self) {
        self.cache.sweep(self.now);
        let is_recent = |asked: &&Duration| self.now.monotonic.saturating_sub(**asked) < FORGOTTEN_AFTER;
        let recent = self.asked.values().filter(is_recent).count();
        assert!(self.cache.counts().entries <= recent + self.flying.len(), "kept beyond an hour");
    }

    /// Never expired, never another key's, never what was revoked; from the cache also never after the token's end, and never
    /// older than it may be.
    fn check(&self, key: u8, reply: &Reply<Answer, &'static str>) {
        let Reply::Answer { value, origin } = reply else { return };
        assert_eq!(value.key, key, "another key's answer");
        assert!(value.truly_ends > self.truly(), "ended at {:?}, now {:?}", value.truly_ends, self.truly());
        assert_eq!(value.version, self.versions.get(&key).copied().unwrap_or_default(), "revoked");
        if *origin == Origin::New {
            return;
        }
        assert!(Run::token_ends(key).is_none_or(|end| self.now.wall < end), "after the token's end");
        let left = value.truly_ends.saturating_sub(self.truly());
        assert!(left > MIN_LEFT.min(value.whole / 3), "only {left:?} left of {:?}", value.whole);
        if *origin == Origin::Cached {
            let age = self.truly().saturating_sub(value.came);
            assert!(age < FRESH + self.slept, "not fresh: {age:?}");
        }
    }

    fn check_bounds(&self) {
        let (counts, limits) = (self.cache.counts(), self.limits);
        assert!(counts.entries <= limits.max_entries && counts.bytes <= limits.max_bytes, "{counts:?}");
        assert!(counts.flights <= limits.max_flights, "{counts:?}");
        assert_eq!(counts.bytes, counts.answers * ANSWER_BYTES, "bytes are counted wrong");
        assert_eq!((counts.flights, counts.waiting), (self.flying.len(), self.waiting.len()));
    }

    /// Lets every flight land.
    fn settle(&mut self) {
        while let Some(key) = self.flying.pop() {
            self.land(key, How::Granted { seconds: 900 });
        }
        assert!(self.waiting.is_empty(), "forgotten: {:?}", self.waiting);
    }
}

fn odd() -> impl Strategy<Value = Odd> {
    prop_oneof![Just(Odd::WallIsSet), Just(Odd::MonotonicSleeps)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn no_schedule_breaks_a_promise(
        entries in 1_usize..8, answers in 1_usize..8, flights in 1_usize..8, odd in odd(),
        events in prop::collection::vec(event(), 1..250),
    ) {
        let limits = Limits {
            max_entries: entries, max_bytes: answers * ANSWER_BYTES, max_flights: flights, ..Limits::default()
        };
        let mut run = Run::new(limits, odd);

        for event in events {
            run.happen(event);
        }

        run.settle();
    }
}
