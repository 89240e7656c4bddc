//! The reply to a request.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// The reply to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<S, E> {
    /// A valid session.
    Granted(Grant<S, E>),
    /// No session.
    Denied {
        /// The reason.
        why: Why<E>,
        /// When a new request may succeed: an estimate, at least one second.
        retry_in: Duration,
    },
}

/// A session for one caller, with the facts of its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant<S, E> {
    /// The session.
    pub session: S,
    /// Its length when it was made.
    pub whole: Duration,
    /// The time left, by the clock that says less. Never zero.
    pub remaining: Duration,
    /// The time until the service renews it; zero if it is due.
    pub renewal_in: Duration,
    /// Where the session comes from.
    pub cache_status: CacheStatus<E>,
}

/// Where a session comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheStatus<E> {
    /// It was made for this request.
    New,
    /// It was made for another request with the same key, and has not reached its half-life.
    Shared,
    /// It is past its half-life, and a new one is being made.
    Renewing,
    /// It is past its half-life, and no new one could be made: worth a warning.
    Stale(Why<E>),
}

/// Why there is no new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why<E> {
    /// The issuer, or a check before it, refused. The same request would be refused again.
    Refused(E),
    /// The issuer did not answer.
    Unreachable(E),
    /// The issuer throttled the request; the whole quota scope pauses.
    Throttled(E),
    /// The flight still waits for its turn under the quota of [this call](crate::Key::CALL).
    Busy(&'static str),
    /// The issuer has not answered [this call](crate::Key::CALL) yet.
    Slow(&'static str),
    /// Too many flights are waiting already.
    Full,
    /// The issuer's session had expired on arrival, or had less than five seconds left: one of the clocks is wrong.
    BornExpired,
    /// The attempt ended without an outcome.
    Lost,
    /// The data that the request was planned from has changed since.
    Changed,
    /// The service is closing.
    Closing,
}

impl<E: Display> Display for Why<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) | Self::Unreachable(error) | Self::Throttled(error) => error.fmt(f),
            Self::Busy(call) => write!(f, "it waits for its turn under the rate limit of {call}"),
            Self::Slow(call) => write!(f, "the answer to {call} is not there yet"),
            Self::Full => f.write_str("too many sessions are waited for already"),
            Self::BornExpired => f.write_str(
                "the session had expired, or nearly, when it came; check the clock of this machine",
            ),
            Self::Lost => f.write_str("the attempt to make a session ended without an outcome"),
            Self::Changed => f.write_str("what the session is made from was changed meanwhile"),
            Self::Closing => f.write_str("the mount is closing"),
        }
    }
}
