//! Calls that are signed with a session's credentials (Signature Version 4).

mod anchors;
mod assume_role;
mod credentials;
mod error;
mod explain;
mod hop_refusal;
mod iam;
mod missing_permission;
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
use crate::attempts::{Attempts, Destination, RepeatableCall, RetryBudget};
use crate::channel::Channel;
use crate::endpoint::EndpointError;
use crate::error::{Error, LocalError};
use crate::service::Service;
use request::UnsignedRequest;

pub use anchors::{AnchorSource, TrustAnchor};
pub use assume_role::AssumeRole;
pub use credentials::Credentials;
pub use error::CallError;
pub use hop_refusal::HopRefusal;
pub use iam::IamRole;
pub use missing_permission::MissingPermission;
pub use operation::ApiOperation;
pub use profiles::{AttributeMapping, Profile};
pub use sts::CallerIdentity;

/// Calls AWS with the credentials of one session. Made by [`crate::Client::signed_client`]; cheap to clone.
///
/// Each call may take the budget that the client was made with. Status 429, 5xx, throttling and network errors are
/// retried, signed anew, at most `max_retries` times, because every call here may safely be repeated.
#[derive(Clone)]
pub struct SignedClient {
    channel: Channel,
    credentials: Credentials,
    now: Clock,
    budget: RetryBudget,
}

type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Reads a successful answer. The error names the flaw, and repeats nothing of the answer.
type AnswerReader<T> = fn(&Answer<'_>) -> Result<T, String>;

impl SignedClient {
    pub(crate) fn new(channel: Channel, credentials: Credentials, now: Clock, budget: RetryBudget) -> Self {
        Self { channel, credentials, now, budget }
    }

    /// The same client after some of its time is spent.
    fn after(&self, spent: Duration) -> Self {
        let RetryBudget { total, retries } = self.budget;
        let budget =
            RetryBudget { total: total.saturating_sub(spent), retries: retries.saturating_sub(spent) };
        Self { budget, ..self.clone() }
    }

    /// Makes one call, with all its attempts.
    async fn call<T: Send>(
        &self,
        operation: ApiOperation,
        service: Result<Service, EndpointError>,
        unsigned: UnsignedRequest,
        read: AnswerReader<T>,
    ) -> Result<T, CallError> {
        let service = service.map_err(|err| CallError::new(operation, err.into()))?;
        let destination = Destination { url: service.endpoint.to_string(), doubtful: None };
        let time = Attempts::new(&self.channel.settings, self.budget);
        let call = SignedCall { client: self, service, unsigned, destination, read };
        let outcome = time.of(operation.action(), &call).await;
        outcome.map_err(|cause| CallError::new(operation, cause))
    }
}

impl fmt::Debug for SignedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedClient")
            .field("access_key_id", &self.credentials.access_key_id)
            .finish_non_exhaustive()
    }
}

/// One call of a [`SignedClient`].
struct SignedCall<'a, T> {
    client: &'a SignedClient,
    service: Service,
    unsigned: UnsignedRequest,
    destination: Destination,
    read: AnswerReader<T>,
}

impl<T: Send> RepeatableCall for SignedCall<'_, T> {
    type Output = T;

    async fn make(&self, time: &Attempts) -> Result<T, Failure> {
        let SignedClient { channel, credentials, now, .. } = self.client;
        if let Some(account) = &self.unsigned.rate_limited {
            channel
                .rate_limiter
                .turn(account, time.ends())
                .await
                .map_err(|late| Failure::new(late, Retry::Never))?;
        }
        let request = self
            .unsigned
            .signed(&self.service, credentials, now())
            .map_err(|err| Failure::new(Error::Local(LocalError::Signing(err)), Retry::Never))?;
        let response = time.exchange(channel.transport.as_ref(), request, &self.destination).await?;
        self.outcome(&response, now())
    }
}

impl<T> SignedCall<'_, T> {
    fn outcome(&self, response: &Response<Bytes>, now: OffsetDateTime) -> Result<T, Failure> {
        let answer = Answer::new(response, now);
        if response.status().is_success() {
            return (self.read)(&answer).map_err(|reason| answer.bad(&reason));
        }
        let wire = if self.unsigned.is_json() { answer.parse() } else { xml::error(&answer) };
        let mut failure = answer.failure_of(wire, explain::explain);
        // IAM throttles with status 400
        if let (Error::Throttled { retry_after, .. }, Retry::Never) = (failure.error.as_ref(), failure.retry)
        {
            failure.retry = Retry::After(retry_after.unwrap_or_default());
        }
        Err(failure)
    }
}
