//! The current time on two clocks: one that never steps, and one that the issuer's times refer to.

use std::time::Duration;

use time::OffsetDateTime;

/// A point in time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The time since a fixed start, on a clock that neither steps nor runs backwards. It may stand still while the
    /// machine is suspended.
    pub monotonic: Duration,
    /// The machine's wall clock, which may step either way.
    pub wall: OffsetDateTime,
}
