//! How far this host's clock and AWS's are apart.

use std::fmt;

use time::OffsetDateTime;

/// Seconds by which this host's clock is ahead of AWS's; negative: behind. Good to about a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockSkew(i64);

/// A clock that is off by less is not worth a word.
const WORTH_A_WORD: u64 = 60;

impl ClockSkew {
    pub(crate) fn between(ours: OffsetDateTime, theirs: OffsetDateTime) -> Self {
        Self((ours - theirs).whole_seconds())
    }

    /// Seconds, whichever side.
    pub fn seconds(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// Whether it is over a minute.
    pub fn is_worth_a_word(self) -> bool {
        self.seconds() > WORTH_A_WORD
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.0 > 0 { "ahead of" } else { "behind" };
        write!(f, "this host's clock is {} s {side} AWS's", self.seconds())
    }
}
