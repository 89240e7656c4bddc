//! The role under check, and the call that is planned for it.

use std::time::Duration;

use rolesanywhere::AssumeRole;

use crate::credentials::session_spec::{NamedRole, SessionSpec};
use crate::issuers::Loaded;
use crate::records::role::Role;

/// The bound of one AWS call with its retries. A check makes several calls, so the whole may take a few times as long.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The role that is checked, and its mount for the texts.
#[derive(Clone, Copy)]
pub(super) struct CheckedRole<'a> {
    /// The role's name, for commands.
    pub(super) name: &'a str,
    /// The role as stored when the check began.
    pub(super) role: &'a Role,
    /// With a slash at its end, such as `iamra/`.
    pub(super) mount_point: &'a str,
}

impl<'a> CheckedRole<'a> {
    /// The role without its mount.
    pub(super) fn named(self) -> NamedRole<'a> {
        NamedRole { name: self.name, role: self.role }
    }
}

/// The call to AWS, as far as it can be prepared without AWS.
pub(super) struct PlannedCall<'a> {
    /// The issuer that signs the certificate.
    pub(super) authority: &'a Loaded,
    /// The certificate's profile, and the parameters of CreateSession.
    pub(super) spec: SessionSpec,
    /// The call that follows; none if the role makes no hop.
    pub(super) hop: Option<AssumeRole>,
}
