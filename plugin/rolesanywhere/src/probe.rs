//! A probe of an endpoint: name, TCP, TLS, HTTP, and the clock there, without a call of the service.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::channel::Channel;
use crate::clock_skew::ClockSkew;
use crate::endpoint::{Endpoint, EndpointError};
use crate::partition::Region;
use crate::transport::{TransportError, TransportErrorKind};

/// An endpoint that answered over HTTP, with any status: AWS answers 404 to this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Scheme, host and port.
    pub endpoint: String,
    /// The HTTP status. 407 comes from a proxy that requires a password.
    pub status: u16,
    /// Whether the answer has AWS's request id. A proxy's has none.
    pub from_aws: bool,
    /// AWS's clock, to the second.
    pub server_date: Option<OffsetDateTime>,
    /// How far this host's clock is from AWS's; none if they are in sync, or if AWS sent no time.
    pub clock_skew: Option<ClockSkew>,
    /// The time from the first byte sent to the last received, including the set-up of a new connection.
    pub took: Duration,
}

/// Why a probe failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Settings and region give no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There was no usable answer: the name did not resolve, or the connection, its TLS or the body failed.
    #[error("{endpoint}: {cause}")]
    Unreached {
        /// Scheme, host and port.
        endpoint: String,
        /// The failure, and its kind.
        cause: TransportError,
    },
}

pub(crate) async fn probe(
    channel: &Channel,
    region: &Region,
    now: &(impl Fn() -> OffsetDateTime + Send + Sync),
    total: Duration,
) -> Result<Reached, ProbeError> {
    let endpoint = Endpoint::resolve(&channel.settings, region, region.partition())?;
    let unreached = |cause| ProbeError::Unreached { endpoint: endpoint.to_string(), cause };
    let request = Request::get(endpoint.at("/")).header(header::USER_AGENT, &channel.settings.user_agent);
    let request = request.body(Bytes::new()).map_err(|_| EndpointError::Override("is no URL".to_owned()))?;
    let bound = channel.settings.request_timeout.min(total);
    let began = Instant::now();
    match tokio::time::timeout(bound, channel.transport.send(request)).await {
        Ok(Ok(response)) => Ok(reached(&endpoint, &response, now(), began.elapsed())),
        Ok(Err(cause)) => Err(unreached(cause)),
        Err(_) => {
            let text = format!("no answer within {:.1} s", bound.as_secs_f64());
            Err(unreached(TransportError { kind: TransportErrorKind::Network, text }))
        }
    }
}

fn reached(endpoint: &Endpoint, response: &Response<Bytes>, now: OffsetDateTime, took: Duration) -> Reached {
    let answer = Answer::new(response, now);
    let server_date = answer.date();
    Reached {
        endpoint: endpoint.to_string(),
        status: response.status().as_u16(),
        from_aws: answer.request_id().is_some(),
        server_date,
        clock_skew: server_date.and_then(|theirs| ClockSkew::between(now, theirs)),
        took,
    }
}
