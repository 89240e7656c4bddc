//! A session that AWS gave, and the facts about how it was made.

use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::{RoleArn, Session, TrustAnchorArn};
use sessions::Cause;
use time::OffsetDateTime;
use vault_backend::Fault;

use crate::credentials::handed::Handed;
use crate::credentials::lifetime;
use crate::ground::clock::rfc3339;
use crate::ground::faults;

/// A session, and the facts about how it was made. All its holders share one value; its secrets are overwritten when the last
/// holder and the cache have dropped it.
pub(crate) struct Issued {
    pub(crate) session: Session,
    /// When AWS's answer arrived, by this host's clock.
    pub(crate) began: OffsetDateTime,
    /// The serial number of its certificate, lowercase hexadecimal with colons.
    pub(crate) serial: String,
    /// The trust anchor through which it was made. Its region is the place's.
    pub(crate) trust_anchor: TrustAnchorArn,
    /// For every caller that receives it: about the certificate, the duration, the clocks and the issuer's expiry.
    pub(crate) warnings: Vec<String>,
    /// To whom this process has handed it. Of a hop it says only whether its record was noted.
    pub(crate) handed: Handed,
    /// The hop that made it; none if Roles Anywhere made it.
    pub(crate) hop: Option<HopOf>,
}

/// Where the session of a hop comes from.
pub(crate) struct HopOf {
    /// The session that made it.
    pub(crate) hub: Arc<Issued>,
    /// The role of the session.
    pub(crate) target: RoleArn,
}

impl Issued {
    /// Refuses a fresh session that has expired, or nearly: two clocks differ, or AWS erred.
    ///
    /// # Errors
    /// For later, with the clock skew if AWS told its time.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let whole = span(self.session.expiration - self.began);
        if lifetime::is_useful(whole, whole) {
            return Ok(());
        }
        Err(faults::short_session(whole, self.session.dated, self.began))
    }

    /// Logs the session for the engine's role `role`, in the span of the read that made it.
    ///
    /// This line and that of `grant.rs` are the only joins between reads and AWS's own record: Vault's audit has the request's
    /// id, `CloudTrail` has the serial number and the source identity.
    pub(super) fn log(&self, role: &str, cause: Cause) {
        let message = match cause {
            Cause::Asked if self.hop.is_some() => "issued a session of the target role",
            Cause::Ahead if self.hop.is_some() => "renewed a session of the target role ahead of need",
            Cause::Asked => "issued a session",
            Cause::Ahead => "renewed a session ahead of need",
        };
        tracing::info!(
            role,
            serial = self.serial,
            source_identity = self.session.source_identity,
            region = %self.trust_anchor.region(),
            target_role_arn = self.hop.as_ref().map(|hop| hop.target.as_str()),
            expiration = rfc3339(self.session.expiration),
            warnings = (!self.warnings.is_empty()).then(|| self.warnings.join("; ")),
            "{message}"
        );
    }
}

/// A span of whole seconds, rounded down; zero if `left` is negative.
fn span(left: time::Duration) -> Duration {
    Duration::from_secs(u64::try_from(left.whole_seconds()).unwrap_or(0))
}
