//! One session on its way: who waits for it, where it stands, and how attempts end.

use std::time::Duration;

use time::OffsetDateTime;

use crate::ask::{Caller, Mode, Order, Sharing};
use crate::ids::WaiterId;
use crate::lanes::Lane;
use crate::moment::Moment;
use crate::reply::Why;

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked.
    Asked,
    /// A session is due, and nobody has asked since.
    Ahead,
}

/// A session as the issuer gave it.
#[derive(Clone, Debug)]
pub struct Made<S> {
    /// The session, whole. Cloned for each caller, so it should be a shared pointer; its secrets are overwritten when the last
    /// clone is dropped.
    pub session: S,
    /// When the issuer stops taking it.
    pub expiration: OffsetDateTime,
}

/// How one attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome<S, E> {
    /// A session.
    Made(Made<S>),
    /// No, and the same request gets the same answer.
    Refused(E),
    /// The issuer did not answer, or only that it cannot: another attempt may help.
    Unreachable(E),
    /// The issuer counts too many requests.
    Throttled {
        /// What it said.
        error: E,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// No answer in the time a flight may take.
    Overdue,
    /// The attempt is gone without an outcome.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Flight<K, E, W> {
    pub(crate) key: K,
    pub(crate) sharing: Sharing,
    pub(crate) order: Order<W>,
    pub(crate) cause: Cause,
    /// Everyone in whose line it stands, at most [`Self::MOST_TICKETS`].
    pub(crate) tickets: Vec<Caller>,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) phase: Phase,
    /// When somebody last asked for it.
    pub(crate) asked: Duration,
    /// Without a waiter it is dropped then, unless it is under way.
    pub(crate) kept_until: Duration,
    /// Attempts that met no answer.
    pub(crate) failures: u32,
    pub(crate) last: Option<Why<E>>,
    /// What it is made from has changed since: it serves those who wait, with one attempt.
    pub(crate) is_outdated: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) id: WaiterId,
    pub(crate) mode: Mode,
    /// When its patience ends, on the steady clock.
    pub(crate) leaves: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waits for its turn.
    Queued(Lane),
    /// Waits before another attempt.
    Resting(Duration),
    /// Under way since.
    Flying(Moment),
}

impl<K, E: Clone, W> Flight<K, E, W> {
    /// More lines than this make no difference to when its turn comes.
    pub(crate) const MOST_TICKETS: usize = 16;

    /// What to tell a waiter who leaves now.
    pub(crate) fn why(&self) -> Why<E> {
        match (&self.last, self.phase) {
            (Some(why), _) => why.clone(),
            (None, Phase::Flying(_)) => Why::Slow,
            (None, _) => Why::Busy,
        }
    }
}
