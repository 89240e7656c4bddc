//! A pod: which way it takes credentials, when it comes back for more, and how it takes a no.

use std::sync::Arc;
use std::time::Duration;

use sessions::{FailureDomain, Freshness, Grant, Key, QuotaScope, Requester};

use crate::issuer::Session;
use crate::scenario::Scenario;

/// The ways in, with the refresh windows of the SDKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Vault Agent renders `creds/<role>` under a lease.
    Agent,
    /// `container/<role>` by botocore: refreshes from 15 minutes before the end.
    Botocore,
    /// `container/<role>` by the Go and JavaScript SDKs: from 5 minutes before.
    GoOrJavaScript,
    /// `container/<role>` by the Rust SDK: 10 seconds before.
    Rust,
}

impl Way {
    /// Four in ten by Agent, the others by the container endpoint.
    pub fn of(pod: u32) -> Self {
        match pod % 10 {
            0..4 => Self::Agent,
            4..6 => Self::Botocore,
            6..9 => Self::GoOrJavaScript,
            _ => Self::Rust,
        }
    }

    /// Which freshness of the scheduler the path uses.
    pub fn freshness(self) -> Freshness {
        if self == Self::Agent { Freshness::Prefer } else { Freshness::StaleOk }
    }

    /// How long the path waits.
    pub fn deadline(self) -> Duration {
        if self == Self::Agent { Duration::from_secs(15) } else { Duration::from_millis(1800) }
    }
}

/// A pod's identity under a version of its role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodKey {
    /// The pod.
    pub number: u32,
    /// The version of its role.
    pub version: u32,
    /// Its Vault role.
    pub failure_domain: FailureDomain,
    /// Its regions in the order in which they are tried.
    pub places: Arc<[QuotaScope]>,
}

impl Key for PodKey {
    const CALL: &'static str = "CreateSession";

    fn places(&self) -> Arc<[QuotaScope]> {
        Arc::clone(&self.places)
    }

    fn failure_domain(&self) -> FailureDomain {
        self.failure_domain.clone()
    }
}

/// One pod with an identity of its own.
#[derive(Debug)]
pub struct Pod {
    /// How it takes credentials.
    pub way: Way,
    /// Its entity.
    pub requester: Requester,
    /// Its Vault role.
    pub failure_domain: FailureDomain,
    /// Its regions in the order in which they are tried, by their numbers.
    pub order: Vec<usize>,
    /// The same, as quotas.
    pub places: Arc<[QuotaScope]>,
    /// When it started.
    pub started: Duration,
    /// When its credentials end; none before the first.
    pub ends: Option<Duration>,
    /// Since when it asks in vain.
    pub asking_since: Option<Duration>,
    failures: u32,
}

impl Pod {
    /// A pod that starts at `started`.
    pub fn new(number: u32, scenario: &Scenario, started: Duration) -> Self {
        let mut order: Vec<usize> = (0..scenario.places).collect();
        if scenario.is_spread {
            order.rotate_left(usize::try_from(number).unwrap_or_default() % scenario.places);
        }
        let places = order.iter().map(|place| QuotaScope::new(format!("place {place}"))).collect();
        let roles = scenario.roles;
        Self {
            order,
            places,
            way: Way::of(number),
            requester: Requester::new(format!("entity-{number}")),
            failure_domain: FailureDomain::new(format!("role-{}", number % roles)),
            started,
            ends: None,
            asking_since: None,
            failures: 0,
        }
    }

    /// It has new credentials; when it will ask again.
    pub fn take(&mut self, now: Duration, grant: &Grant<Session, &'static str>, jitter: f64) -> Duration {
        let ends = grant.session.ends;
        self.ends = Some(ends);
        self.failures = 0;
        self.asking_since = None;
        let before = |window: u64| {
            let opens =
                ends.saturating_sub(Duration::from_secs(window)) + Duration::from_secs(10).mul_f64(jitter);
            opens.max(now + Duration::from_secs(30))
        };
        match self.way {
            Way::Agent => now + lease(grant.whole, grant.remaining).mul_f64(0.85 + 0.1 * jitter),
            Way::Botocore => before(15 * 60),
            Way::GoOrJavaScript => before(5 * 60),
            Way::Rust => ends.saturating_sub(Duration::from_secs(10)).max(now + Duration::from_secs(1)),
        }
    }

    /// It got none; when it tries again.
    pub fn back_off(&mut self, now: Duration, jitter: f64) -> Duration {
        self.failures += 1;
        let (first, longest) = match self.way {
            Way::Agent => (Duration::from_millis(250), Duration::from_secs(60)),
            _ => (Duration::from_secs(1), Duration::from_secs(30)),
        };
        let doubled = first.saturating_mul(1 << (self.failures - 1).min(10)).min(longest);
        now + doubled.mul_f64(0.75 + 0.5 * jitter)
    }
}

/// The lease of `creds/<role>`: the same rule as in the engine.
fn lease(whole: Duration, remaining: Duration) -> Duration {
    let margin = Duration::from_mins(5).min(whole / 2).max(whole / 4);
    remaining.saturating_sub(margin).max(remaining / 2).max(Duration::from_secs(1))
}
