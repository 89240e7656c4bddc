//! What the crate is used by: a client that asks for sessions, and lends their credentials to further calls.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::answer::{self, Failure, Retry};
use crate::attempts::{Attempt, Attempts, Patience, Place};
use crate::caller::{Caller, Credentials};
use crate::channel::Channel;
use crate::create_session::CreateSession;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::identity::Identity;
use crate::pace::Pace;
use crate::partition::Region;
use crate::probe::{self, ProbeError, Reached};
use crate::session::Session;
use crate::settings::{Settings, SettingsError};
use crate::sign::signed_request;
use crate::transport::{HttpsTransport, SetupError, Transport};

/// Asks for sessions. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
}

/// Why there is no client.
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
    /// A client with connections of its own. No I/O but reading the system's root certificates.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        settings.check()?;
        let transport = HttpsTransport::new(settings)?;
        Self::with_transport(settings, Arc::new(transport))
    }

    /// A client over another way to send, for tests.
    pub fn with_transport(settings: &Settings, transport: Arc<dyn Transport>) -> Result<Self, ClientError> {
        settings.check()?;
        Ok(Self { channel: Channel { settings: settings.clone(), transport, pace: Pace::new() } })
    }

    /// Keeps to a pace that other clients keep to as well. A client of its own has a pace of its own.
    #[must_use]
    pub fn paced_by(self, pace: Pace) -> Self {
        Self { channel: Channel { pace, ..self.channel } }
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
        let anchor = &request.trust_anchor;
        let endpoint = Endpoint::resolve(&self.channel.settings, anchor.region(), anchor.partition())?;
        let time = Attempts::new(&self.channel.settings, patience.into());
        let place = self.place(&endpoint, anchor.region());
        let call = Call { channel: &self.channel, identity, request, endpoint, place, now };
        time.of("CreateSession", &call).await
    }

    /// Calls in the name of whoever holds `credentials`. Each call reads the clock anew and is bounded by `patience` of its own.
    pub fn caller(
        &self,
        credentials: impl Into<Credentials>,
        now: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
        patience: impl Into<Patience>,
    ) -> Caller {
        Caller::new(self.channel.clone(), credentials.into(), Arc::new(now), patience.into())
    }

    /// Whether Roles Anywhere's endpoint of a region can be reached, and what time it is there: one unsigned request, within
    /// `total` and one `request_timeout`, not tried again.
    pub async fn probe(
        &self,
        region: &Region,
        now: impl Fn() -> OffsetDateTime + Send + Sync,
        total: Duration,
    ) -> Result<Reached, ProbeError> {
        probe::probe(&self.channel, region, &now, total).await
    }

    /// Where a request to `endpoint` goes, with a doubt about the region when its name made the host's.
    fn place(&self, endpoint: &Endpoint, region: &Region) -> Place {
        let doubtful = self.channel.settings.endpoint.is_none() && !region.is_known();
        Place { url: endpoint.to_string(), doubtful: doubtful.then(|| region.to_string()) }
    }
}

/// One `create_session`, with all its attempts.
struct Call<'a, N> {
    channel: &'a Channel,
    identity: &'a Identity,
    request: &'a CreateSession,
    endpoint: Endpoint,
    place: Place,
    now: N,
}

impl<N: Fn() -> OffsetDateTime + Send + Sync> Attempt for Call<'_, N> {
    type Output = Session;

    async fn make(&self, time: &Attempts) -> Result<Session, Failure> {
        let request = signed_request(&self.endpoint, self.identity, self.request, (self.now)())
            .map_err(|err| Failure::new(err.into(), Retry::Never))?;
        let response = time.exchange(self.channel.transport.as_ref(), request, &self.place).await?;
        answer::read(&response, &self.request.role, (self.now)())
    }
}
