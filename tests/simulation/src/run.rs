//! One scenario, event by event.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sessions::{
    CacheStatus, Decision, Departure, FlightId, FlightOutcome, FlightSpec, Made, Now, Rank, Reply, Scheduler,
    SessionRequest, Sharing, Step, WaiterId,
};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::issuer::{Fate, Issuer, Session};
use crate::measure::Measured;
use crate::pod::{Pod, PodKey};
use crate::scenario::{Content, Lapses, Scenario};

const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);
/// Between two looks at who has credentials.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);

type Error = &'static str;

#[derive(Debug)]
enum Event {
    Ask(u32),
    DeadlineEnds(u32, WaiterId),
    Landed(u32, FlightId, FlightOutcome<Session, Error>),
    Look,
    Failover,
    Rewrite(u32),
}

/// A run under way.
pub struct Run<'a> {
    scenario: &'a Scenario,
    scheduler: Scheduler<PodKey, Session, Error, u32>,
    /// Which scheduler it is: a failover begins a new one.
    epoch: u32,
    rng: fastrand::Rng,
    now: Duration,
    events: BTreeMap<(Duration, u64), Event>,
    numbered: u64,
    pods: Vec<Pod>,
    versions: Vec<u32>,
    waiting: HashMap<WaiterId, (u32, Duration)>,
    issuer: Issuer,
    measured: Measured,
}

/// What a run leaves.
pub struct Finished {
    /// What was counted.
    pub measured: Measured,
    /// AWS's own record.
    pub issuer: Issuer,
}

impl Finished {
    /// The promises, each broken one as a line: never an expired answer, never over the quota, and where the scenario promises
    /// it, no pod without credentials it could have been given.
    pub fn broken_promises(&self, scenario: &Scenario) -> Vec<String> {
        let busiest = self.issuer.busiest_second();
        let Measured { expired, lapses, .. } = &self.measured;
        let promises_none = scenario.lapses == Lapses::None;
        let broken = [
            (*expired > 0, format!("{expired} expired answers")),
            (!lapses.is_empty() && promises_none, format!("{} lapses that could be avoided", lapses.len())),
            (
                busiest > scenario.quota,
                format!("{busiest} requests in one second, {} allowed", scenario.quota),
            ),
        ];
        let named = broken.into_iter().filter(|(is_broken, _)| *is_broken);
        named.map(|(_, text)| format!("{}: {text}", scenario.name)).collect()
    }
}

impl<'a> Run<'a> {
    /// Plays the scenario to its horizon.
    pub fn play(scenario: &'a Scenario) -> Finished {
        let mut run = Self::new(scenario);
        run.schedule_everything();
        while run.step() {}
        run.close_books();
        Finished { measured: run.measured, issuer: run.issuer }
    }

    fn new(scenario: &'a Scenario) -> Self {
        let mut rng = fastrand::Rng::with_seed(5);
        let pods = (0..scenario.pods)
            .map(|number| Pod::new(number, scenario, scenario.starts_within.mul_f64(rng.f64())))
            .collect();
        Self {
            scenario,
            scheduler: Scheduler::new(scenario.limits, fastrand::Rng::with_seed(6)),
            epoch: 0,
            rng,
            now: Duration::ZERO,
            events: BTreeMap::new(),
            numbered: 0,
            pods,
            versions: vec![0; usize_of(scenario.roles)],
            waiting: HashMap::new(),
            issuer: Issuer::new(scenario),
            measured: Measured::default(),
        }
    }

    fn schedule_everything(&mut self) {
        let starts: Vec<Duration> = self.pods.iter().map(|pod| pod.started).collect();
        for (number, started) in (0..).zip(starts) {
            self.at(started, Event::Ask(number));
        }
        self.at(LOOK_EVERY, Event::Look);
        if let Some(failover) = self.scenario.failover {
            self.at(failover, Event::Failover);
        }
        if let Some(rewrites) = self.scenario.rewrites {
            self.at(rewrites.every, Event::Rewrite(0));
        }
    }

    /// The next event or tick; false when the horizon is reached.
    fn step(&mut self) -> bool {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let tick = self.scheduler.next_tick().map(|tick| tick.max(self.now));
        let Some(next) = event.into_iter().chain(tick).min().filter(|next| *next <= self.scenario.horizon)
        else {
            return false;
        };
        self.now = next;
        if event == Some(next) {
            if let Some((_, event)) = self.events.pop_first() {
                self.happen(event);
            }
        } else {
            self.scheduler.tick(self.moment());
        }
        self.obey();
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(pod) => self.ask(pod),
            Event::DeadlineEnds(epoch, waiter) => {
                if epoch == self.epoch
                    && let Some((pod, since)) = self.waiting.remove(&waiter)
                {
                    let reply = self.scheduler.give_up(self.moment(), waiter);
                    self.waited(pod, since, reply);
                }
            }
            Event::Landed(epoch, flight, outcome) => {
                if epoch == self.epoch {
                    self.scheduler.landed(self.moment(), flight, outcome);
                }
            }
            Event::Look => self.look(),
            Event::Failover => self.fail_over(),
            Event::Rewrite(nth) => self.rewrite(nth),
        }
    }

    fn ask(&mut self, number: u32) {
        self.measured.asks += 1;
        if self.scenario.vault_away().is_some_and(|away| away.contains(&self.now)) {
            return self.try_later(number);
        }
        let version = self.versions[usize_of(number % self.scenario.roles)];
        let now = self.now;
        let pod = &mut self.pods[usize_of(number)];
        pod.asking_since.get_or_insert(now);
        let deadline = pod.way.deadline();
        let ask = SessionRequest {
            key: PodKey {
                number,
                version,
                failure_domain: pod.failure_domain.clone(),
                places: Arc::clone(&pod.places),
            },
            sharing: Sharing::SameKey,
            spec: FlightSpec {
                requester: pod.requester.clone(),
                freshness: pod.way.freshness(),
                rank: Rank::InTurn,
                duration: self.scenario.duration,
                work: number,
                epoch: self.scheduler.epoch(),
            },
            deadline,
        };
        match self.scheduler.ask(self.moment(), ask) {
            Step::Done(reply) => self.answered(number, reply),
            Step::Wait(waiter) => {
                self.waiting.insert(waiter, (number, now));
                self.at(now + deadline, Event::DeadlineEnds(self.epoch, waiter));
            }
        }
    }

    /// Vault does not answer at all.
    fn try_later(&mut self, number: u32) {
        let jitter = self.rng.f64();
        let now = self.now;
        let pod = &mut self.pods[usize_of(number)];
        pod.asking_since.get_or_insert(now);
        let next = pod.back_off(now, jitter);
        self.at(next, Event::Ask(number));
    }

    fn obey(&mut self) {
        for decision in self.scheduler.decisions() {
            match decision {
                Decision::Start { flight, work, departure } => self.start(flight, work, departure),
                Decision::Answer { waiter, reply } => {
                    if let Some((pod, since)) = self.waiting.remove(&waiter) {
                        self.waited(pod, since, reply);
                    }
                }
            }
        }
    }

    fn start(&mut self, flight: FlightId, pod: u32, departure: Departure) {
        let place = self.pods[usize_of(pod)].order[departure.place];
        let (fate, after) = self.issuer.request(self.now, place, departure.limit, self.rng.f64());
        let outcome = match fate {
            Fate::Made(session) => FlightOutcome::Made(Made { session, expiration: NOON + session.ends }),
            Fate::Throttled => FlightOutcome::Throttled { error: "throttled", retry_after: None },
            Fate::Away => FlightOutcome::Unreachable("away"),
        };
        self.at(self.now + after, Event::Landed(self.epoch, flight, outcome));
    }

    fn waited(&mut self, pod: u32, since: Duration, reply: Reply<Session, Error>) {
        self.measured.waits.push(self.now.saturating_sub(since));
        self.answered(pod, reply);
    }

    fn answered(&mut self, number: u32, reply: Reply<Session, Error>) {
        let jitter = self.rng.f64();
        let pod = &mut self.pods[usize_of(number)];
        let next = match reply {
            Reply::Denied { .. } => {
                self.measured.denied += 1;
                pod.back_off(self.now, jitter)
            }
            Reply::Granted(grant) => {
                self.measured.stale += usize::from(matches!(grant.cache_status, CacheStatus::Stale(_)));
                self.measured.expired += usize::from(grant.session.ends <= self.now);
                note_life(&mut self.measured, self.scenario, pod, self.now);
                pod.take(self.now, &grant, jitter)
            }
        };
        self.at(next, Event::Ask(number));
    }

    fn look(&mut self) {
        let covered = self.pods.iter().filter(|pod| pod.ends.is_some_and(|ends| ends > self.now)).count();
        self.measured.covered.push(u32::try_from(covered).unwrap_or(u32::MAX));
        self.at(self.now + LOOK_EVERY, Event::Look);
    }

    /// A new process with an empty cache; whoever waited gets an error, as everybody who asks before it is up.
    fn fail_over(&mut self) {
        self.epoch += 1;
        self.scheduler = Scheduler::new(self.scenario.limits, fastrand::Rng::with_seed(8));
        let mut waiting: Vec<u32> = self.waiting.drain().map(|(_, (pod, _))| pod).collect();
        waiting.sort_unstable();
        for pod in waiting {
            self.try_later(pod);
        }
    }

    /// The engine's rule: an identical write changes nothing, a change gives the role a new version and ends what it made.
    fn rewrite(&mut self, nth: u32) {
        let Some(rewrites) = self.scenario.rewrites else { return };
        if rewrites.content == Content::OneChanged {
            let roles = self.scenario.roles;
            let role = nth % roles;
            self.versions[usize_of(role)] += 1;
            self.scheduler.invalidate(self.moment(), move |key| key.number % roles == role);
        }
        self.at(self.now + rewrites.every, Event::Rewrite(nth + 1));
    }

    /// Who never got credentials, or has none at the end.
    fn close_books(&mut self) {
        for pod in &self.pods {
            note_life(&mut self.measured, self.scenario, pod, self.scenario.horizon);
        }
    }

    fn at(&mut self, when: Duration, event: Event) {
        self.numbered += 1;
        self.events.insert((when, self.numbered), event);
    }

    fn moment(&self) -> Now {
        Now { monotonic: self.now, wall: NOON + self.now }
    }
}

/// Notes the first credentials of a pod, or the time it was without.
fn note_life(measured: &mut Measured, scenario: &Scenario, pod: &Pod, now: Duration) {
    let Some(ended) = pod.ends else {
        measured.first.push(now.saturating_sub(pod.started));
        return;
    };
    if ended > now {
        return;
    }
    let asked = pod.asking_since.unwrap_or(ended).min(ended);
    let lapse = now.saturating_sub(ended);
    if scenario.explains(&(asked..ended)) {
        measured.lapses_while_away.push(lapse);
    } else {
        measured.lapses.push(lapse);
    }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
