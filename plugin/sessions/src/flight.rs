//! A flight: one session that is being made, the callers that wait for it, and the outcome of each attempt.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::ids::WaiterId;
use crate::key::Key;
use crate::now::Now;
use crate::priority_queue::Priority;
use crate::reply::Why;
use crate::request::{FlightSpec, Freshness, QuotaScope, Requester, Sharing};

/// How long a queued flight without waiters is kept after its last request, so that the start of a fleet makes progress
/// although its callers come and go.
pub(crate) const KEPT_QUEUED: Duration = Duration::from_mins(10);

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A caller requested a session.
    Asked,
    /// A cached session is due for renewal, and nobody has requested it since.
    Ahead,
}

/// What begins a flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) sharing: Sharing,
    pub(crate) cause: Cause,
    /// How long the caller waits.
    pub(crate) patience: Duration,
}

/// One attempt, as the work of a flight is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Why it is made.
    pub cause: Cause,
    /// Where: an index of [`Key::places`](crate::Key::places).
    pub place: usize,
    /// The longest time that it may take.
    pub limit: Duration,
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
    /// Something that the attempt needs first is not there yet, so the issuer was not asked. The attempt says nothing about its
    /// place. Another one may succeed.
    NotTried(E),
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
    /// As of [`Key::places`](crate::Key::places).
    pub(crate) places: Arc<[QuotaScope]>,
    /// The place of the attempt that is queued or under way.
    pub(crate) place: usize,
    /// A bit for each place that gave no answer since the flight rested last.
    tried: u8,
    /// How long the request that began the flight waits.
    pub(crate) patience: Duration,
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
    /// A flight that is not queued yet.
    pub(crate) fn new(
        now: Duration,
        key: K,
        places: Arc<[QuotaScope]>,
        spec: FlightSpec<W>,
        ask: Ask,
    ) -> Self {
        Self {
            key,
            sharing: ask.sharing,
            places,
            place: 0,
            tried: 0,
            patience: ask.patience,
            tickets: vec![spec.requester.clone()],
            spec,
            cause: ask.cause,
            waiters: Vec::new(),
            phase: FlightPhase::Resting(now),
            asked: now,
            kept_until: now + KEPT_QUEUED,
            failures: 0,
            last: None,
            is_outdated: false,
        }
    }

    /// The place of the attempt that is queued or under way.
    pub(crate) fn scope(&self) -> &QuotaScope {
        &self.places[self.place]
    }

    pub(crate) fn has_tried(&self, place: usize) -> bool {
        self.tried & Self::bit(place) != 0
    }

    /// Notes that a place gave no answer.
    pub(crate) fn try_place(&mut self, place: usize) {
        self.tried |= Self::bit(place);
    }

    /// Forgets which places gave no answer: each one may be tried again.
    pub(crate) fn begin_round(&mut self) {
        self.tried = 0;
    }

    /// A ninth place and those behind it share a bit, so that they are tried together.
    fn bit(place: usize) -> u8 {
        1 << place.min(7)
    }

    /// More lines than this do not change when its turn comes.
    pub(crate) const MAX_TICKETS: usize = 16;
}

impl<K: Key, E: Clone, W> Flight<K, E, W> {
    /// The reason to give to a waiter that leaves now.
    pub(crate) fn why(&self) -> Why<E> {
        match (&self.last, self.phase) {
            (Some(why), _) => why.clone(),
            (None, FlightPhase::Flying(_)) => Why::Slow(K::CALL),
            (None, _) => Why::Busy(K::CALL),
        }
    }
}
