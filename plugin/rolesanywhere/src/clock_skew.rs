//! The difference between this host's clock and AWS's.

use std::fmt;

use time::OffsetDateTime;

/// How far this host's clock is from AWS's, if more than a minute: a smaller difference causes no error, and is not
/// reported.
///
/// The seconds by which this clock is ahead; negative if it is behind. Precise to about one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockSkew(i64);

impl ClockSkew {
    /// The largest difference, in seconds, at which two clocks count as in sync.
    pub const TOLERANCE: u64 = 60;

    /// None if the two clocks are in sync.
    pub fn between(ours: OffsetDateTime, theirs: OffsetDateTime) -> Option<Self> {
        Some(Self((ours - theirs).whole_seconds())).filter(|skew| skew.seconds() > Self::TOLERANCE)
    }

    /// The difference in seconds, in either direction; more than [`Self::TOLERANCE`].
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
