//! The bounds of the service: quota, memory, and time.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// The rate that one account and region allows. A rate of zero cannot be expressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests per second in the long run.
    pub per_second: NonZeroU32,
    /// Requests that may start together after a rest. At most this many, or `per_second` if that is more, start within
    /// any one second.
    pub burst: NonZeroU32,
}

/// When a session used by a [`StaleOk`](crate::Freshness::StaleOk) caller is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// At its half-life, without a request, provided that a request used it during its life. SDKs that return minutes
    /// or seconds before it expires then find a session with half its life left, even if the issuer is unavailable at
    /// that moment.
    Ahead,
    /// At the first request after its half-life.
    OnAsk,
}

/// The bounds of one [`Scheduler`](crate::Scheduler).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The rate of each quota scope.
    pub rate: Rate,
    /// The number of sessions that are cached.
    pub max_sessions: NonZeroUsize,
    /// Further attempts after a first one without an answer, before waiters are told.
    pub max_retries: u32,
    /// When sessions are renewed.
    pub renewal: Renewal,
    /// The longest time that one attempt may take.
    pub flight_timeout: Duration,
}

impl Limits {
    /// The number of flights that may wait, rest and fly together. It is at least 1,024, so that a small cache does not
    /// refuse a crowd that it can serve one by one.
    pub(crate) fn max_flights(&self) -> usize {
        self.max_sessions.get().max(1024)
    }

    /// The number of flights that one requester may have waiting, so that no requester fills the queue alone.
    pub(crate) fn max_flights_of_one(&self) -> usize {
        self.max_flights() / 8
    }
}

impl Default for Limits {
    /// 8 requests a second of AWS's 10, at most 8 at once, and 20,000 sessions.
    fn default() -> Self {
        const EIGHT: NonZeroU32 = NonZeroU32::new(8).expect("eight is not zero");
        const SESSIONS: NonZeroUsize = NonZeroUsize::new(20_000).expect("twenty thousand is not zero");
        Self {
            rate: Rate { per_second: EIGHT, burst: EIGHT },
            max_sessions: SESSIONS,
            max_retries: 3,
            renewal: Renewal::Ahead,
            flight_timeout: Duration::from_secs(30),
        }
    }
}
