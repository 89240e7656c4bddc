//! What bounds the service: the quota, the memory, the patience.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// How many requests an account and region may see. A rate of nothing cannot be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests per second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a rest. At most this many, or `per_second` if that is more, start within any one second.
    pub burst: NonZeroU32,
}

/// When a session that an [`AtOnce`](crate::Mode::AtOnce) caller uses is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// At its half-life, without being asked, as long as somebody asked during its life. SDKs that come back minutes or seconds
    /// before the end then find a session with half its life left, also when the issuer is away just then.
    Ahead,
    /// When somebody asks after its half-life.
    OnAsk,
}

/// The bounds of one [`Desk`](crate::Desk).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For each place of its own.
    pub rate: Rate,
    /// Sessions kept for the next caller.
    pub max_sessions: NonZeroUsize,
    /// Further attempts after a first one that met no answer, before waiters are told.
    pub max_retries: u32,
    /// When sessions are renewed.
    pub renewal: Renewal,
    /// After this long the service gives a flight up.
    pub flight_timeout: Duration,
}

impl Limits {
    /// How many flights may wait, rest and fly together. A few more than the sessions that can be kept, so that a small cache
    /// does not refuse a crowd it can serve one by one.
    pub(crate) fn max_flights(&self) -> usize {
        self.max_sessions.get().max(1024)
    }

    /// How many flights one caller may have waiting, so that nobody fills the queue alone.
    pub(crate) fn max_flights_of_one(&self) -> usize {
        self.max_flights() / 8
    }
}

impl Default for Limits {
    /// 8 a second of AWS's 10, at most 8 at once, 20,000 sessions.
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
