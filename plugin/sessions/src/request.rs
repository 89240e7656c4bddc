//! A request for a session.

use std::sync::Arc;
use std::time::Duration;

use crate::invalidations::Epoch;

/// What one quota of the issuer covers: an account and a region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuotaScope(Arc<str>);

/// The party in whose turn a request is served: in Vault, the entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requester(Arc<str>);

/// Requests that the issuer tends to refuse together: in Vault, those of a role's callers in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FailureDomain(Arc<str>);

macro_rules! name {
    ($kind:ident) => {
        impl $kind {
            /// Creates it from its name.
            pub fn new(name: impl AsRef<str>) -> Self {
                Self(Arc::from(name.as_ref()))
            }
        }
    };
}
name!(QuotaScope);
name!(Requester);
name!(FailureDomain);

/// Whether a caller accepts a session past its half-life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The caller can wait, and prefers a new session to one past its half-life.
    Prefer,
    /// The caller needs an answer now. It is served a usable old session while a new one is made.
    StaleOk,
}

/// Which other callers may get the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Every caller with an equal key.
    SameKey,
    /// None: the session is made for this request alone, and not cached.
    Nobody,
}

/// The order in which the requests of one quota scope are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It starts at once, also without a token and during a pause. It still spends a token, and is accepted by a full
    /// queue, so it must be rare.
    First,
    /// It is served in the requester's turn.
    InTurn,
    /// It is served after all others: it spends no token of the last half of the burst, except one start in 16 while
    /// others wait.
    Spare,
}

/// How a session is made, for whom, and in whose turn.
#[derive(Clone, Debug)]
pub struct FlightSpec<W> {
    /// The requester in whose turn it is served.
    pub requester: Requester,
    /// Whether the caller accepts a session past its half-life.
    pub freshness: Freshness,
    /// Its rank among the requests of the quota scope.
    pub rank: Rank,
    /// The requested length of the session. The issuer may grant less, never more.
    pub duration: Duration,
    /// The work that makes the session, returned in [`Decision::Start`](crate::Decision::Start). Its result must depend
    /// on nothing that the key does not hold. How it is made may change (a timeout), so the newest request for a key
    /// supplies the work.
    pub work: W,
    /// The scheduler's [`epoch`](crate::Scheduler::epoch), read before the data that key and work are made of.
    pub epoch: Epoch,
}

impl<W: Clone> FlightSpec<W> {
    /// Another request for the same session arrived.
    pub(crate) fn join(&mut self, other: &Self) {
        if other.freshness == Freshness::StaleOk {
            self.freshness = Freshness::StaleOk;
        }
        self.rank = self.rank.min(other.rank);
        if other.epoch >= self.epoch {
            self.work = other.work.clone();
            self.epoch = other.epoch;
        }
    }
}

/// One request for a session.
#[derive(Clone, Debug)]
pub struct SessionRequest<K, W> {
    /// Requests with equal keys share a session.
    pub key: K,
    /// Which other callers may get it.
    pub sharing: Sharing,
    /// How it is made.
    pub spec: FlightSpec<W>,
    /// The longest time that the caller waits.
    pub deadline: Duration,
}
