//! How an inline policy selects a session that is to be denied.

use ca::Serial;
use rolesanywhere::revocation::{Policy, Unfit};
use time::OffsetDateTime;
use vault_backend::Fault;

use crate::credentials::ledger::Entry;
use crate::ground::clock::rfc3339;

/// The longest session that IAM allows, 12 hours. An unknown session is denied for this long, because nobody can tell when it
/// expires; and a record that begins earlier than this has every living session that the mount handed out, unless storage took
/// no writes for long.
pub(super) const MAX_SESSION: time::Duration = time::Duration::hours(12);

/// How the policy selects one session.
pub(super) enum Denial {
    /// By its session name, which no other session has.
    Name { name: String, until: OffsetDateTime },
    /// By its source identity, up to the moment `before`. Its role sets `role_session_name`, so the caller's next session has the
    /// same name.
    Identity { identity: String, before: OffsetDateTime, until: OffsetDateTime },
}

impl Denial {
    /// Chooses the denial of `entry`; `now` is the latest time that AWS's clock may show, so the session was issued before it.
    pub(super) fn of(entry: &Entry, now: OffsetDateTime) -> Self {
        let until = entry.expiration();
        match entry.denied_by() {
            Some(identity) => Self::Identity { identity: identity.to_owned(), before: now, until },
            None => Self::Name { name: entry.record.role_session_name.clone(), until },
        }
    }

    /// Adds the entry to the document, which is not written yet.
    ///
    /// # Errors
    /// The operator's fault if the name or identity is none that AWS takes: 2 to 64 letters, digits or characters of `_+=,.@-`.
    pub(super) fn add_to(&self, policy: &mut Policy) -> Result<(), Fault> {
        match self {
            Self::Name { name, until } => policy.deny_session(name, *until).map_err(unfit),
            Self::Identity { identity, before, until } => {
                policy.deny_source_identity(identity, *before, *until).map_err(unfit)
            }
        }
    }

    /// The moment that new sessions of the identity must be dated after. None for a denial by name, which hits no later session.
    pub(super) fn issued_before(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Name { .. } => None,
            Self::Identity { before, .. } => Some(*before),
        }
    }

    /// Tells the operator that a denial by source identity reaches every earlier session of that identity.
    pub(super) fn warning(&self) -> Option<String> {
        match self {
            Self::Name { .. } => None,
            Self::Identity { identity, before, .. } => Some(format!(
                "the role sets role_session_name, so every session of {identity:?} in this IAM role that was issued before {} is denied",
                rfc3339(*before)
            )),
        }
    }
}

/// The names that an unknown session may have: its serial number in hexadecimal, with and without leading zeros, because AWS does
/// not document whether it pads an odd number of digits. Both are denied; neither can name another session.
pub(super) fn names_of(serial: &Serial) -> Vec<String> {
    let padded = serial.hex();
    let bare = padded.trim_start_matches('0').to_owned();
    if bare == padded { vec![padded] } else { vec![padded, bare] }
}

/// The error says the cure itself.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
pub(super) fn unfit(error: Unfit) -> Fault {
    Fault::operator(error.to_string()).cure_is_told()
}
