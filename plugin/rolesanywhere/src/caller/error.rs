//! Why a call in a session's name failed.

use std::fmt;

use super::denied::Denied;
use crate::error::{Error, Move};

/// The calls a [`super::Caller`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `sts:GetCallerIdentity`, which needs no permission.
    GetCallerIdentity,
    /// `rolesanywhere:GetTrustAnchor`.
    GetTrustAnchor,
    /// `rolesanywhere:UpdateTrustAnchor`.
    UpdateTrustAnchor,
    /// `rolesanywhere:GetProfile`.
    GetProfile,
    /// `iam:GetRole`.
    GetRole,
    /// `iam:ListRolePolicies`.
    ListRolePolicies,
    /// `iam:GetRolePolicy`.
    GetRolePolicy,
    /// `iam:PutRolePolicy`.
    PutRolePolicy,
    /// `iam:DeleteRolePolicy`.
    DeleteRolePolicy,
}

impl Operation {
    /// Each one.
    pub const ALL: [Self; 9] = [
        Self::GetCallerIdentity,
        Self::GetTrustAnchor,
        Self::UpdateTrustAnchor,
        Self::GetProfile,
        Self::GetRole,
        Self::ListRolePolicies,
        Self::GetRolePolicy,
        Self::PutRolePolicy,
        Self::DeleteRolePolicy,
    ];

    /// The permission the call needs, as policies name it: `iam:GetRole`.
    pub fn action(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "sts:GetCallerIdentity",
            Self::GetTrustAnchor => "rolesanywhere:GetTrustAnchor",
            Self::UpdateTrustAnchor => "rolesanywhere:UpdateTrustAnchor",
            Self::GetProfile => "rolesanywhere:GetProfile",
            Self::GetRole => "iam:GetRole",
            Self::ListRolePolicies => "iam:ListRolePolicies",
            Self::GetRolePolicy => "iam:GetRolePolicy",
            Self::PutRolePolicy => "iam:PutRolePolicy",
            Self::DeleteRolePolicy => "iam:DeleteRolePolicy",
        }
    }

    /// The call's own name: `GetRole`.
    pub fn name(self) -> &'static str {
        self.action().split_once(':').map_or("", |(_, name)| name)
    }

    fn service(self) -> &'static str {
        match self.action().split_once(':') {
            Some(("sts", _)) => "STS",
            Some(("iam", _)) => "IAM",
            _ => "Roles Anywhere",
        }
    }
}

/// Why a call failed. `Display` is short, safe to show and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// Which call.
    pub operation: Operation,
    /// What happened, in the terms of `CreateSession`.
    pub cause: Box<Error>,
    /// The permission that is missing, when AWS refused for that.
    pub denied: Option<Denied>,
}

impl CallError {
    pub(super) fn new(operation: Operation, cause: Error) -> Self {
        let denied = match &cause {
            Error::Refused { kind, message, .. } => Denied::of(operation, kind, message),
            _ => None,
        };
        Self { operation, cause: Box::new(cause), denied }
    }

    /// Whose move it is.
    pub fn whose_move(&self) -> Move {
        self.cause.whose_move()
    }

    /// AWS's number for the request, for a support case.
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

    /// Whether what the call names does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind(), Some("NoSuchEntity" | "NoSuchEntityException" | "ResourceNotFoundException"))
    }

    /// Whether a quota is used up: for [`Operation::PutRolePolicy`], the 10,240 characters of a role's inline policies.
    pub fn is_limit_exceeded(&self) -> bool {
        matches!(self.kind(), Some("LimitExceeded" | "LimitExceededException"))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation.action())?;
        self.cause.tell(f, self.operation.name(), self.operation.service())?;
        match &self.denied {
            Some(denied) => write!(f, "; {denied}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CallError {}
