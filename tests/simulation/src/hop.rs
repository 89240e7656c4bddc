//! Sessions by role chaining: a hub for each identity, made by CreateSession, and hops, made from it by AssumeRole.

use std::collections::HashMap;
use std::time::Duration;

use sessions::{Departure, FlightId, Freshness, Limits, Scheduler, WaiterId};

use crate::issuer::{Issuer, Session};
use crate::pod::PodKey;
use crate::scenario::{Hops, Scenario};

/// AssumeRole requests that STS takes in any second from one account in one region.
pub(crate) const STS_QUOTA: usize = 600;
/// The shortest session of AssumeRole.
pub(crate) const SHORTEST_HOP: Duration = Duration::from_mins(15);
/// From this length on, a hub past its half-life still gives whole hops.
const LONG_HUB: Duration = Duration::from_hours(2);

/// A service of sessions for pods.
pub(crate) type Service = Scheduler<PodKey, Session, &'static str, u32>;

/// A flight of a hop and the pod it is for.
pub(crate) type WaitingHop = (FlightId, u32, Departure);

/// The second service: pods ask it for hops, and its flights ask the first one for hubs.
pub(crate) struct HopService {
    hops: Hops,
    limits: Limits,
    pub(crate) scheduler: Service,
    /// Flights of hops that wait for a hub.
    pub(crate) waiting: HashMap<WaiterId, WaitingHop>,
    /// STS, which never is away.
    pub(crate) issuer: Issuer,
}

impl HopService {
    /// None without hops.
    pub(crate) fn of(scenario: &Scenario) -> Option<Self> {
        let hops = scenario.hops?;
        let limits = Limits { rate: hops.rate, ..scenario.limits };
        Some(Self {
            hops,
            limits,
            scheduler: Scheduler::new(limits, fastrand::Rng::with_seed(7)),
            waiting: HashMap::new(),
            issuer: Issuer::new(&Scenario { quota: STS_QUOTA, away: Vec::new(), ..scenario.clone() }),
        })
    }

    /// Which hubs a hop takes: the same rule as in the engine.
    pub(crate) fn freshness_of_hub(hub: Duration) -> Freshness {
        if hub >= LONG_HUB { Freshness::StaleOk } else { Freshness::Prefer }
    }

    /// Length of a hop.
    pub(crate) fn duration(&self) -> Duration {
        self.hops.duration
    }

    /// A new process has no hops.
    pub(crate) fn fail_over(&mut self) {
        self.scheduler = Scheduler::new(self.limits, fastrand::Rng::with_seed(9));
        self.waiting.clear();
    }
}
