//! Now, on two clocks: one that never steps and one that the issuer understands.

use std::time::Duration;

use time::OffsetDateTime;

/// A point in time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since some fixed start, on a clock that neither steps nor runs backwards. It may stand still while the machine is suspended.
    pub steady: Duration,
    /// The machine's wall clock, which may step either way.
    pub wall: OffsetDateTime,
}
