//! The call itself: sign, send, read, and again where that may help.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::answer::{self, Failure, Retry};
use crate::create_session::CreateSession;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::identity::Identity;
use crate::session::Session;
use crate::settings::{Settings, SettingsError};
use crate::sign::signed_request;
use crate::transport::{HttpsTransport, Transport, TransportError, TransportErrorKind};

/// Asks for sessions. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Settings,
    transport: Arc<dyn Transport>,
}

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

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A setting is outside its bounds.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// TLS or the connection pool could not be set up.
    #[error("the HTTPS client could not be set up: {0}")]
    Transport(String),
}

/// No deadline is longer, so that adding it to the clock cannot overflow.
const LONGEST_DEADLINE: Duration = Duration::from_hours(1);

impl Client {
    /// A client with connections of its own. No I/O but reading the system's root certificates.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        settings.check()?;
        let transport = HttpsTransport::new(settings)?;
        Ok(Self { settings: settings.clone(), transport: Arc::new(transport) })
    }

    /// A client over another way to send, for tests.
    pub fn with_transport(settings: &Settings, transport: Arc<dyn Transport>) -> Result<Self, ClientError> {
        settings.check()?;
        Ok(Self { settings: settings.clone(), transport })
    }

    /// Asks AWS for a session, in the trust anchor's region.
    ///
    /// Each attempt is signed with a fresh `now`. Status 429, 5xx and network errors are tried again with growing,
    /// random pauses, at most `max_retries` times and never past what `patience` allows. Dropping the future abandons the
    /// call; nothing is left running.
    pub async fn create_session(
        &self,
        identity: &Identity,
        request: &CreateSession,
        now: impl Fn() -> OffsetDateTime + Send + Sync,
        patience: impl Into<Patience>,
    ) -> Result<Session, Error> {
        request.check()?;
        let Patience { total, retries } = patience.into();
        let anchor = &request.trust_anchor;
        let endpoint = Endpoint::resolve(&self.settings, anchor.region(), anchor.partition())?;
        let ends = Instant::now() + total.min(LONGEST_DEADLINE);
        let last_start = Instant::now() + retries.min(LONGEST_DEADLINE);
        let call = Call { client: self, identity, request, endpoint, ends, last_start };
        let mut pauses = pauses(self.settings.max_retries);
        let mut attempts = 1;
        loop {
            let failure = match call.attempt(&now).await {
                Ok(session) => return Ok(session),
                Err(failure) => failure,
            };
            let Some(pause) = call.pause(&failure, &mut pauses) else {
                return Err(failure.error.after(attempts));
            };
            tracing::debug!(error = %failure.error, ?pause, attempts, "CreateSession failed, trying again");
            tokio::time::sleep(pause).await;
            attempts += 1;
        }
    }
}

/// One `create_session`, with all its attempts.
struct Call<'a> {
    client: &'a Client,
    identity: &'a Identity,
    request: &'a CreateSession,
    endpoint: Endpoint,
    ends: Instant,
    last_start: Instant,
}

impl Call<'_> {
    async fn attempt(&self, now: &(impl Fn() -> OffsetDateTime + Sync)) -> Result<Session, Failure> {
        let request = signed_request(&self.endpoint, self.identity, self.request, now())
            .map_err(|err| Failure::new(err.into(), Retry::Never))?;
        let bound = self.client.settings.request_timeout.min(self.left());
        match tokio::time::timeout(bound, self.client.transport.send(request)).await {
            Ok(Ok(response)) => answer::read(&response, &self.request.role, now()),
            Ok(Err(err)) => Err(self.not_sent(err)),
            Err(_) => Err(self.silence(bound)),
        }
    }

    /// How long to wait before the next attempt; none when there is to be none.
    fn pause(&self, failure: &Failure, pauses: &mut impl Iterator<Item = Duration>) -> Option<Duration> {
        let Retry::After(at_least) = failure.retry else { return None };
        let pause = pauses.next()?.max(at_least);
        let start = Instant::now() + pause;
        (start < self.ends.min(self.last_start)).then_some(pause)
    }

    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    fn not_sent(&self, err: TransportError) -> Failure {
        let TransportError { kind, text } = err;
        if kind == TransportErrorKind::TooLarge {
            let error = Error::BadAnswer { reason: text, status: None, request_id: None };
            return Failure::new(error, Retry::Never);
        }
        let retry = match kind {
            TransportErrorKind::Untrusted => Retry::Never,
            _ => Retry::After(Duration::ZERO),
        };
        Failure::new(self.unavailable(&text), retry)
    }

    fn silence(&self, bound: Duration) -> Failure {
        let error = self.unavailable(&format!("no answer within {:.1} s", bound.as_secs_f64()));
        Failure::new(error, Retry::After(Duration::ZERO))
    }

    fn unavailable(&self, problem: &str) -> Error {
        let region = self.request.trust_anchor.region();
        let doubt = if self.client.settings.endpoint.is_none() && !region.is_known() {
            format!("; the region {region} is not known to this version, is it spelled right?")
        } else {
            String::new()
        };
        let reason = format!("{}: {problem}{doubt}", self.endpoint);
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
