//! The client: it requests sessions, and makes signed clients from their credentials.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::answer::{self, Failure, Retry};
use crate::attempts::{Attempts, Destination, RepeatableCall, RetryBudget};
use crate::channel::Channel;
use crate::create_session::CreateSession;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::identity::Identity;
use crate::partition::Region;
use crate::probe::{self, ProbeError, Reached};
use crate::rate_limiter::RateLimiter;
use crate::session::Session;
use crate::settings::{Settings, SettingsError};
use crate::sign::signed_request;
use crate::signed_client::{Credentials, SignedClient};
use crate::transport::{HttpsTransport, SetupError, Transport};

/// Requests sessions. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
}

/// Why a client could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A setting is outside its bounds.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// TLS or the connection pool could not be set up.
    #[error(transparent)]
    Transport(#[from] SetupError),
}

impl Client {
    /// A client with its own connections. It does no I/O but reads the system's root certificates.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        settings.check()?;
        let transport = HttpsTransport::new(settings)?;
        Self::with_transport(settings, Arc::new(transport))
    }

    /// A client over another transport, for tests.
    pub fn with_transport(settings: &Settings, transport: Arc<dyn Transport>) -> Result<Self, ClientError> {
        settings.check()?;
        Ok(Self {
            channel: Channel { settings: settings.clone(), transport, rate_limiter: RateLimiter::new() },
        })
    }

    /// Shares a rate limiter with other clients. By default each client has its own.
    #[must_use]
    pub fn rate_limited_by(self, rate_limiter: RateLimiter) -> Self {
        Self { channel: Channel { rate_limiter, ..self.channel } }
    }

    /// Requests a session from AWS, in the region of the trust anchor.
    ///
    /// Each attempt is signed with a fresh `now`. The client retries status 429, 5xx and network errors with growing,
    /// random pauses, at most `max_retries` times and never past `budget`. Dropping the future abandons the call;
    /// nothing keeps running.
    pub async fn create_session(
        &self,
        identity: &Identity,
        request: &CreateSession,
        now: impl Fn() -> OffsetDateTime + Send + Sync,
        budget: impl Into<RetryBudget>,
    ) -> Result<Session, Error> {
        request.check()?;
        let anchor = &request.trust_anchor;
        let endpoint = Endpoint::resolve(&self.channel.settings, anchor.region(), anchor.partition())?;
        let time = Attempts::new(&self.channel.settings, budget.into());
        let destination = self.destination(&endpoint, anchor.region());
        let call = SessionCall { channel: &self.channel, identity, request, endpoint, destination, now };
        time.of("CreateSession", &call).await
    }

    /// A client that signs with `credentials`. Each of its calls reads the clock anew, and has a `budget` of its own.
    pub fn signed_client(
        &self,
        credentials: impl Into<Credentials>,
        now: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
        budget: impl Into<RetryBudget>,
    ) -> SignedClient {
        SignedClient::new(self.channel.clone(), credentials.into(), Arc::new(now), budget.into())
    }

    /// Checks whether Roles Anywhere's endpoint of a region can be reached, and reads its clock: one unsigned request
    /// within `total` and one `request_timeout`, without retries.
    pub async fn probe(
        &self,
        region: &Region,
        now: impl Fn() -> OffsetDateTime + Send + Sync,
        total: Duration,
    ) -> Result<Reached, ProbeError> {
        probe::probe(&self.channel, region, &now, total).await
    }

    /// The destination of requests to `endpoint`. The region is doubtful if the host's name was made from it and this
    /// version does not know it.
    fn destination(&self, endpoint: &Endpoint, region: &Region) -> Destination {
        let doubtful = self.channel.settings.endpoint.is_none() && !region.is_known();
        Destination { url: endpoint.to_string(), doubtful: doubtful.then(|| region.to_string()) }
    }
}

/// One `create_session`, with all its attempts.
struct SessionCall<'a, N> {
    channel: &'a Channel,
    identity: &'a Identity,
    request: &'a CreateSession,
    endpoint: Endpoint,
    destination: Destination,
    now: N,
}

impl<N: Fn() -> OffsetDateTime + Send + Sync> RepeatableCall for SessionCall<'_, N> {
    type Output = Session;

    async fn make(&self, time: &Attempts) -> Result<Session, Failure> {
        let request = signed_request(&self.endpoint, self.identity, self.request, (self.now)())
            .map_err(|err| Failure::new(err.into(), Retry::Never))?;
        let response = time.exchange(self.channel.transport.as_ref(), request, &self.destination).await?;
        answer::read(&response, &self.request.role, (self.now)())
    }
}
