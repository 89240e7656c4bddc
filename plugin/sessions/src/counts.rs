//! Totals since the start, and gauges of the current state.

use std::time::Duration;

/// Totals since the scheduler was created, and gauges of its current state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts started.
    pub started: u64,
    /// Attempts that returned a session.
    pub issued: u64,
    /// Replies with a session that was made for this request.
    pub fresh: u64,
    /// Replies with a cached session that another request had caused.
    pub shared: u64,
    /// Replies with a session past its half-life, while the scheduler makes a new one.
    pub renewing: u64,
    /// Replies with a session past its half-life, because no new one could be made.
    pub stale: u64,
    /// Replies without a session.
    pub denied: u64,
    /// Attempts that the issuer refused.
    pub refused: u64,
    /// Attempts that got no answer.
    pub unreachable: u64,
    /// Attempts that the issuer throttled.
    pub throttled: u64,
    /// Sessions evicted before they expired, because the cache was full.
    pub evicted: u64,
    /// Gauge: cached sessions.
    pub cached: u64,
    /// Gauge: flights that wait for their turn or for their next attempt.
    pub queued: u64,
    /// Gauge: flights with an attempt under way.
    pub flying: u64,
    /// Gauge: callers that wait.
    pub waiting: u64,
    /// Gauge: quota scopes that are paused because the issuer throttled them.
    pub paused: u64,
    /// Attempts that got no answer and whose flight went on to another place.
    pub failed_over: u64,
    /// Gauge: quota scopes that do not answer, so that flights with another place go there.
    pub away: u64,
    /// Gauge: attempts that may start now, of the quota scope with the fewest left.
    pub tokens: u64,
    /// Gauge: the time left of the longest pause.
    pub pause_left: Duration,
}
