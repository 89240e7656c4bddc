//! A flight: one session that is being made, the callers that wait for it, and the outcome of each attempt.

use std::time::Duration;

use time::OffsetDateTime;

use crate::ids::WaiterId;
use crate::now::Now;
use crate::priority_queue::Priority;
use crate::reply::Why;
use crate::request::{FlightSpec, Freshness, Requester, Sharing};

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A caller requested a session.
    Asked,
    /// A cached session is due for renewal, and nobody has requested it since.
    Ahead,
}

/// A session as the issuer returned it.
#[derive(Clone, Debug)]
pub struct Made<S> {
    /// The session itself. It is cloned for each caller, so use a shared pointer: its secrets are overwritten when the
    /// last clone is dropped.
    pub session: S,
    /// When the issuer stops accepting it.
    pub expiration: OffsetDateTime,
}

/// The outcome of one attempt.
#[derive(Clone, Debug)]
pub enum FlightOutcome<S, E> {
    /// The issuer returned a session.
    Made(Made<S>),
    /// The issuer refused. The same request would be refused again.
    Refused(E),
    /// The issuer did not answer, or answered that it is unavailable. Another attempt may succeed.
    Unreachable(E),
    /// The issuer throttled the request.
    Throttled {
        /// The issuer's error.
        error: E,
        /// How long the issuer asks to wait.
        retry_after: Option<Duration>,
    },
    /// The attempt took longer than [`Limits::flight_timeout`](crate::Limits::flight_timeout).
    Overdue,
    /// The attempt ended without an outcome, such as by a panic.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Flight<K, E, W> {
    pub(crate) key: K,
    pub(crate) sharing: Sharing,
    pub(crate) spec: FlightSpec<W>,
    pub(crate) cause: Cause,
    /// The requesters in whose lines the flight stands, at most [`Self::MAX_TICKETS`].
    pub(crate) tickets: Vec<Requester>,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) phase: FlightPhase,
    /// When the last request for it came, on the monotonic clock.
    pub(crate) asked: Duration,
    /// The scheduler drops a flight without waiters at this time, unless an attempt is under way.
    pub(crate) kept_until: Duration,
    /// Attempts that got no answer.
    pub(crate) failures: u32,
    pub(crate) last: Option<Why<E>>,
    /// The data it was planned from has changed since: it serves its waiters, makes one attempt, and is not cached.
    pub(crate) is_outdated: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) id: WaiterId,
    pub(crate) freshness: Freshness,
    /// When its deadline passes, on the monotonic clock.
    pub(crate) leaves: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlightPhase {
    /// It waits for its turn under the quota.
    Queued(Priority),
    /// It rests until this time before the next attempt.
    Resting(Duration),
    /// Its attempt began at this time.
    Flying(Now),
}

impl<K, E: Clone, W> Flight<K, E, W> {
    /// More lines than this do not change when its turn comes.
    pub(crate) const MAX_TICKETS: usize = 16;

    /// The reason to give to a waiter that leaves now.
    pub(crate) fn why(&self) -> Why<E> {
        match (&self.last, self.phase) {
            (Some(why), _) => why.clone(),
            (None, FlightPhase::Flying(_)) => Why::Slow,
            (None, _) => Why::Busy,
        }
    }
}
