//! A desk, and time that passes when a test says so.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use sessions::{
    Ask, Caller, Cause, Decision, Desk, Epoch, FlightId, Freshness, Grant, Group, Limits, Made, Mode, Moment,
    Order, Outcome, Place, Rank, Rate, Reply, Sharing, Step, WaiterId, Why,
};
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// Sessions are numbers, counted up; errors are words.
pub(crate) type Error = &'static str;
pub(crate) type TestDesk = Desk<u32, u32, Error, u32>;

pub(crate) struct World {
    pub(crate) desk: TestDesk,
    pub(crate) now: Moment,
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
pub(crate) fn ask(key: u32, who: &str) -> Ask<u32, u32> {
    Ask {
        key,
        sharing: Sharing::SameKey,
        order: Order {
            place: Place::new("123456789012/eu-central-1"),
            group: Group::new("web"),
            caller: Caller::new(who),
            mode: Mode::Patient,
            rank: Rank::InTurn,
            duration: HOUR,
            work: key,
            epoch: Epoch::default(),
        },
        patience: Duration::from_secs(15),
    }
}

pub(crate) fn at_once(ask: Ask<u32, u32>) -> Ask<u32, u32> {
    Ask { order: Order { mode: Mode::AtOnce, ..ask.order }, ..ask }
}

pub(crate) fn unshared(ask: Ask<u32, u32>) -> Ask<u32, u32> {
    Ask { sharing: Sharing::Nobody, ..ask }
}

pub(crate) fn ranked(rank: Rank, ask: Ask<u32, u32>) -> Ask<u32, u32> {
    Ask { order: Order { rank, ..ask.order }, ..ask }
}

pub(crate) fn with_work(work: u32, ask: Ask<u32, u32>) -> Ask<u32, u32> {
    Ask { order: Order { work, ..ask.order }, ..ask }
}

pub(crate) fn in_group(group: &str, ask: Ask<u32, u32>) -> Ask<u32, u32> {
    Ask { order: Order { group: Group::new(group), ..ask.order }, ..ask }
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            desk: Desk::new(limits, fastrand::Rng::with_seed(7)),
            now: Moment { steady: Duration::ZERO, wall: NOON },
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
    pub(crate) fn ask(&mut self, ask: Ask<u32, u32>) -> Step<u32, Error> {
        let ask = self.planned(ask);
        self.arrive(ask)
    }

    /// An ask that is planned now, and made later.
    pub(crate) fn planned(&self, ask: Ask<u32, u32>) -> Ask<u32, u32> {
        Ask { order: Order { epoch: self.desk.epoch(), ..ask.order }, ..ask }
    }

    pub(crate) fn arrive(&mut self, ask: Ask<u32, u32>) -> Step<u32, Error> {
        let step = self.desk.ask(self.now, ask);
        self.collect();
        step
    }

    /// An ask that has to wait.
    pub(crate) fn wait(&mut self, ask: Ask<u32, u32>) -> WaiterId {
        match self.ask(ask) {
            Step::Wait(waiter) => waiter,
            Step::Done(reply) => panic!("answered at once: {reply:?}"),
        }
    }

    /// An ask that is answered at once.
    pub(crate) fn done(&mut self, ask: Ask<u32, u32>) -> Reply<u32, Error> {
        match self.ask(ask) {
            Step::Done(reply) => reply,
            Step::Wait(waiter) => panic!("has to wait: {waiter:?}"),
        }
    }

    /// Time passes, and the desk is told whenever it asked to be.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now.steady + span;
        while let Some(next) = self.desk.next_tick().filter(|next| *next <= end) {
            self.jump(next.saturating_sub(self.now.steady));
            self.desk.tick(self.now);
            self.collect();
            let later = self.desk.next_tick();
            assert!(later.is_none_or(|later| later > self.now.steady), "a tick that does not help");
        }
        self.jump(end.saturating_sub(self.now.steady));
    }

    /// Time passes without the desk being told.
    pub(crate) fn jump(&mut self, span: Duration) {
        self.now.steady += span;
        self.now.wall += span;
    }

    /// Lands every flight that has started, in order.
    pub(crate) fn land(&mut self, mut outcome: impl FnMut(&mut Self) -> Outcome<u32, Error>) -> usize {
        let flights = std::mem::take(&mut self.started);
        for (flight, _) in &flights {
            let outcome = outcome(self);
            self.desk.landed(self.now, *flight, outcome);
            self.collect();
        }
        flights.len()
    }

    /// An hour's session from now.
    pub(crate) fn session(&mut self) -> Outcome<u32, Error> {
        self.made += 1;
        Outcome::Made(Made { session: self.made, expiration: self.now.wall + HOUR })
    }

    /// Asks, and lands what that starts.
    pub(crate) fn obtain(&mut self, ask: Ask<u32, u32>) -> u32 {
        let waiter = self.wait(ask);
        self.land(Self::session);
        granted(self.answer(waiter)).session
    }

    pub(crate) fn answer(&mut self, waiter: WaiterId) -> Reply<u32, Error> {
        let at = self.answers.iter().position(|(answered, _)| *answered == waiter);
        self.answers.swap_remove(at.expect("the waiter is answered")).1
    }

    pub(crate) fn collect(&mut self) {
        for decision in self.desk.decisions() {
            match decision {
                Decision::Start { flight, work, cause } => {
                    self.started.push((flight, work));
                    self.causes.push(cause);
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

pub(crate) fn freshness(reply: Reply<u32, Error>) -> Freshness<Error> {
    granted(reply).freshness
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

pub(crate) fn refused(_: &mut World) -> Outcome<u32, Error> {
    Outcome::Refused("AccessDenied")
}

pub(crate) fn unreachable(_: &mut World) -> Outcome<u32, Error> {
    Outcome::Unreachable("no route")
}

pub(crate) fn throttled(_: &mut World) -> Outcome<u32, Error> {
    Outcome::Throttled { error: "slow down", retry_after: None }
}
