//! What a run showed.

use std::time::Duration;

/// Everything counted in one run.
#[derive(Debug, Default)]
pub struct Measured {
    /// From a pod's start to its first credentials.
    pub first: Vec<Duration>,
    /// How long asks that had to wait waited, whatever came of it.
    pub waits: Vec<Duration>,
    /// Asks.
    pub asks: usize,
    /// Answers with a session past its half-life because no new one could be had.
    pub stale: usize,
    /// Answers without a session.
    pub denied: usize,
    /// Answers with a session that had ended. Must be none.
    pub expired: usize,
    /// How long pods were without credentials after theirs had ended, though they could have been answered.
    pub lapses: Vec<Duration>,
    /// The same, where AWS or Vault was away for all but a back-off since they began to ask.
    pub lapses_while_away: Vec<Duration>,
    /// For each ten seconds, how many pods had valid credentials.
    pub covered: Vec<u32>,
}

impl Measured {
    /// The `percent`-th percentile of some spans; zero of none.
    pub fn percentile(spans: &[Duration], percent: usize) -> Duration {
        let mut sorted = spans.to_vec();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get(last * percent / 100).copied().unwrap_or_default()
    }
}
