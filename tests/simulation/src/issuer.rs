//! Roles Anywhere as a fleet sees it: a quota, a latency, and days on which it is away.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::scenario::Scenario;

const SECOND: Duration = Duration::from_secs(1);
/// How long a connection attempt to an absent AWS takes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What a session is in this world: when it truly ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Since the start of the run.
    pub ends: Duration,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A session.
    Made(Session),
    /// More than the quota in the second that ends now.
    Throttled,
    /// No answer.
    Away,
}

/// Counts every request, and takes no more than the quota in any second, wherever that second begins.
#[derive(Debug)]
pub struct Issuer {
    quota: usize,
    duration: Duration,
    away: Vec<Range<Duration>>,
    squeezed: Vec<Range<Duration>>,
    squeezed_quota: usize,
    recent: VecDeque<Duration>,
    /// When each request came.
    pub requests: Vec<Duration>,
    /// Requests that were throttled.
    pub throttled: usize,
}

impl Issuer {
    /// As the scenario has it.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            quota: scenario.quota,
            duration: scenario.duration,
            away: scenario.away.clone(),
            squeezed: scenario.squeezed.clone(),
            squeezed_quota: scenario.squeezed_quota,
            recent: VecDeque::new(),
            requests: Vec::new(),
            throttled: 0,
        }
    }

    /// A request at `now`: what becomes of it, and after how long. `luck` in 0..1 spreads the latency.
    pub fn request(&mut self, now: Duration, jitter: f64) -> (Fate, Duration) {
        self.requests.push(now);
        let latency = Duration::from_millis(120) + Duration::from_millis(100).mul_f64(jitter);
        if self.away.iter().any(|away| away.contains(&now)) {
            return (Fate::Away, CONNECT_TIMEOUT);
        }
        while self.recent.front().is_some_and(|first| *first + SECOND <= now) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let is_squeezed = self.squeezed.iter().any(|squeezed| squeezed.contains(&now));
        let quota = if is_squeezed { self.squeezed_quota } else { self.quota };
        if self.recent.len() > quota {
            self.recent.pop_back();
            self.throttled += 1;
            return (Fate::Throttled, latency / 3);
        }
        (Fate::Made(Session { ends: now + self.duration }), latency)
    }

    /// The most requests in any one second, wherever it begins.
    pub fn busiest_second(&self) -> usize {
        let mut first = 0;
        let mut most = 0;
        for (last, at) in self.requests.iter().enumerate() {
            while self.requests[first] + SECOND <= *at {
                first += 1;
            }
            most = most.max(last - first + 1);
        }
        most
    }
}
