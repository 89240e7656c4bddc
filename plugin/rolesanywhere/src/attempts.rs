//! Retries: one deadline over all attempts, growing pauses, and the errors of requests without an answer.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use tokio::time::Instant;

use crate::answer::{Failure, Retry};
use crate::error::Error;
use crate::settings::Settings;
use crate::transport::{Transport, TransportError, TransportErrorKind};

/// The longest deadline, so that adding one to the clock cannot overflow.
const MAX_DEADLINE: Duration = Duration::from_hours(1);

/// The time that one call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// The bound of the whole call: attempts and pauses.
    pub total: Duration,
    /// After this much of the call only a first attempt may begin. If AWS fails at once, the caller then learns of it early;
    /// if AWS is slow, it still has `total`.
    pub retries: Duration,
}

/// Allows retries during the whole call.
impl From<Duration> for RetryBudget {
    fn from(total: Duration) -> Self {
        Self { total, retries: total }
    }
}

/// A call that can be repeated. Each attempt is signed for its own time.
pub(crate) trait RepeatableCall: Sync {
    type Output: Send;

    /// Makes one attempt, within `time`.
    fn make(&self, time: &Attempts) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

/// The bounds of one call: its time and its number of attempts.
pub(crate) struct Attempts {
    ends: Instant,
    last_start: Instant,
    one: Duration,
    retries: u32,
    user_agent: HeaderValue,
}

impl Attempts {
    pub(crate) fn new(settings: &Settings, budget: RetryBudget) -> Self {
        let now = Instant::now();
        Self {
            ends: now + budget.total.min(MAX_DEADLINE),
            last_start: now + budget.retries.min(MAX_DEADLINE),
            one: settings.request_timeout,
            retries: settings.max_retries,
            user_agent: settings.user_agent.clone(),
        }
    }

    /// Repeats `call` until it succeeds, must not be repeated, or no further attempt fits. `name` is for the log.
    pub(crate) async fn of<A: RepeatableCall>(&self, name: &str, call: &A) -> Result<A::Output, Error> {
        let mut pauses = pauses(self.retries);
        let mut attempts = 1;
        loop {
            let failure = match call.make(self).await {
                Ok(output) => return Ok(output),
                Err(failure) => failure,
            };
            let Some(pause) = self.pause(&failure, &mut pauses) else {
                return Err(failure.error.after(attempts));
            };
            tracing::debug!(error = %failure.error, ?pause, attempts, "{name} failed, trying again");
            tokio::time::sleep(pause).await;
            attempts += 1;
        }
    }

    /// The deadline of the whole call.
    pub(crate) fn ends(&self) -> Instant {
        self.ends
    }

    /// Sends one request, and waits as long as one attempt may take. Errors name the `destination`.
    pub(crate) async fn exchange(
        &self,
        transport: &dyn Transport,
        mut request: Request<Bytes>,
        destination: &Destination,
    ) -> Result<Response<Bytes>, Failure> {
        request.headers_mut().insert(header::USER_AGENT, self.user_agent.clone());
        let bound = self.one.min(self.ends.saturating_duration_since(Instant::now()));
        match tokio::time::timeout(bound, transport.send(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(err)) => Err(destination.not_reached(err)),
            Err(_) => Err(destination.silent(bound)),
        }
    }

    /// The pause before the next attempt; none if there must be none.
    fn pause(&self, failure: &Failure, pauses: &mut impl Iterator<Item = Duration>) -> Option<Duration> {
        let Retry::After(at_least) = failure.retry else { return None };
        let pause = pauses.next()?.max(at_least);
        let start = Instant::now().checked_add(pause)?;
        (start < self.ends.min(self.last_start)).then_some(pause)
    }
}

/// The destination of a request, as errors name it.
pub(crate) struct Destination {
    /// Scheme, host and port.
    pub(crate) url: String,
    /// The region, if the host's name was made from it and this version does not know it.
    pub(crate) doubtful: Option<String>,
}

impl Destination {
    fn not_reached(&self, err: TransportError) -> Failure {
        let TransportError { kind, text } = err;
        if kind == TransportErrorKind::TooLarge {
            let error = Error::BadAnswer { reason: text, status: None, request_id: None };
            return Failure::new(error, Retry::Never);
        }
        let retry = match kind {
            TransportErrorKind::Untrusted | TransportErrorKind::ProxyRefused => Retry::Never,
            _ => Retry::After(Duration::ZERO),
        };
        Failure::new(self.unavailable(&text), retry)
    }

    fn silent(&self, bound: Duration) -> Failure {
        let error = self.unavailable(&format!("no answer within {:.1} s", bound.as_secs_f64()));
        Failure::new(error, Retry::After(Duration::ZERO))
    }

    fn unavailable(&self, problem: &str) -> Error {
        let doubt = self.doubtful.as_ref().map_or_else(String::new, |region| {
            format!("; the region {region} is not known to this version, is it spelled right?")
        });
        let reason = format!("{}: {problem}{doubt}", self.url);
        Error::Unavailable { reason, status: None, request_id: None, attempts: 1 }
    }
}

/// Pauses of 0.2, 0.4, 0.8 … 3.2 seconds, each with up to as much again at random, so that clients of one outage do not
/// retry together.
fn pauses(retries: u32) -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_millis(3200))
        .with_factor(2.0)
        .with_jitter()
        .with_max_times(usize::try_from(retries).unwrap_or_default())
        .build()
}
