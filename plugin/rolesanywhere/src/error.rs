//! What can go wrong on the way to a session, and whose move it is then.

use std::fmt;
use std::time::Duration;

use crate::clock_skew::ClockSkew;
use crate::create_session::RequestError;
use crate::endpoint::EndpointError;
use crate::identity::SigningError;

/// Why there is no session. `Display` is short, safe to show and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// AWS understood and said no. Asking again without a change gives the same answer.
    Refused {
        /// AWS's name for the refusal, such as `AccessDeniedException`.
        kind: String,
        /// The HTTP status.
        status: u16,
        /// AWS's text, bounded.
        message: String,
        /// AWS's number for the request.
        request_id: Option<String>,
        /// What the text means and what cures it, in our words.
        explanation: Option<&'static str>,
        /// How far our clock is from AWS's, when over a minute.
        clock_skew: Option<ClockSkew>,
    },
    /// The network, or AWS itself, did not answer; all retries that fit were made.
    Unavailable {
        /// What happened last.
        reason: String,
        /// The last HTTP status, if there was one.
        status: Option<u16>,
        /// AWS's number for the last request.
        request_id: Option<String>,
        /// How many requests were sent.
        attempts: u32,
    },
    /// AWS counts too many requests.
    Throttled {
        /// AWS's text, bounded.
        message: String,
        /// How long AWS wants to be left alone, an hour at most.
        retry_after: Option<Duration>,
        /// AWS's number for the last request.
        request_id: Option<String>,
        /// How many requests were sent.
        attempts: u32,
    },
    /// An answer that Roles Anywhere does not give: HTML, half a JSON, an expired session.
    BadAnswer {
        /// What is wrong with it, without its content.
        reason: String,
        /// The HTTP status; none when the answer was refused before its end.
        status: Option<u16>,
        /// AWS's number for the request.
        request_id: Option<String>,
    },
    /// The request was never sent.
    Local(LocalError),
}

/// Why a request was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalError {
    /// Parameters that AWS would refuse.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// No endpoint for the region and the settings.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The signature failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A parameter of a call other than `CreateSession` that AWS would refuse.
    #[error("{field}: {problem}")]
    Parameter {
        /// The parameter.
        field: &'static str,
        /// Its value and the bound it breaks.
        problem: String,
    },
}

/// Who can do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Whoever configures AWS, the network or this client.
    Operator,
    /// Nobody: the same request may succeed later.
    Wait,
    /// The authors of this program.
    Developer,
}

impl Error {
    /// Whose move it is.
    pub fn whose_move(&self) -> Move {
        match self {
            Self::Unavailable { .. } | Self::Throttled { .. } => Move::Wait,
            Self::Local(LocalError::Signing(_)) => Move::Developer,
            Self::Refused { .. } | Self::BadAnswer { .. } | Self::Local(_) => Move::Operator,
        }
    }

    /// AWS's number for the request, for a support case.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Refused { request_id, .. }
            | Self::Unavailable { request_id, .. }
            | Self::Throttled { request_id, .. }
            | Self::BadAnswer { request_id, .. } => request_id.as_deref(),
            Self::Local(_) => None,
        }
    }

    /// The same error with the number of requests that were sent.
    pub(crate) fn after(mut self, sent: u32) -> Self {
        if let Self::Unavailable { attempts, .. } | Self::Throttled { attempts, .. } = &mut self {
            *attempts = sent;
        }
        self
    }
}

impl std::error::Error for Error {}

impl From<RequestError> for Error {
    fn from(err: RequestError) -> Self {
        Self::Local(err.into())
    }
}

impl From<EndpointError> for Error {
    fn from(err: EndpointError) -> Self {
        Self::Local(err.into())
    }
}

impl From<SigningError> for Error {
    fn from(err: SigningError) -> Self {
        Self::Local(err.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, "CreateSession", "Roles Anywhere")
    }
}

impl Error {
    /// Writes what went wrong with one call of one service.
    pub(crate) fn tell(&self, f: &mut fmt::Formatter<'_>, call: &str, service: &str) -> fmt::Result {
        match self {
            Self::Refused { kind, status, message, explanation, clock_skew, .. } => {
                write!(f, "AWS refused with {status} {kind}: {message}")?;
                write_request_id(f, self.request_id())?;
                if let Some(text) = explanation {
                    write!(f, "; {text}")?;
                }
                clock_skew.map_or(Ok(()), |skew| write!(f, "; {skew}"))
            }
            Self::Unavailable { reason, attempts, .. } => {
                write!(f, "AWS could not be reached: {reason}")?;
                write_attempts(f, *attempts)?;
                write_request_id(f, self.request_id())
            }
            Self::Throttled { message, retry_after, attempts, .. } => {
                write!(f, "AWS throttles {call}: {message}")?;
                write_attempts(f, *attempts)?;
                write_request_id(f, self.request_id())?;
                retry_after.map_or(Ok(()), |wait| write!(f, "; it asks to wait {} s", wait.as_secs()))
            }
            Self::BadAnswer { reason, status, .. } => {
                write!(f, "the endpoint's answer is not one of {service}: ")?;
                status.map_or(Ok(()), |status| write!(f, "status {status}, "))?;
                f.write_str(reason)?;
                write_request_id(f, self.request_id())
            }
            Self::Local(err) => write!(f, "{err}"),
        }
    }
}

fn write_request_id(f: &mut fmt::Formatter<'_>, id: Option<&str>) -> fmt::Result {
    id.map_or(Ok(()), |id| write!(f, " (request id {id})"))
}

fn write_attempts(f: &mut fmt::Formatter<'_>, attempts: u32) -> fmt::Result {
    if attempts > 1 { write!(f, " (after {attempts} attempts)") } else { Ok(()) }
}
