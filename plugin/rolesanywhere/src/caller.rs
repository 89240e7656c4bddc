//! Calls in the name of a session: signed with its credentials (Signature Version 4), tried again, read.

mod anchors;
mod credentials;
mod denied;
mod error;
mod explain;
mod iam;
mod operation;
mod profiles;
mod request;
mod sts;
mod xml;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use time::OffsetDateTime;

use crate::answer::{Answer, Failure, Retry};
use crate::attempts::{Attempt, Attempts, Patience, Place};
use crate::channel::Channel;
use crate::endpoint::EndpointError;
use crate::error::{Error, LocalError};
use crate::service::Service;
use request::Ask;

pub use anchors::{AnchorSource, TrustAnchor};
pub use credentials::Credentials;
pub use denied::Denied;
pub use error::CallError;
pub use iam::IamRole;
pub use operation::Operation;
pub use profiles::{AttributeMapping, Profile};
pub use sts::CallerIdentity;

/// Calls AWS in the name of one session. Made by [`crate::Client::caller`]; cheap to clone.
///
/// Every call is bounded by the patience the caller was made with. Status 429, 5xx, throttling and network errors are tried
/// again, signed anew, at most `max_retries` times: all calls here may be repeated safely.
#[derive(Clone)]
pub struct Caller {
    channel: Channel,
    credentials: Credentials,
    now: Clock,
    patience: Patience,
}

type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Reads an answer with success; the error says what is wrong with it and nothing of what is in it.
type Read<T> = fn(&Answer<'_>) -> Result<T, String>;

impl Caller {
    pub(crate) fn new(channel: Channel, credentials: Credentials, now: Clock, patience: Patience) -> Self {
        Self { channel, credentials, now, patience }
    }

    /// The same caller when some of its time is spent.
    fn after(&self, spent: Duration) -> Self {
        let Patience { total, retries } = self.patience;
        let patience =
            Patience { total: total.saturating_sub(spent), retries: retries.saturating_sub(spent) };
        Self { patience, ..self.clone() }
    }

    /// Makes one call, with all its attempts.
    async fn call<T: Send>(
        &self,
        operation: Operation,
        service: Result<Service, EndpointError>,
        ask: Ask,
        read: Read<T>,
    ) -> Result<T, CallError> {
        let service = service.map_err(|err| CallError::new(operation, err.into()))?;
        let place = Place { url: service.endpoint.to_string(), doubtful: None };
        let time = Attempts::new(&self.channel.settings, self.patience);
        let call = Call { caller: self, service, ask, place, read };
        let outcome = time.of(operation.action(), &call).await;
        outcome.map_err(|cause| CallError::new(operation, cause))
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("access_key_id", &self.credentials.access_key_id)
            .finish_non_exhaustive()
    }
}

/// One call of a [`Caller`].
struct Call<'a, T> {
    caller: &'a Caller,
    service: Service,
    ask: Ask,
    place: Place,
    read: Read<T>,
}

impl<T: Send> Attempt for Call<'_, T> {
    type Output = T;

    async fn make(&self, time: &Attempts) -> Result<T, Failure> {
        let Caller { channel, credentials, now, .. } = self.caller;
        if let Some(account) = &self.ask.paced {
            channel.pace.turn(account, time.ends()).await.map_err(|late| Failure::new(late, Retry::Never))?;
        }
        let request = self
            .ask
            .signed(&self.service, credentials, now())
            .map_err(|err| Failure::new(Error::Local(LocalError::Signing(err)), Retry::Never))?;
        let response = time.exchange(channel.transport.as_ref(), request, &self.place).await?;
        self.outcome(&response, now())
    }
}

impl<T> Call<'_, T> {
    fn outcome(&self, response: &Response<Bytes>, now: OffsetDateTime) -> Result<T, Failure> {
        let answer = Answer::new(response, now);
        if response.status().is_success() {
            return (self.read)(&answer).map_err(|reason| answer.bad(&reason));
        }
        let wire = if self.ask.is_json() { answer.parse() } else { xml::error(&answer) };
        let mut failure = answer.failure_of(wire, explain::explain);
        // IAM says 400 when it throttles.
        if let (Error::Throttled { retry_after, .. }, Retry::Never) = (failure.error.as_ref(), failure.retry)
        {
            failure.retry = Retry::After(retry_after.unwrap_or_default());
        }
        Err(failure)
    }
}
