//! What is counted, and its names for Prometheus. Dashboards and alerts use the names, so they are an interface.
//!
//! No label names a pod, a namespace, a service account or a role: a fleet has any number of them.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use time::OffsetDateTime;

use crate::cache::{Counts, Limits, Origin, Reply};
use crate::reachability::Reachability;
use crate::refusal::{Refusal, Retry};

/// `OpenMetrics` 1.0, which Prometheus reads since 2.5.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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

/// The buckets of answers, in seconds: from a cached session to the longest wait. The first SDKs give up after 1 s.
const ANSWER_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.002, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 3.0];

/// Makes the histograms of calls.
#[derive(Clone, Debug)]
struct ByBuckets;

impl MetricConstructor<Histogram> for ByBuckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(VAULT_BUCKETS)
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// A session from Vault.
    New,
    /// One that came within the last minute.
    Cached,
    /// An older one, because Vault gave no new one.
    Stale,
    /// Refused by Vault or the engine, until somebody changes something.
    Refused,
    /// Vault, the engine or AWS is away, and there was no older session.
    Unavailable,
    /// No answer in time.
    Late,
    /// Too many requests.
    Busy,
    /// No request that the agent takes: another host, another path, no token, too large, too slow.
    Rejected,
}

impl RequestOutcome {
    const ALL: [RequestOutcome; 8] = [
        RequestOutcome::New,
        RequestOutcome::Cached,
        RequestOutcome::Stale,
        RequestOutcome::Refused,
        RequestOutcome::Unavailable,
        RequestOutcome::Late,
        RequestOutcome::Busy,
        RequestOutcome::Rejected,
    ];

    /// The outcome of a reply.
    pub fn of<V>(reply: &Reply<V, Refusal>) -> RequestOutcome {
        match reply {
            Reply::Answer { origin: Origin::New, .. } => RequestOutcome::New,
            Reply::Answer { origin: Origin::Cached, .. } => RequestOutcome::Cached,
            Reply::Answer { origin: Origin::Stale { .. }, .. } => RequestOutcome::Stale,
            Reply::Refused { why, .. } if why.retry == Retry::Useless => RequestOutcome::Refused,
            Reply::Refused { .. } => RequestOutcome::Unavailable,
            Reply::Late => RequestOutcome::Late,
            Reply::Full => RequestOutcome::Busy,
        }
    }

    fn name(self) -> &'static str {
        match self {
            RequestOutcome::New => "new",
            RequestOutcome::Cached => "cached",
            RequestOutcome::Stale => "stale",
            RequestOutcome::Refused => "refused",
            RequestOutcome::Unavailable => "unavailable",
            RequestOutcome::Late => "late",
            RequestOutcome::Busy => "busy",
            RequestOutcome::Rejected => "rejected",
        }
    }
}

/// The counters of this process.
#[derive(Debug)]
pub struct Meters {
    requests: Family<Labels, Counter<u64, AtomicU64>>,
    answers: Histogram,
    vault: Family<Labels, Histogram, ByBuckets>,
    logins: Family<Labels, Counter<u64, AtomicU64>>,
    clock_ahead: Gauge<i64, AtomicI64>,
}

impl Default for Meters {
    /// Makes every series at zero, because a rate needs the value from before the first event.
    fn default() -> Meters {
        let meters = Meters {
            requests: Family::default(),
            answers: Histogram::new(ANSWER_BUCKETS),
            vault: Family::new_with_constructor(ByBuckets),
            logins: Family::default(),
            clock_ahead: Gauge::default(),
        };
        for outcome in RequestOutcome::ALL {
            drop(meters.requests.get_or_create(&[("outcome", outcome.name())]));
        }
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
    /// Counts a request.
    pub fn request(&self, outcome: RequestOutcome) {
        self.requests.get_or_create(&[("outcome", outcome.name())]).inc();
    }

    /// Records how long a request took from its last byte to the answer.
    pub fn answered(&self, took: Duration) {
        self.answers.observe(took.as_secs_f64());
    }

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

    /// All metrics as text. They are registered anew for each scrape, because the gauges are values of this moment.
    pub fn text(&self, gauges: &Gauges) -> String {
        let mut registry = Registry::with_prefix("iamra_agent");
        self.register(&mut registry);
        gauges.register(&mut registry);
        let mut text = String::new();
        // a text takes any write
        let _written = encode(&mut text, &registry);
        text
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "requests",
            "Requests of pods since the process began, by outcome: new: a session from Vault; cached: one of the last minute; stale: an \
             older one because Vault gave no new one; refused: by Vault or the engine until somebody changes something; unavailable: \
             Vault, the engine or AWS is away; late: no answer in time; busy: too many requests; rejected: no request that the agent takes",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "answer_duration",
            "How long requests for credentials took from their last byte to the answer since the process began",
            Unit::Seconds,
            self.answers.clone(),
        );
        registry.register_with_unit(
            "vault_request_duration",
            "How long calls to one address of Vault took since the process began, however they ended, by call",
            Unit::Seconds,
            self.vault.clone(),
        );
        registry.register(
            "logins",
            "Logins at Vault since the process began, by outcome",
            self.logins.clone(),
        );
        registry.register_with_unit(
            "clock_ahead_of_vault",
            "By how much the clock of this node is ahead of Vault's, at the last look; negative if it is behind",
            Unit::Seconds,
            self.clock_ahead.clone(),
        );
        registry.register(
            "build",
            "The version of the agent that answers",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
    }
}

/// The values that are read when Prometheus asks.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// The cache.
    pub counts: Counts,
    /// Its bounds, shown beside the values that they bound.
    pub limits: Limits,
    /// Vault's addresses.
    pub reachability: Reachability,
    /// Connections of pods that are open.
    pub connections: usize,
}

impl Gauges {
    fn register(&self, registry: &mut Registry) {
        let Gauges { counts, limits, connections, .. } = self;
        for (name, help, count) in [
            ("connections", "Connections of pods that are open", *connections),
            ("requests_waiting", "Requests that wait for Vault", counts.waiting),
            (
                "flights",
                "Logins and reads at Vault that are under way or wait for their turn",
                counts.flights,
            ),
            ("cache_entries", "Tokens that are known: with a session, a refusal or a flight", counts.entries),
            ("cache_entries_max", "The bound of cache_entries", limits.max_entries),
            ("cache_sessions", "Sessions in the cache", counts.answers),
        ] {
            registry.register(name, help, gauge(count));
        }
        for (name, help, bytes) in [
            ("cache", "Memory of the sessions in the cache", counts.bytes),
            ("cache_max", "The bound of cache_bytes", limits.max_bytes),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, gauge(bytes));
        }
        registry.register(
            "cache_evictions",
            "Sessions dropped before their end to make room since the process began",
            ConstCounter::new(counts.evicted),
        );
        registry.register_with_unit(
            "oldest_stale_answer",
            "The age of the oldest session that was answered in place of a new one and has not been replaced since; 0 without one",
            Unit::Seconds,
            ConstGauge::new(counts.oldest_stale.unwrap_or_default().as_secs_f64()),
        );
        self.register_vault(registry);
    }

    fn register_vault(&self, registry: &mut Registry) {
        let up = Family::<[(&'static str, String); 1], Gauge>::default();
        for (address, outage) in &self.reachability.addresses {
            up.get_or_create(&[("address", address.clone())]).set(i64::from(outage.is_none()));
        }
        registry.register("vault_up", "Whether an address of Vault was of use at the last call: 1, or 0", up);
        let since = self.reachability.away_since().map_or(0, OffsetDateTime::unix_timestamp);
        registry.register_with_unit(
            "vault_away_since_timestamp",
            "Since when no address of Vault is of use, in Unix time; 0 while one is",
            Unit::Seconds,
            ConstGauge::new(since),
        );
    }
}

fn gauge(count: usize) -> ConstGauge<u64> {
    ConstGauge::new(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn gauges() -> Gauges {
        let outage = (datetime!(2026-01-02 12:00 UTC), "is sealed".to_owned());
        let addresses = vec![("https://a:8200".to_owned(), Some(outage))];
        let counts = Counts { oldest_stale: Some(Duration::from_secs(90)), answers: 3, ..Counts::default() };
        let reachability = Reachability { addresses, has_ever_answered: true };
        Gauges { counts, limits: Limits::default(), reachability, connections: 2 }
    }

    #[test]
    fn every_series_is_there_from_the_start() {
        let text = Meters::default().text(&gauges());

        for line in [
            "iamra_agent_requests_total{outcome=\"stale\"} 0",
            "iamra_agent_logins_total{outcome=\"refused\"} 0",
            "iamra_agent_vault_request_duration_seconds_count{call=\"login\"} 0",
            "iamra_agent_vault_up{address=\"https://a:8200\"} 0",
            "iamra_agent_vault_away_since_timestamp_seconds 1767355200",
            "iamra_agent_oldest_stale_answer_seconds 90.0",
            "iamra_agent_cache_sessions 3",
            "iamra_agent_cache_max_bytes 8388608",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_login_is_counted_by_whether_a_retry_helps() {
        let meters = Meters::default();
        meters.login(None);
        meters.login(Some(&Refusal::lasting(403, "LoginRefused", "")));
        meters.login(Some(&Refusal::passing(503, "VaultSealed", "")));

        let text = meters.text(&gauges());

        for outcome in ["granted", "refused", "failed"] {
            assert!(
                text.contains(&format!("iamra_agent_logins_total{{outcome=\"{outcome}\"}} 1")),
                "{outcome}: {text}"
            );
        }
    }
}
