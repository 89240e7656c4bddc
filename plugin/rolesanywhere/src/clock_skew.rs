//! How far this host's clock and AWS's are apart.

use std::fmt;

use time::OffsetDateTime;

/// How far this host's clock is from AWS's, where that is over a minute: less is no cause of anything, and is not told.
///
/// Seconds by which it is ahead; negative: behind. Good to about a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockSkew(i64);

impl ClockSkew {
    /// Seconds up to which two clocks count as in time.
    pub const TOLERANCE: u64 = 60;

    /// None where the two are in time.
    pub fn between(ours: OffsetDateTime, theirs: OffsetDateTime) -> Option<Self> {
        Some(Self((ours - theirs).whole_seconds())).filter(|skew| skew.seconds() > Self::TOLERANCE)
    }

    /// Seconds, whichever side; more than [`Self::TOLERANCE`].
    pub fn seconds(self) -> u64 {
        self.0.unsigned_abs()
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.0 > 0 { "ahead of" } else { "behind" };
        write!(f, "this host's clock is {} s {side} AWS's", self.seconds())
    }
}
