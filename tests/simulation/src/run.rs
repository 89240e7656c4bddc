//! One scenario, event by event.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sessions::{
    CacheStatus, Decision, Departure, Epoch, FlightId, FlightOutcome, FlightSpec, Freshness, Made, Now, Rank,
    Reply, Scheduler, SessionRequest, Sharing, Step, WaiterId,
};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::hop::{HopService, SHORTEST_HOP, STS_QUOTA, Service, WaitingHop};
use crate::issuer::{Fate, Issuer, Request, Session};
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
    HubDeadlineEnds(u32, WaiterId),
    HopLanded(u32, FlightId, FlightOutcome<Session, Error>),
    Look,
    Failover,
    Rewrite(u32),
}

/// How either service is asked.
#[derive(Clone, Copy)]
struct Terms {
    freshness: Freshness,
    duration: Duration,
    epoch: Epoch,
    deadline: Duration,
}

/// A run under way.
pub struct Run<'a> {
    scenario: &'a Scenario,
    /// Makes sessions by CreateSession.
    scheduler: Service,
    /// Makes those that pods receive, if they are not the same.
    hops: Option<HopService>,
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
    /// The record of STS, if sessions were made by role chaining.
    pub sts: Option<Issuer>,
}

impl Finished {
    /// The promises, each broken one as a line: never an expired answer, never over the quota, and where the scenario promises
    /// it, no pod without credentials it could have been given.
    pub fn broken_promises(&self, scenario: &Scenario) -> Vec<String> {
        let busiest = self.issuer.busiest_second();
        let busiest_of_sts = self.sts.as_ref().map(Issuer::busiest_second).unwrap_or_default();
        let Measured { expired, lapses, .. } = &self.measured;
        let promises_none = scenario.lapses == Lapses::None;
        let broken = [
            (*expired > 0, format!("{expired} expired answers")),
            (!lapses.is_empty() && promises_none, format!("{} lapses that could be avoided", lapses.len())),
            (
                busiest > scenario.quota,
                format!("{busiest} requests in one second, {} allowed", scenario.quota),
            ),
            (
                busiest_of_sts > STS_QUOTA,
                format!("{busiest_of_sts} AssumeRole in one second, {STS_QUOTA} allowed"),
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
        Finished { measured: run.measured, issuer: run.issuer, sts: run.hops.map(|hops| hops.issuer) }
    }

    fn new(scenario: &'a Scenario) -> Self {
        let mut rng = fastrand::Rng::with_seed(5);
        let pods = (0..scenario.pods)
            .map(|number| Pod::new(number, scenario, scenario.starts_within.mul_f64(rng.f64())))
            .collect();
        Self {
            scenario,
            scheduler: Scheduler::new(scenario.limits, fastrand::Rng::with_seed(6)),
            hops: HopService::of(scenario),
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
        let ticks = self.services().filter_map(|service| service.next_tick());
        let tick = ticks.min().map(|tick| tick.max(self.now));
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
            let moment = self.moment();
            self.services().for_each(|service| service.tick(moment));
        }
        self.obey();
        true
    }

    /// All that make sessions.
    fn services(&mut self) -> impl Iterator<Item = &mut Service> {
        [Some(&mut self.scheduler), self.hops.as_mut().map(|hops| &mut hops.scheduler)].into_iter().flatten()
    }

    /// The one that pods ask, and how long its sessions are.
    fn served(&mut self) -> (&mut Service, Duration) {
        match &mut self.hops {
            Some(hops) => {
                let duration = hops.duration();
                (&mut hops.scheduler, duration)
            }
            None => (&mut self.scheduler, self.scenario.duration),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(pod) => self.ask(pod),
            Event::DeadlineEnds(epoch, waiter) => {
                if epoch == self.epoch
                    && let Some((pod, since)) = self.waiting.remove(&waiter)
                {
                    let moment = self.moment();
                    let reply = self.served().0.give_up(moment, waiter);
                    self.waited(pod, since, reply);
                }
            }
            Event::Landed(epoch, flight, outcome) => {
                if epoch == self.epoch {
                    self.scheduler.landed(self.moment(), flight, outcome);
                }
            }
            Event::HubDeadlineEnds(epoch, waiter) => {
                if epoch == self.epoch
                    && let Some(waiting) = self.hops.as_mut().and_then(|hops| hops.waiting.remove(&waiter))
                {
                    let reply = self.scheduler.give_up(self.moment(), waiter);
                    self.hub_answered(waiting, reply);
                }
            }
            Event::HopLanded(epoch, flight, outcome) => {
                if epoch == self.epoch {
                    self.hop_landed(flight, outcome);
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
        let now = self.now;
        let pod = &mut self.pods[usize_of(number)];
        pod.asking_since.get_or_insert(now);
        let (freshness, deadline) = (pod.way.freshness(), pod.way.deadline());
        let (service, duration) = self.served();
        let epoch = service.epoch();
        let request = self.request(number, Terms { freshness, duration, epoch, deadline });
        let moment = self.moment();
        match self.served().0.ask(moment, request) {
            Step::Done(reply) => self.answered(number, reply),
            Step::Wait(waiter) => {
                self.waiting.insert(waiter, (number, now));
                self.at(now + deadline, Event::DeadlineEnds(self.epoch, waiter));
            }
        }
    }

    /// A pod's request to either service.
    fn request(&self, number: u32, terms: Terms) -> SessionRequest<PodKey, u32> {
        let Terms { freshness, duration, epoch, deadline } = terms;
        let pod = &self.pods[usize_of(number)];
        let key = PodKey {
            number,
            version: self.versions[usize_of(number % self.scenario.roles)],
            failure_domain: pod.failure_domain.clone(),
            places: Arc::clone(&pod.places),
        };
        let requester = pod.requester.clone();
        let spec = FlightSpec { requester, freshness, rank: Rank::InTurn, duration, work: number, epoch };
        SessionRequest { key, sharing: Sharing::SameKey, spec, deadline }
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
        loop {
            let decisions = self.scheduler.decisions();
            let of_hops = self.hops.as_mut().map(|hops| hops.scheduler.decisions()).unwrap_or_default();
            if decisions.is_empty() && of_hops.is_empty() {
                return;
            }
            for decision in decisions {
                match decision {
                    Decision::Start { flight, work, departure } => {
                        self.create_session(flight, work, departure);
                    }
                    Decision::Answer { waiter, reply } => self.session_answered(waiter, reply),
                }
            }
            for decision in of_hops {
                match decision {
                    Decision::Start { flight, work, departure } => self.find_hub((flight, work, departure)),
                    Decision::Answer { waiter, reply } => self.pod_answered(waiter, reply),
                }
            }
        }
    }

    fn create_session(&mut self, flight: FlightId, pod: u32, departure: Departure) {
        let request = self.issuers_request(pod, departure, self.scenario.duration);
        let (fate, after) = self.issuer.request(request);
        self.at(self.now + after, Event::Landed(self.epoch, flight, outcome(fate)));
    }

    fn issuers_request(&mut self, pod: u32, departure: Departure, duration: Duration) -> Request {
        let place = self.pods[usize_of(pod)].order[departure.place];
        Request { at: self.now, place, duration, limit: departure.limit, jitter: self.rng.f64() }
    }

    /// The first service has answered a pod, or a hop that waits for its hub.
    fn session_answered(&mut self, waiter: WaiterId, reply: Reply<Session, Error>) {
        match &mut self.hops {
            None => self.pod_answered(waiter, reply),
            Some(hops) => {
                if let Some(waiting) = hops.waiting.remove(&waiter) {
                    self.hub_answered(waiting, reply);
                }
            }
        }
    }

    fn pod_answered(&mut self, waiter: WaiterId, reply: Reply<Session, Error>) {
        if let Some((pod, since)) = self.waiting.remove(&waiter) {
            self.waited(pod, since, reply);
        }
    }

    /// The first half of a hop.
    fn find_hub(&mut self, hop: WaitingHop) {
        let (_, pod, departure) = hop;
        let duration = self.scenario.duration;
        let freshness = HopService::freshness_of_hub(duration);
        let (deadline, epoch) = (departure.limit * 3 / 4, self.scheduler.epoch());
        let request = self.request(pod, Terms { freshness, duration, epoch, deadline });
        match (self.scheduler.ask(self.moment(), request), &mut self.hops) {
            (Step::Done(reply), _) => self.hub_answered(hop, reply),
            (Step::Wait(waiter), Some(hops)) => {
                hops.waiting.insert(waiter, hop);
                self.at(self.now + deadline, Event::HubDeadlineEnds(self.epoch, waiter));
            }
            (Step::Wait(_), None) => {}
        }
    }

    /// The second half.
    fn hub_answered(&mut self, (flight, pod, departure): WaitingHop, reply: Reply<Session, Error>) {
        let hub = match reply {
            Reply::Granted(hub) => hub,
            Reply::Denied { .. } => return self.hop_landed(flight, FlightOutcome::NotTried("no hub")),
        };
        let duration = self.hops.as_ref().map(|hops| hops.duration().min(hub.remaining)).unwrap_or_default();
        let request = self.issuers_request(pod, departure, duration.max(SHORTEST_HOP));
        let Some(hops) = &mut self.hops else { return };
        let (mut fate, after) = hops.issuer.request(request);
        if let Fate::Made(hop) = &mut fate {
            hop.ends = hop.ends.min(hub.session.ends);
        }
        self.at(self.now + after, Event::HopLanded(self.epoch, flight, outcome(fate)));
    }

    fn hop_landed(&mut self, flight: FlightId, outcome: FlightOutcome<Session, Error>) {
        let moment = self.moment();
        if let Some(hops) = &mut self.hops {
            hops.scheduler.landed(moment, flight, outcome);
        }
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
        if let Some(hops) = &mut self.hops {
            hops.fail_over();
        }
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
            let moment = self.moment();
            self.services()
                .for_each(|service| service.invalidate(moment, move |key| key.number % roles == role));
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

fn outcome(fate: Fate) -> FlightOutcome<Session, Error> {
    match fate {
        Fate::Made(session) => FlightOutcome::Made(Made { session, expiration: NOON + session.ends }),
        Fate::Throttled => FlightOutcome::Throttled { error: "throttled", retry_after: None },
        Fate::Away => FlightOutcome::Unreachable("away"),
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
