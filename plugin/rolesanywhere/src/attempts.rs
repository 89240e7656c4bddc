//! Trying again: one deadline over all attempts, growing pauses, and what a lost request is called.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;

use crate::answer::{Failure, Retry};
use crate::error::Error;
use crate::settings::Settings;
use crate::transport::{Transport, TransportError, TransportErrorKind};

/// No deadline is longer, so that adding it to the clock cannot overflow.
const LONGEST_DEADLINE: Duration = Duration::from_hours(1);

/// How long a caller waits for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Bounds the whole call, attempts and pauses.
    pub total: Duration,
    /// No attempt begins after this much of it, but the first: an AWS that fails at once is then told early, while one that is
    /// slow still has `total`.
    pub retries: Duration,
}

/// Retries for as long as the whole call may take.
impl From<Duration> for Patience {
    fn from(total: Duration) -> Self {
        Self { total, retries: total }
    }
}

/// A call that can be made again. Each time it is signed for its own time.
pub(crate) trait Attempt: Sync {
    type Output: Send;

    /// Makes the call once, within `time`.
    fn make(&self, time: &Attempts) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

/// How long a call may take, and how often it may be tried.
pub(crate) struct Attempts {
    ends: Instant,
    last_start: Instant,
    one: Duration,
    retries: u32,
}

impl Attempts {
    pub(crate) fn new(settings: &Settings, patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            ends: now + patience.total.min(LONGEST_DEADLINE),
            last_start: now + patience.retries.min(LONGEST_DEADLINE),
            one: settings.request_timeout,
            retries: settings.max_retries,
        }
    }

    /// Makes `call` until it succeeds, may not be made again, or no attempt fits any more. `name` is for the log.
    pub(crate) async fn of<A: Attempt>(&self, name: &str, call: &A) -> Result<A::Output, Error> {
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

    /// When the whole call is over.
    pub(crate) fn ends(&self) -> Instant {
        self.ends
    }

    /// Sends one request and waits as long as one attempt may last. `place` is where it goes, for people.
    pub(crate) async fn exchange(
        &self,
        transport: &dyn Transport,
        request: Request<Bytes>,
        place: &Place,
    ) -> Result<Response<Bytes>, Failure> {
        let bound = self.one.min(self.ends.saturating_duration_since(Instant::now()));
        match tokio::time::timeout(bound, transport.send(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(err)) => Err(place.not_reached(err)),
            Err(_) => Err(place.silent(bound)),
        }
    }

    /// How long to wait before the next attempt; none when there is to be none.
    fn pause(&self, failure: &Failure, pauses: &mut impl Iterator<Item = Duration>) -> Option<Duration> {
        let Retry::After(at_least) = failure.retry else { return None };
        let pause = pauses.next()?.max(at_least);
        let start = Instant::now().checked_add(pause)?;
        (start < self.ends.min(self.last_start)).then_some(pause)
    }
}

/// Where a request goes, as a fault names it.
pub(crate) struct Place {
    /// Scheme, host and port.
    pub(crate) url: String,
    /// A region that this version does not know, when it made the host's name.
    pub(crate) doubtful: Option<String>,
}

impl Place {
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

/// 0.2, 0.4, 0.8 … 3.2 seconds, each with as much again at random, so that clients of one outage part company.
fn pauses(retries: u32) -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_millis(3200))
        .with_factor(2.0)
        .with_jitter()
        .with_max_times(usize::try_from(retries).unwrap_or_default())
        .build()
}
