//! A session that was made, and what is known about how it came about.

use std::time::Duration;

use rolesanywhere::Session;
use sessions::Cause;
use time::OffsetDateTime;
use vault_backend::Fault;

use crate::credentials::lifetime;
use crate::ground::clock::rfc3339;
use crate::ground::faults;

/// A session, and what is known about how it came about. One value for all who share it; its secrets are overwritten when the
/// last of them and the cache are done with it.
pub(crate) struct Issued {
    pub(crate) session: Session,
    /// When it came.
    pub(crate) began: OffsetDateTime,
    pub(crate) serial: String,
    pub(crate) warnings: Vec<String>,
}

impl Issued {
    /// A fresh session that is over, or nearly, comes of two clocks that differ, or of AWS.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let whole = span(self.session.expiration - self.began);
        if lifetime::is_useful(whole, whole) {
            return Ok(());
        }
        Err(faults::short_session(whole, self.session.dated, self.began))
    }

    /// One of the two places where reads and AWS's own record meet, the other is `grant.rs`: the request's id stands in Vault's
    /// audit, the serial number and the source identity in `CloudTrail`.
    pub(super) fn log(&self, role: &str, cause: Cause) {
        let message = match cause {
            Cause::Asked => "issued a session",
            Cause::Ahead => "renewed a session ahead of need",
        };
        tracing::info!(
            role,
            serial = self.serial,
            source_identity = self.session.source_identity,
            expiration = rfc3339(self.session.expiration),
            warnings = (!self.warnings.is_empty()).then(|| self.warnings.join("; ")),
            "{message}"
        );
    }
}

/// A span of whole seconds, zero when `left` is negative.
fn span(left: time::Duration) -> Duration {
    Duration::from_secs(u64::try_from(left.whole_seconds()).unwrap_or(0))
}
