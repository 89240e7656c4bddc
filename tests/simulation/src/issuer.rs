//! Roles Anywhere, or STS, as a fleet sees it: a quota, a latency, and days on which it is away.

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

/// One request for a session.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// When it is sent.
    pub at: Duration,
    /// To which region.
    pub place: usize,
    /// The length of the session.
    pub duration: Duration,
    /// How long it waits for an answer at most.
    pub limit: Duration,
    /// 0..1; spreads the latency.
    pub jitter: f64,
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
    away: Vec<Range<Duration>>,
    squeezed: Vec<Range<Duration>>,
    squeezed_quota: usize,
    /// Of each place, the requests within the last second.
    recent: Vec<VecDeque<Duration>>,
    /// When each request came, whatever its place.
    pub requests: Vec<Duration>,
    /// When the requests of each place came.
    pub of_place: Vec<Vec<Duration>>,
    /// Requests that were throttled.
    pub throttled: usize,
}

impl Issuer {
    /// As the scenario has it.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            quota: scenario.quota,
            away: scenario.away.clone(),
            squeezed: scenario.squeezed.clone(),
            squeezed_quota: scenario.squeezed_quota,
            recent: vec![VecDeque::new(); scenario.places],
            requests: Vec::new(),
            of_place: vec![Vec::new(); scenario.places],
            throttled: 0,
        }
    }

    /// What becomes of a request, and after how long.
    pub fn request(&mut self, request: Request) -> (Fate, Duration) {
        let Request { at: now, place, duration, limit, jitter } = request;
        self.requests.push(now);
        self.of_place[place].push(now);
        let latency = Duration::from_millis(120) + Duration::from_millis(100).mul_f64(jitter);
        if place == 0 && self.away.iter().any(|away| away.contains(&now)) {
            return (Fate::Away, CONNECT_TIMEOUT.min(limit));
        }
        let recent = &mut self.recent[place];
        while recent.front().is_some_and(|first| *first + SECOND <= now) {
            recent.pop_front();
        }
        recent.push_back(now);
        let is_squeezed = self.squeezed.iter().any(|squeezed| squeezed.contains(&now));
        let quota = if is_squeezed { self.squeezed_quota } else { self.quota };
        if recent.len() > quota {
            recent.pop_back();
            self.throttled += 1;
            return (Fate::Throttled, latency / 3);
        }
        (Fate::Made(Session { ends: now + duration }), latency)
    }

    /// The most requests in any one second at one place, wherever it begins.
    pub fn busiest_second(&self) -> usize {
        self.of_place.iter().map(|requests| busiest_second(requests)).max().unwrap_or_default()
    }
}

fn busiest_second(requests: &[Duration]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in requests.iter().enumerate() {
        while requests[first] + SECOND <= *at {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}
