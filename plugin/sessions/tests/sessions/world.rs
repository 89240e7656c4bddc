//! A scheduler, and time that passes when a test says so.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use sessions::{
    CacheStatus, Cause, Decision, Epoch, FailureDomain, FlightId, FlightOutcome, FlightSpec, Freshness,
    Grant, Key, Limits, Made, Now, QuotaScope, Rank, Rate, Reply, Requester, Scheduler, SessionRequest,
    Sharing, Step, WaiterId, Why,
};
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// Sessions are numbers, counted up; errors are words.
pub(crate) type Error = &'static str;
pub(crate) type TestScheduler = Scheduler<TestKey, u32, Error, u32>;

/// A numbered key. All of them count against one quota.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TestKey {
    pub(crate) number: u32,
    domain: FailureDomain,
}

impl Key for TestKey {
    const CALL: &'static str = "Make";

    fn places(&self) -> std::sync::Arc<[QuotaScope]> {
        [QuotaScope::new("123456789012/eu-central-1")].into()
    }

    fn failure_domain(&self) -> FailureDomain {
        self.domain.clone()
    }
}

pub(crate) struct World {
    pub(crate) scheduler: TestScheduler,
    pub(crate) now: Now,
    pub(crate) started: Vec<(FlightId, u32)>,
    /// Why each attempt so far was made.
    pub(crate) causes: Vec<Cause>,
    pub(crate) answers: Vec<(WaiterId, Reply<u32, Error>)>,
    made: u32,
}

pub(crate) fn rate(per_second: u32, burst: u32) -> Rate {
    let some = |n| NonZeroU32::new(n).expect("no zero here");
    Rate { per_second: some(per_second), burst: some(burst) }
}

pub(crate) fn bound(sessions: usize) -> Limits {
    Limits { max_sessions: NonZeroUsize::new(sessions).expect("no zero here"), ..Limits::default() }
}

/// An ask of the caller `who` for the session `key` of an hour.
pub(crate) fn ask(key: u32, who: &str) -> SessionRequest<TestKey, u32> {
    SessionRequest {
        key: TestKey { number: key, domain: FailureDomain::new("web") },
        sharing: Sharing::SameKey,
        spec: FlightSpec {
            requester: Requester::new(who),
            freshness: Freshness::Prefer,
            rank: Rank::InTurn,
            duration: HOUR,
            work: key,
            epoch: Epoch::default(),
        },
        deadline: Duration::from_secs(15),
    }
}

pub(crate) fn stale_ok(ask: SessionRequest<TestKey, u32>) -> SessionRequest<TestKey, u32> {
    SessionRequest { spec: FlightSpec { freshness: Freshness::StaleOk, ..ask.spec }, ..ask }
}

pub(crate) fn unshared(ask: SessionRequest<TestKey, u32>) -> SessionRequest<TestKey, u32> {
    SessionRequest { sharing: Sharing::Nobody, ..ask }
}

pub(crate) fn ranked(rank: Rank, ask: SessionRequest<TestKey, u32>) -> SessionRequest<TestKey, u32> {
    SessionRequest { spec: FlightSpec { rank, ..ask.spec }, ..ask }
}

pub(crate) fn with_work(work: u32, ask: SessionRequest<TestKey, u32>) -> SessionRequest<TestKey, u32> {
    SessionRequest { spec: FlightSpec { work, ..ask.spec }, ..ask }
}

pub(crate) fn in_domain(domain: &str, ask: SessionRequest<TestKey, u32>) -> SessionRequest<TestKey, u32> {
    SessionRequest { key: TestKey { domain: FailureDomain::new(domain), ..ask.key }, ..ask }
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            scheduler: Scheduler::new(limits, fastrand::Rng::with_seed(7)),
            now: Now { monotonic: Duration::ZERO, wall: NOON },
            started: Vec::new(),
            causes: Vec::new(),
            answers: Vec::new(),
            made: 0,
        }
    }

    pub(crate) fn usual() -> Self {
        Self::new(Limits::default())
    }

    /// An ask that is planned now.
    pub(crate) fn ask(&mut self, ask: SessionRequest<TestKey, u32>) -> Step<u32, Error> {
        let ask = self.planned(ask);
        self.arrive(ask)
    }

    /// An ask that is planned now, and made later.
    pub(crate) fn planned(&self, ask: SessionRequest<TestKey, u32>) -> SessionRequest<TestKey, u32> {
        SessionRequest { spec: FlightSpec { epoch: self.scheduler.epoch(), ..ask.spec }, ..ask }
    }

    pub(crate) fn arrive(&mut self, ask: SessionRequest<TestKey, u32>) -> Step<u32, Error> {
        let step = self.scheduler.ask(self.now, ask);
        self.collect();
        step
    }

    /// An ask that has to wait.
    pub(crate) fn wait(&mut self, ask: SessionRequest<TestKey, u32>) -> WaiterId {
        match self.ask(ask) {
            Step::Wait(waiter) => waiter,
            Step::Done(reply) => panic!("answered at once: {reply:?}"),
        }
    }

    /// An ask that is answered at once.
    pub(crate) fn done(&mut self, ask: SessionRequest<TestKey, u32>) -> Reply<u32, Error> {
        match self.ask(ask) {
            Step::Done(reply) => reply,
            Step::Wait(waiter) => panic!("has to wait: {waiter:?}"),
        }
    }

    /// Time passes, and the scheduler is told whenever it asked to be.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now.monotonic + span;
        while let Some(next) = self.scheduler.next_tick().filter(|next| *next <= end) {
            self.jump(next.saturating_sub(self.now.monotonic));
            self.scheduler.tick(self.now);
            self.collect();
            let later = self.scheduler.next_tick();
            assert!(later.is_none_or(|later| later > self.now.monotonic), "a tick that does not help");
        }
        self.jump(end.saturating_sub(self.now.monotonic));
    }

    /// Time passes without the scheduler being told.
    pub(crate) fn jump(&mut self, span: Duration) {
        self.now.monotonic += span;
        self.now.wall += span;
    }

    /// Lands every flight that has started, in order.
    pub(crate) fn land(&mut self, mut outcome: impl FnMut(&mut Self) -> FlightOutcome<u32, Error>) -> usize {
        let flights = std::mem::take(&mut self.started);
        for (flight, _) in &flights {
            let outcome = outcome(self);
            self.scheduler.landed(self.now, *flight, outcome);
            self.collect();
        }
        flights.len()
    }

    /// An hour's session from now.
    pub(crate) fn session(&mut self) -> FlightOutcome<u32, Error> {
        self.made += 1;
        FlightOutcome::Made(Made { session: self.made, expiration: self.now.wall + HOUR })
    }

    /// Asks, and lands what that starts.
    pub(crate) fn obtain(&mut self, ask: SessionRequest<TestKey, u32>) -> u32 {
        let waiter = self.wait(ask);
        self.land(Self::session);
        granted(self.answer(waiter)).session
    }

    pub(crate) fn answer(&mut self, waiter: WaiterId) -> Reply<u32, Error> {
        let at = self.answers.iter().position(|(answered, _)| *answered == waiter);
        self.answers.swap_remove(at.expect("the waiter is answered")).1
    }

    pub(crate) fn collect(&mut self) {
        for decision in self.scheduler.decisions() {
            match decision {
                Decision::Start { flight, work, departure } => {
                    self.started.push((flight, work));
                    self.causes.push(departure.cause);
                }
                Decision::Answer { waiter, reply } => self.answers.push((waiter, reply)),
            }
        }
    }
}

pub(crate) fn granted(reply: Reply<u32, Error>) -> Grant<u32, Error> {
    match reply {
        Reply::Granted(grant) => grant,
        Reply::Denied { why, .. } => panic!("denied: {why:?}"),
    }
}

pub(crate) fn cache_status(reply: Reply<u32, Error>) -> CacheStatus<Error> {
    granted(reply).cache_status
}

pub(crate) fn why(reply: &Reply<u32, Error>) -> Why<Error> {
    match reply {
        Reply::Denied { why, .. } => why.clone(),
        Reply::Granted(grant) => panic!("granted: {grant:?}"),
    }
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn refused(_: &mut World) -> FlightOutcome<u32, Error> {
    FlightOutcome::Refused("AccessDenied")
}

pub(crate) fn unreachable(_: &mut World) -> FlightOutcome<u32, Error> {
    FlightOutcome::Unreachable("no route")
}

pub(crate) fn throttled(_: &mut World) -> FlightOutcome<u32, Error> {
    FlightOutcome::Throttled { error: "slow down", retry_after: None }
}
