//! What a caller gets.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// The answer to one ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<S, E> {
    /// A session that is whole and valid.
    Granted(Grant<S, E>),
    /// None.
    Denied {
        /// The reason.
        why: Why<E>,
        /// When asking again may help: an estimate, a second or more.
        retry_in: Duration,
    },
}

/// A session on its way to a caller, with what is known about its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant<S, E> {
    /// The session.
    pub session: S,
    /// Its true length when it was made.
    pub whole: Duration,
    /// What is left, by whichever of the two clocks says less. Never zero.
    pub remaining: Duration,
    /// How long until the service will want a new one; zero when it wants one already.
    pub renewal_in: Duration,
    /// Where it comes from.
    pub freshness: Freshness<E>,
}

/// Where a session comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freshness<E> {
    /// Made for this ask.
    New,
    /// Made for another ask with the same key, before its half-life.
    Shared,
    /// Past its half-life; a new one is being made.
    Renewing,
    /// Past its half-life, and a new one could not be had: worth a warning.
    Stale(Why<E>),
}

/// Why there is no new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why<E> {
    /// The issuer, or a check before it, said no. The same request gets the same answer.
    Refused(E),
    /// The issuer did not answer.
    Unreachable(E),
    /// The issuer counts too many requests; all of the place pause.
    Throttled(E),
    /// It waits for its turn under the quota.
    Busy,
    /// It was asked for and the answer is not there yet.
    Slow,
    /// Too many sessions are waited for already.
    Full,
    /// The issuer's session had expired when it came, or had less than five seconds left: one of the clocks is wrong.
    BornExpired,
    /// The attempt ended without an outcome.
    Lost,
    /// What it would have been made from was changed meanwhile.
    Changed,
    /// The service ends.
    Closing,
}

impl<E: Display> Display for Why<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) | Self::Unreachable(error) | Self::Throttled(error) => error.fmt(f),
            Self::Busy => f.write_str("it waits for its turn under the rate limit of CreateSession"),
            Self::Slow => f.write_str("the answer to CreateSession is not there yet"),
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
