//! What happened so far, and how things stand.

use std::time::Duration;

/// Totals since the start, and gauges of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts started.
    pub started: u64,
    /// Sessions that landed.
    pub issued: u64,
    /// Answers with a session made for this very ask.
    pub fresh: u64,
    /// Answers with a session that another ask had made.
    pub shared: u64,
    /// Answers with a session past its half-life while a new one is made.
    pub renewing: u64,
    /// Answers with a session past its half-life because no new one could be had.
    pub stale: u64,
    /// Answers without a session.
    pub denied: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Attempts that met no answer.
    pub unreachable: u64,
    /// Attempts that were throttled.
    pub throttled: u64,
    /// Sessions dropped before their end to make room.
    pub evicted: u64,
    /// Gauge: sessions kept.
    pub kept: u64,
    /// Gauge: flights that wait for a turn or rest before another attempt.
    pub queued: u64,
    /// Gauge: flights under way.
    pub flying: u64,
    /// Gauge: callers that wait.
    pub waiting: u64,
    /// Gauge: places that pause because the issuer throttled.
    pub paused: u64,
    /// Gauge: attempts that may start at once, of the place that has the fewest left.
    pub tokens: u64,
    /// Gauge: what is left of the longest pause.
    pub pause_left: Duration,
}
