//! What operators watch, in Prometheus' words: the calls to AWS counted as they happen, everything else read when it is asked for.
//!
//! Labels are bounded: AWS's types are a list, issuers are made by operators. There is no role, identity, ARN or account in them:
//! a fleet has as many as it likes, and whoever may read metrics may not see who is who.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use rolesanywhere::Error;
use tokio::time::Instant;

/// Labels that are known when the program is built.
pub(crate) type Labels = [(&'static str, &'static str); 1];

/// AWS's types of refusal that have a series of their own, from the start. Others, which an AWS of tomorrow or a proxy may make
/// up, are [`OTHER`].
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
const OTHER: &str = "other";
/// What answered was not Roles Anywhere; the name is the `code` of `container/:role`.
const BAD_ANSWER: &str = "AwsBadAnswer";

/// From a warm connection nearby, about 50 ms, to the longest request that the config's defaults let through.
const BUCKETS: [f64; 11] = [0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0];

/// From a kept session to the patience of `creds`; 1 s is where the first SDKs leave.
const ANSWER_BUCKETS: [f64; 10] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0];

/// What is counted of one mount since its process began.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) refusals: Family<Labels, Counter>,
    /// By the issuer's id.
    pub(crate) signed: Family<[(&'static str, String); 1], Counter>,
    pub(crate) durations: Histogram,
    pub(crate) answers: Histogram,
    pub(crate) revocations: Counter,
}

impl Default for Counters {
    fn default() -> Self {
        let refusals = Family::<Labels, Counter>::default();
        for kind in TYPES.into_iter().chain([BAD_ANSWER, OTHER]) {
            drop(refusals.get_or_create(&[("type", kind)]));
        }
        Self {
            refusals,
            signed: Family::default(),
            durations: Histogram::new(BUCKETS),
            answers: Histogram::new(ANSWER_BUCKETS),
            revocations: Counter::default(),
        }
    }
}

impl Counters {
    /// Counts a leaf of the issuer with this id.
    pub(crate) fn signed(&self, issuer: &str) {
        self.signed.get_or_create(&[("issuer_id", issuer.to_owned())]).inc();
    }

    /// Notes how long a read waited for its session, also for none.
    pub(crate) fn answered(&self, took: Duration) {
        self.answers.observe(took.as_secs_f64());
    }

    /// Counts denials that were written to an IAM role because somebody asked for it.
    pub(crate) fn revoked(&self) {
        self.revocations.inc();
    }

    /// Times a CreateSession, also one that is given up, and counts it when it is refused.
    pub(crate) async fn watch<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let _until_dropped = Timer { began: Instant::now(), durations: &self.durations };
        let answer = call.await;
        if let Some(kind) = answer.as_ref().err().and_then(refusal) {
            self.refusals.get_or_create(&[("type", kind)]).inc();
        }
        answer
    }
}

struct Timer<'a> {
    began: Instant,
    durations: &'a Histogram,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.durations.observe(self.began.elapsed().as_secs_f64());
    }
}

/// The type under which an error is counted; none for those that the session service counts.
fn refusal(error: &Error) -> Option<&'static str> {
    match error {
        Error::Refused { kind, .. } => Some(TYPES.into_iter().find(|known| known == kind).unwrap_or(OTHER)),
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
