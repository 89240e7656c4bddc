//! Which sessions are asked for.

use crate::moment::Moment;
use crate::serial::HexSerial;

/// The sessions that are asked for: those that one of the names means, or all if there is none, within the time span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Access key ids, as `CloudTrail` has them.
    pub access_keys: Vec<String>,
    /// Serial numbers of certificates.
    pub serials: Vec<HexSerial>,
    /// Source identities, whole.
    pub source_identities: Vec<String>,
    /// When a session was made, used or handed out.
    pub span: TimeSpan,
}

/// A time span with both of its ends, each of which may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpan {
    /// The first moment.
    pub from: Option<Moment>,
    /// The last one.
    pub to: Option<Moment>,
}

impl Selection {
    /// Whether only the time span narrows it.
    pub(crate) fn names_nothing(&self) -> bool {
        self.access_keys.is_empty() && self.serials.is_empty() && self.source_identities.is_empty()
    }
}

impl TimeSpan {
    /// Whether the span has `at`.
    pub(crate) fn contains(&self, at: Moment) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
    }

    /// Whether either end is set.
    pub(crate) fn is_bounded(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }
}
