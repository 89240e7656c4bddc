//! Why a signed call failed.

use std::fmt;

use super::missing_permission::MissingPermission;
use super::operation::ApiOperation;
use crate::error::{Error, Remedy};

/// Why a call failed. `Display` is short, safe to show and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The call.
    pub operation: ApiOperation,
    /// The cause, in the terms of `CreateSession`.
    pub cause: Box<Error>,
    /// The missing permission, if AWS refused for the lack of one.
    pub missing_permission: Option<MissingPermission>,
}

impl CallError {
    pub(super) fn new(operation: ApiOperation, cause: Error) -> Self {
        let missing_permission = match &cause {
            Error::Refused { kind, message, .. } => MissingPermission::of(operation, kind, message),
            _ => None,
        };
        Self { operation, cause: Box::new(cause), missing_permission }
    }

    /// The remedy of this error.
    pub fn remedy(&self) -> Remedy {
        self.cause.remedy()
    }

    /// AWS's id of the request, for a support case.
    pub fn request_id(&self) -> Option<&str> {
        self.cause.request_id()
    }

    /// AWS's name for the refusal, such as `NoSuchEntity`.
    pub fn kind(&self) -> Option<&str> {
        match self.cause.as_ref() {
            Error::Refused { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// Whether the object that the call names does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind(), Some("NoSuchEntity" | "NoSuchEntityException" | "ResourceNotFoundException"))
    }

    /// Whether a quota is used up: for [`ApiOperation::PutRolePolicy`], the 10,240 characters of a role's inline policies.
    pub fn is_limit_exceeded(&self) -> bool {
        matches!(self.kind(), Some("LimitExceeded" | "LimitExceededException"))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation.action())?;
        self.cause.fmt_for(f, self.operation.name(), self.operation.service())?;
        match &self.missing_permission {
            Some(missing_permission) => write!(f, "; {missing_permission}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CallError {}
