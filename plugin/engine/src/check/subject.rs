//! What is checked, and what is to be asked of AWS for it.

use std::time::Duration;

use rolesanywhere::CreateSession;

use crate::credentials::session_spec::SessionSpec;
use crate::issuers::Loaded;
use crate::records::role::Role;

/// For one call of AWS with its retries.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The role that is checked, and where its mount is for texts.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) role: &'a Role,
    pub(super) mount_point: &'a str,
}

/// What is to be asked, as far as it can be without AWS.
pub(super) struct PlannedCall<'a> {
    pub(super) authority: &'a Loaded,
    pub(super) order: SessionSpec,
    pub(super) call: CreateSession,
}
