//! What is counted, and its names for Prometheus. Dashboards and alerts use the names, so they are an interface.
//!
//! No label names a pod, a namespace, a service account or a role: a fleet has any number of them.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::refusal::{Refusal, Retry};

/// One label whose name and values are fixed when the program is built.
type Labels = [(&'static str, &'static str); 1];

/// A call to Vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultCall {
    /// `auth/<mount>/login`.
    Login,
    /// `<mount>/container/<role>`.
    Session,
    /// `sys/health`, by the watch.
    Health,
}

impl VaultCall {
    const ALL: [VaultCall; 3] = [VaultCall::Login, VaultCall::Session, VaultCall::Health];

    fn name(self) -> &'static str {
        match self {
            VaultCall::Login => "login",
            VaultCall::Session => "session",
            VaultCall::Health => "health",
        }
    }
}

/// The buckets of calls to Vault, in seconds: from a read over a warm connection to the longest call.
const VAULT_BUCKETS: [f64; 9] = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5];

/// Makes the histograms of calls.
#[derive(Clone, Debug)]
struct ByBuckets;

impl MetricConstructor<Histogram> for ByBuckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(VAULT_BUCKETS)
    }
}

/// The counters of this process.
#[derive(Debug)]
pub struct Meters {
    vault: Family<Labels, Histogram, ByBuckets>,
    logins: Family<Labels, Counter<u64, AtomicU64>>,
    clock_ahead: Gauge<i64, AtomicI64>,
}

impl Default for Meters {
    /// Makes every series at zero, because a rate needs the value from before the first event.
    fn default() -> Meters {
        let meters = Meters {
            vault: Family::new_with_constructor(ByBuckets),
            logins: Family::default(),
            clock_ahead: Gauge::default(),
        };
        for call in VaultCall::ALL {
            drop(meters.vault.get_or_create(&[("call", call.name())]));
        }
        for outcome in ["granted", "refused", "failed"] {
            drop(meters.logins.get_or_create(&[("outcome", outcome)]));
        }
        meters
    }
}

impl Meters {
    /// Records how long a call to one address of Vault took, however it ended.
    pub fn vault(&self, call: VaultCall, took: Duration) {
        self.vault.get_or_create(&[("call", call.name())]).observe(took.as_secs_f64());
    }

    /// Counts a login that was granted, or why it was not.
    pub fn login(&self, refused: Option<&Refusal>) {
        let outcome = match refused.map(|refusal| refusal.retry) {
            None => "granted",
            Some(Retry::Useless) => "refused",
            Some(Retry::Later(_) | Retry::Anew(_)) => "failed",
        };
        self.logins.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Notes by how many seconds this node's clock is ahead of Vault's; negative if it is behind.
    pub fn clock_ahead(&self, seconds: i64) {
        self.clock_ahead.set(seconds);
    }
}
