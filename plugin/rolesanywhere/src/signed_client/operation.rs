//! The API operations of a signed client, and the permission that each needs.

/// The API operations that a [`super::SignedClient`] calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiOperation {
    /// `sts:GetCallerIdentity`, which needs no permission.
    GetCallerIdentity,
    /// `sts:AssumeRole`.
    AssumeRole,
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

impl ApiOperation {
    /// All operations.
    pub const ALL: [Self; 10] = [
        Self::GetCallerIdentity,
        Self::AssumeRole,
        Self::GetTrustAnchor,
        Self::UpdateTrustAnchor,
        Self::GetProfile,
        Self::GetRole,
        Self::ListRolePolicies,
        Self::GetRolePolicy,
        Self::PutRolePolicy,
        Self::DeleteRolePolicy,
    ];

    /// The permission that the operation needs, as policies name it: `iam:GetRole`.
    pub fn action(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "sts:GetCallerIdentity",
            Self::AssumeRole => "sts:AssumeRole",
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

    /// The operation's own name: `GetRole`.
    pub fn name(self) -> &'static str {
        self.action().split_once(':').map_or("", |(_, name)| name)
    }

    /// The name of the service in errors.
    pub(super) fn service(self) -> &'static str {
        match self.action().split_once(':') {
            Some(("sts", _)) => "STS",
            Some(("iam", _)) => "IAM",
            _ => "Roles Anywhere",
        }
    }
}
