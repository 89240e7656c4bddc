//! Errors of a call, and the remedy of each.

use std::fmt;
use std::time::Duration;

use crate::clock_skew::ClockSkew;
use crate::create_session::RequestError;
use crate::endpoint::EndpointError;
use crate::identity::SigningError;

/// Why a call failed. `Display` is short, safe to show and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// AWS refused. The same request would be refused again.
    Refused {
        /// AWS's name for the refusal, such as `AccessDeniedException`.
        kind: String,
        /// The HTTP status.
        status: u16,
        /// AWS's text, bounded.
        message: String,
        /// AWS's id of the request.
        request_id: Option<String>,
        /// Our explanation of the text, and its cure.
        explanation: Option<&'static str>,
        /// How far this host's clock is from AWS's, if more than a minute.
        clock_skew: Option<ClockSkew>,
    },
    /// The network or AWS itself did not answer, and every retry that fit was made.
    Unavailable {
        /// The last failure.
        reason: String,
        /// The last HTTP status, if there was one.
        status: Option<u16>,
        /// AWS's id of the last request.
        request_id: Option<String>,
        /// How many requests were sent.
        attempts: u32,
    },
    /// AWS throttled the request.
    Throttled {
        /// AWS's text, bounded.
        message: String,
        /// How long AWS asks to wait, an hour at most.
        retry_after: Option<Duration>,
        /// AWS's id of the last request.
        request_id: Option<String>,
        /// How many requests were sent.
        attempts: u32,
    },
    /// An answer that Roles Anywhere does not give: HTML, truncated JSON, or an expired session.
    BadAnswer {
        /// What is wrong with it, without its content.
        reason: String,
        /// The HTTP status; none when the answer was refused before its end.
        status: Option<u16>,
        /// AWS's id of the request.
        request_id: Option<String>,
    },
    /// The request was never sent.
    Local(LocalError),
}

/// Why a request was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalError {
    /// AWS would refuse the parameters.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Region and settings give no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The signature failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// AWS would refuse a parameter of a call other than `CreateSession`.
    #[error("{field}: {problem}")]
    Parameter {
        /// The parameter.
        field: &'static str,
        /// Its value and the bound it breaks.
        problem: String,
    },
}

/// What cures an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The operator must correct AWS, the network or the settings.
    Reconfigure,
    /// The same request may succeed later.
    Wait,
    /// It is a bug of this program.
    ReportBug,
}

impl Error {
    /// The remedy of this error.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unavailable { .. } | Self::Throttled { .. } => Remedy::Wait,
            Self::Local(LocalError::Signing(_)) => Remedy::ReportBug,
            Self::Refused { .. } | Self::BadAnswer { .. } | Self::Local(_) => Remedy::Reconfigure,
        }
    }

    /// AWS's id of the request, for a support case.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Refused { request_id, .. }
            | Self::Unavailable { request_id, .. }
            | Self::Throttled { request_id, .. }
            | Self::BadAnswer { request_id, .. } => request_id.as_deref(),
            Self::Local(_) => None,
        }
    }

    /// Sets the number of requests that were sent.
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
        self.fmt_for(f, "CreateSession", "Roles Anywhere")
    }
}

impl Error {
    /// Writes the error of one call of one service.
    pub(crate) fn fmt_for(&self, f: &mut fmt::Formatter<'_>, call: &str, service: &str) -> fmt::Result {
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
                retry_after.map_or(Ok(()), |wait| write!(f, "; AWS asks to wait {} s", wait.as_secs()))
            }
            Self::BadAnswer { reason, status, .. } => {
                write!(f, "the endpoint's answer is not from {service}: ")?;
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
