//! The counters of one mount for Prometheus. Calls to AWS are counted as they happen; the exposition reads everything else when
//! Prometheus scrapes.
//!
//! Labels are bounded: AWS's types are a fixed list, and only operators make issuers. No label holds a role, identity, ARN or
//! account, because a fleet has any number of them, and because a reader of metrics must not learn who the callers are.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use rolesanywhere::{CallError, Error};
use sessions::{CacheStatus, Reply};
use tokio::time::Instant;

/// One label whose name and values are fixed when the program is built.
pub(crate) type Labels = [(&'static str, &'static str); 1];

/// The types of AWS's refusals that have a series of their own, which begins at zero. Every other type counts as [`OTHER`],
/// because a future AWS or a proxy may make up any number of them.
const TYPES: [&str; 9] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "ResourceNotFoundException",
    "SerializationException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
];
/// The same for AssumeRole.
const HOP_TYPES: [&str; 7] = [
    "AccessDenied",
    "ExpiredToken",
    "InvalidClientTokenId",
    "MalformedPolicyDocument",
    "PackedPolicyTooLarge",
    "RegionDisabledException",
    "ValidationError",
];
/// The label of a type that is not in [`TYPES`].
const OTHER: &str = "other";
/// The label of an answer that is not from Roles Anywhere. It is also the `code` that `container/:role` answers.
const BAD_ANSWER: &str = "AwsBadAnswer";

/// The buckets of [`Counters::durations`] in seconds: from a call over a warm connection nearby, which takes about 50 ms, to the
/// longest request that the config's defaults allow.
const BUCKETS: [f64; 11] = [0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0];

/// The buckets of [`Counters::answers`] in seconds: from a cached session to the deadline of `creds`, which is 15 s. The first
/// SDKs give up after 1 s.
const ANSWER_BUCKETS: [f64; 10] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0];

/// The counters of one mount since its process began. A restart or a failover sets them to zero.
#[derive(Debug)]
pub(crate) struct Counters {
    /// CreateSession calls that AWS refused, by its type.
    pub(crate) refusals: Family<Labels, Counter>,
    /// Leaves that were signed for CreateSession, by the issuer's id.
    pub(crate) signed: Family<[(&'static str, String); 1], Counter>,
    /// How long each CreateSession took, in seconds, however it ended.
    pub(crate) durations: Histogram,
    /// AssumeRole calls that STS refused, by its type.
    pub(crate) hop_refusals: Family<Labels, Counter>,
    /// How long each AssumeRole took, in seconds, however it ended.
    pub(crate) hop_durations: Histogram,
    /// How hops were answered that asked for their hub. The session service counts them among the reads.
    pub(crate) hub_answers: Family<Labels, Counter>,
    /// How long each read waited for a session, in seconds.
    pub(crate) answers: Histogram,
    /// Denials that an explicit call wrote, one for each IAM role and call.
    pub(crate) revocations: Counter,
    /// Puts of the record of sessions that failed.
    pub(crate) ledger_failures: Counter,
    /// Facts about sessions that were given up because storage took nothing for too long.
    pub(crate) ledger_lost: Counter,
}

impl Default for Counters {
    /// Makes every series of [`Counters::refusals`] at zero, because a rate over a series needs the value from before its first
    /// event.
    fn default() -> Self {
        let refusals = Family::<Labels, Counter>::default();
        for kind in TYPES.into_iter().chain([BAD_ANSWER, OTHER]) {
            drop(refusals.get_or_create(&[("type", kind)]));
        }
        let hop_refusals = Family::<Labels, Counter>::default();
        for kind in HOP_TYPES.into_iter().chain([BAD_ANSWER, OTHER]) {
            drop(hop_refusals.get_or_create(&[("type", kind)]));
        }
        Self {
            refusals,
            hop_refusals,
            hop_durations: Histogram::new(BUCKETS),
            hub_answers: Family::default(),
            signed: Family::default(),
            durations: Histogram::new(BUCKETS),
            answers: Histogram::new(ANSWER_BUCKETS),
            revocations: Counter::default(),
            ledger_failures: Counter::default(),
            ledger_lost: Counter::default(),
        }
    }
}

impl Counters {
    /// Counts one leaf of the issuer with the id `issuer`.
    pub(crate) fn signed(&self, issuer: &str) {
        self.signed.get_or_create(&[("issuer_id", issuer.to_owned())]).inc();
    }

    /// Records how long a read waited for its session, also if it got none.
    pub(crate) fn answered(&self, took: Duration) {
        self.answers.observe(took.as_secs_f64());
    }

    /// Counts one denial that an explicit call wrote to an IAM role. The removal of expired denials does not count.
    pub(crate) fn revoked(&self) {
        self.revocations.inc();
    }

    /// Runs one CreateSession and records its time, also if its caller gives it up; counts it if AWS refuses it.
    pub(crate) async fn watch<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let _until_dropped = Timer { began: Instant::now(), durations: &self.durations };
        let answer = call.await;
        if let Some(kind) = answer.as_ref().err().and_then(|error| refusal(error, &TYPES)) {
            self.refusals.get_or_create(&[("type", kind)]).inc();
        }
        answer
    }

    /// As [`Self::watch`], for one AssumeRole.
    pub(crate) async fn watch_hop<T>(
        &self,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let _until_dropped = Timer { began: Instant::now(), durations: &self.hop_durations };
        let answer = call.await;
        let refused = answer.as_ref().err().and_then(|error| refusal(&error.cause, &HOP_TYPES));
        if let Some(kind) = refused {
            self.hop_refusals.get_or_create(&[("type", kind)]).inc();
        }
        answer
    }

    /// Counts the answer to a hop that asked for its hub.
    pub(crate) fn hub_asked<S, E>(&self, reply: &Reply<S, E>) {
        self.hub_answers.get_or_create(&[("session", answered_with(reply))]).inc();
    }
}

/// How a read was answered, as `iamra_answers` names it.
fn answered_with<S, E>(reply: &Reply<S, E>) -> &'static str {
    match reply {
        Reply::Granted(grant) => match grant.cache_status {
            CacheStatus::New => "new",
            CacheStatus::Shared => "shared",
            CacheStatus::Renewing => "renewing",
            CacheStatus::Stale(_) => "stale",
        },
        Reply::Denied { .. } => "none",
    }
}

/// Records the time since `began` when it is dropped: a call that is given up never returns.
struct Timer<'a> {
    began: Instant,
    durations: &'a Histogram,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.durations.observe(self.began.elapsed().as_secs_f64());
    }
}

/// The type under which an error is counted; none for an error that the session service counts, or that never reached AWS.
fn refusal(error: &Error, types: &[&'static str]) -> Option<&'static str> {
    match error {
        Error::Refused { kind, .. } => Some(types.iter().find(|known| *known == kind).unwrap_or(&OTHER)),
        Error::BadAnswer { .. } => Some(BAD_ANSWER),
        Error::Throttled { .. } | Error::Unavailable { .. } | Error::Local(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refused(kind: &str) -> Error {
        Error::Refused {
            kind: kind.to_owned(),
            status: 403,
            message: String::new(),
            request_id: None,
            explanation: None,
            clock_skew: None,
        }
    }

    #[tokio::test]
    async fn types_that_are_not_on_the_list_make_no_series() {
        let metrics = Counters::default();

        for kind in ["SomethingNewException", "", "\"} 1\n"] {
            let _ = metrics.watch(async { Err::<(), _>(refused(kind)) }).await;
        }

        assert_eq!(metrics.refusals.get_or_create(&[("type", OTHER)]).get(), 3);
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_is_timed_too() {
        let metrics = Counters::default();

        let call = metrics.watch(std::future::pending::<Result<(), Error>>());
        assert!(tokio::time::timeout(Duration::ZERO, call).await.is_err());

        let mut registry = prometheus_client::registry::Registry::default();
        registry.register("d", "", metrics.durations.clone());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("d_count 1\n"), "{text}");
    }
}
