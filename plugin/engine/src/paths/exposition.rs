//! Renders the mount's metrics for Prometheus: each with its name, its help and its unit.
//!
//! Names and labels are an interface: dashboards and alerts use them.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sessions::{Counts, Limits};

use crate::issuers::Issuers;

use crate::credentials::counters::{Counters, Labels};
use crate::credentials::ledger::Backlog;

/// `OpenMetrics` 1.0, which Prometheus reads since 2.5.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The values that are read when Prometheus asks, not counted as they happen.
pub(crate) struct Gauges<'a> {
    /// The session scheduler's own counts.
    pub(crate) counts: Counts,
    /// The same of the hops' scheduler.
    pub(crate) hops: Counts,
    /// The configured bounds, shown beside the values that they bound.
    pub(crate) limits: Limits,
    /// For expiry and signatures of each.
    pub(crate) issuers: &'a Issuers,
    /// What the record of sessions lacks.
    pub(crate) backlog: Backlog,
    /// Whether each managed trust anchor was in sync when it was last looked at, by its name here.
    pub(crate) anchors: BTreeMap<String, bool>,
}

/// All metrics of a mount. They are registered anew for each scrape, because the gauges are values of this moment.
///
/// # Errors
/// None in practice: the writer is a `String`.
pub(crate) fn text(metrics: &Counters, gauges: &Gauges<'_>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("iamra");
    let Gauges { counts, hops, limits, issuers, backlog, anchors } = gauges;
    register_answers(&mut registry, metrics, counts, hops);
    register_calls(&mut registry, metrics, counts);
    register_hops(&mut registry, metrics, hops);
    register_queue(&mut registry, counts, hops, *limits);
    register_issuers(&mut registry, metrics, issuers);
    register_anchors(&mut registry, anchors);
    register_ledger(&mut registry, metrics, backlog);
    registry.register(
        "revocations",
        "Denials that revoke, revoke-sessions and compromised wrote to IAM roles since the process began, one for each role and call",
        metrics.revocations.clone(),
    );
    registry.register(
        "build",
        "The version of the plugin that answers",
        Info::new([("version", env!("CARGO_PKG_VERSION"))]),
    );
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// How reads were answered, by the kind of session, and how long they waited.
fn register_answers(registry: &mut Registry, metrics: &Counters, counts: &Counts, hops: &Counts) {
    registry.register_with_unit(
        "answer_duration",
        "How long reads of creds and container waited for a session since the process began, including reads that got none",
        Unit::Seconds,
        metrics.answers.clone(),
    );
    let answers = Family::<Labels, Counter>::default();
    for (session, count) in [
        ("new", counts.fresh + hops.fresh),
        ("shared", counts.shared + hops.shared),
        ("renewing", counts.renewing + hops.renewing),
        ("stale", counts.stale + hops.stale),
        ("none", counts.denied + hops.denied),
    ] {
        let label = [("session", session)];
        // a hop that asked for its hub is no read
        let of_hops = metrics.hub_answers.get_or_create(&label).get();
        answers.get_or_create(&label).inc_by(count.saturating_sub(of_hops));
    }
    registry.register(
        "answers",
        "Reads of creds and container that the engine answered since the process began, by session: new: made for this read; shared: with other callers; renewing: past its half-life while the engine makes the next one; stale: past its half-life because AWS gave no new one; none: an error. Reads that fail earlier, such as those of a role that does not exist, are not counted",
        answers,
    );
}

/// The CreateSession calls, by outcome.
fn register_calls(registry: &mut Registry, metrics: &Counters, counts: &Counts) {
    let totals = [
        ("sessions_issued", "Sessions that AWS gave since the process began", counts.issued),
        (
            "create_session_attempts",
            "Attempts to make a session since the process began, one CreateSession each at most",
            counts.started,
        ),
        (
            "create_session_failed",
            "Attempts since the process began that gave no session and are not repeated: refused by AWS, by the CA, or over too soon",
            counts.refused,
        ),
        (
            "create_session_throttled",
            "CreateSession calls that AWS throttled since the process began; each pauses all calls to that account and region",
            counts.throttled,
        ),
        (
            "create_session_failed_over",
            "CreateSession calls that got no answer or a 5xx and were made in another place of the role at once, since the process began",
            counts.failed_over,
        ),
        (
            "create_session_unreachable",
            "CreateSession calls that got no answer or a 5xx since the process began",
            counts.unreachable,
        ),
    ];
    for (name, help, count) in totals {
        registry.register(name, help, ConstCounter::new(count));
    }
    registry.register(
        "create_session_refused",
        "CreateSession calls that AWS refused since the process began, by AWS's type; AwsBadAnswer: the answer did not come from Roles Anywhere",
        metrics.refusals.clone(),
    );
    registry.register_with_unit(
        "create_session_duration",
        "How long CreateSession calls took since the process began, however they ended",
        Unit::Seconds,
        metrics.durations.clone(),
    );
}

/// The AssumeRole calls of roles with `target_role_arn`, by outcome.
fn register_hops(registry: &mut Registry, metrics: &Counters, hops: &Counts) {
    let totals = [
        ("hops_issued", "Sessions of target roles that STS gave since the process began", hops.issued),
        (
            "assume_role_attempts",
            "Attempts to make a session of a target role since the process began, one AssumeRole each at most",
            hops.started,
        ),
        (
            "assume_role_throttled",
            "AssumeRole calls that STS throttled since the process began; each pauses all calls to that account and region",
            hops.throttled,
        ),
        (
            "assume_role_unreachable",
            "Attempts to make a session of a target role since the process began for which STS gave no answer or a 5xx, or for which the first session was not there in time",
            hops.unreachable,
        ),
    ];
    for (name, help, count) in totals {
        registry.register(name, help, ConstCounter::new(count));
    }
    registry.register(
        "assume_role_refused",
        "AssumeRole calls that STS refused since the process began, by its type; AwsBadAnswer: the answer did not come from STS",
        metrics.hop_refusals.clone(),
    );
    registry.register_with_unit(
        "assume_role_duration",
        "How long AssumeRole calls took since the process began, however they ended",
        Unit::Seconds,
        metrics.hop_durations.clone(),
    );
    registry.register("cache_hops", "Sessions of target roles in the cache", ConstGauge::new(hops.cached));
}

/// The queue under AWS's quota, and the cache, each beside its bound.
fn register_queue(registry: &mut Registry, counts: &Counts, hops: &Counts, limits: Limits) {
    // the flights of hops wait for their hubs as reads do, and are none
    let waiting = counts.waiting.saturating_sub(hops.flying) + hops.waiting;
    let most = u64::try_from(limits.max_sessions.get()).unwrap_or(u64::MAX);
    let gauges = [
        ("callers_waiting", "Reads that wait for a session now", waiting),
        ("create_session_queued", "Sessions to make that wait for their turn or for a retry", counts.queued),
        ("create_session_in_flight", "Sessions that are being made now", counts.flying),
        (
            "limiter_tokens",
            "Calls that may start at once, in the account and region with the fewest left",
            counts.tokens,
        ),
        ("limiter_tokens_max", "The config's rate_burst", u64::from(limits.rate.burst.get())),
        (
            "limiter_paused_places",
            "Accounts and regions whose calls pause because AWS throttled",
            counts.paused,
        ),
        (
            "limiter_away_places",
            "Accounts and regions that do not answer: roles with another place go there, and one call at a time looks whether it is back",
            counts.away,
        ),
        ("cache_sessions", "Sessions in the cache", counts.cached),
        ("cache_sessions_max", "The config's max_cached_sessions", most),
    ];
    for (name, help, count) in gauges {
        registry.register(name, help, ConstGauge::new(count));
    }
    registry.register_with_unit(
        "limiter_pause",
        "Time left of the longest pause after AWS throttled, 0 without a pause",
        Unit::Seconds,
        ConstGauge::new(counts.pause_left.as_secs_f64()),
    );
    registry.register(
        "cache_evictions",
        "Sessions dropped before their end to make room since the process began",
        ConstCounter::new(counts.evicted),
    );
}

/// The record of sessions: what storage has not taken.
fn register_ledger(registry: &mut Registry, metrics: &Counters, backlog: &Backlog) {
    registry.register(
        "ledger_waiting",
        "Facts about who has which session that are not stored yet, and are lost if the process ends",
        ConstGauge::new(u64::try_from(backlog.waiting).unwrap_or(u64::MAX)),
    );
    registry.register(
        "ledger_put_failures",
        "Writes of the record of sessions that storage refused since the process began; each is repeated",
        metrics.ledger_failures.clone(),
    );
    registry.register(
        "ledger_lost",
        "Facts about who has which session that were given up since the process began, because storage took no writes for too long",
        metrics.ledger_lost.clone(),
    );
}

/// A gauge for each managed trust anchor.
fn register_anchors(registry: &mut Registry, anchors: &BTreeMap<String, bool>) {
    let in_sync = Family::<[(&'static str, String); 1], Gauge>::default();
    for (name, is_in_sync) in anchors {
        in_sync.get_or_create(&[("trust_anchor", name.clone())]).set(i64::from(*is_in_sync));
    }
    registry.register(
        "trust_anchor_in_step",
        "Whether a trust anchor that the engine manages held every issuer that signs at the last look: 1, or 0, also if the look failed",
        in_sync,
    );
}

/// Expiry and number of signatures of each issuer. Roles may name an issuer that is not the default, so only the signatures show
/// which ones are in use.
fn register_issuers(registry: &mut Registry, metrics: &Counters, issuers: &Issuers) {
    let expiries = Family::<[(&'static str, String); 3], Gauge>::default();
    let signed = Family::<[(&'static str, String); 2], Counter>::default();
    for loaded in &issuers.all {
        let record = &loaded.record;
        let id = ("issuer_id", record.id.clone());
        let name = ("issuer", record.name.as_ref().unwrap_or(&record.id).clone());
        let is_default = ("is_default", issuers.is_default(&record.id).to_string());
        let leaves = metrics.signed.get_or_create(std::array::from_ref(&id)).get();
        signed.get_or_create(&[id.clone(), name.clone()]).inc_by(leaves);
        expiries.get_or_create(&[id, name, is_default]).set(loaded.issuer.not_after().unix_timestamp());
    }
    registry.register_with_unit(
        "issuer_expiry_timestamp",
        "When the issuer's certificate ends, in Unix time; by its id and its name, or its id again if it has no name",
        Unit::Seconds,
        expiries,
    );
    registry.register(
        "certificates_signed",
        "Leaf certificates that the issuer signed since the process began, one for each CreateSession. The engine forgets them afterwards",
        signed,
    );
}
