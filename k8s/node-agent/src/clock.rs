//! The time, on two clocks. The only file of the crate that reads the wall clock; everything else takes a [`Moment`].

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

/// One point in time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the process began, on a clock that never steps. It may stand still while the node is suspended.
    pub monotonic: Duration,
    /// By the node's wall clock, which may step either way.
    pub wall: OffsetDateTime,
}

/// Reads both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    wall: fn() -> OffsetDateTime,
}

impl Clock {
    /// The clocks of this machine; the monotonic one counts from now.
    #[expect(clippy::disallowed_methods, reason = "this file owns the clock")]
    pub fn of_this_machine() -> Clock {
        Clock::with_wall(OffsetDateTime::now_utc)
    }

    /// The monotonic clock of this machine beside another wall clock, such as one that is an hour off.
    pub fn with_wall(wall: fn() -> OffsetDateTime) -> Clock {
        Clock { began: Instant::now(), wall }
    }

    /// The time now.
    pub fn now(&self) -> Moment {
        Moment { monotonic: self.began.elapsed(), wall: (self.wall)() }
    }
}

/// `2026-01-02T03:04:05Z`: in whole seconds with `Z`, the only form that every SDK parses.
pub fn rfc3339(at: OffsetDateTime) -> String {
    let utc = at.checked_to_offset(time::UtcOffset::UTC).unwrap_or(at);
    utc.replace_nanosecond(0).unwrap_or(utc).format(&Rfc3339).unwrap_or_default()
}

/// A time at which something ends, on both clocks. The one that says less counts, because the wall clock may have been set back
/// and the monotonic one may have stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    monotonic: Duration,
    wall: OffsetDateTime,
}

impl Deadline {
    /// What ends at `end`, seen at `now`.
    pub fn at(end: OffsetDateTime, now: Moment) -> Deadline {
        Deadline::within(end, Duration::MAX, now)
    }

    /// What ends at `end` and lasts for `most` from `now`, whatever the wall clock says: another clock may know better.
    pub fn within(end: OffsetDateTime, most: Duration, now: Moment) -> Deadline {
        let left = Duration::try_from(end - now.wall).unwrap_or_default().min(most);
        Deadline { monotonic: now.monotonic.saturating_add(left), wall: end }
    }

    /// The time left; zero once it is over.
    pub fn left(&self, now: Moment) -> Duration {
        let by_wall = Duration::try_from(self.wall - now.wall).unwrap_or_default();
        self.monotonic.saturating_sub(now.monotonic).min(by_wall)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);
    const HOUR: Duration = Duration::from_hours(1);

    fn at(monotonic: u64, wall: i64) -> Moment {
        Moment { monotonic: Duration::from_secs(monotonic), wall: NOON + time::Duration::seconds(wall) }
    }

    #[test]
    fn a_wall_clock_set_back_lengthens_nothing() {
        let end = Deadline::at(NOON + HOUR, at(0, 0));

        assert_eq!(end.left(at(3000, 3000 - 3600)), Duration::from_mins(10));
    }

    #[test]
    fn a_monotonic_clock_that_stood_still_lengthens_nothing() {
        let end = Deadline::at(NOON + HOUR, at(0, 0));

        assert_eq!(end.left(at(10, 3000)), Duration::from_mins(10));
    }

    #[test]
    fn a_wall_clock_that_was_behind_from_the_start_is_outdone_by_one_that_knows_better() {
        let end = Deadline::within(NOON + HOUR, Duration::from_mins(20), at(0, -3600));

        assert_eq!(end.left(at(60, -3540)), Duration::from_mins(19));
    }

    #[test]
    fn times_are_written_in_whole_seconds_with_z() {
        assert_eq!(rfc3339(datetime!(2026-01-02 05:04:05.987654 +2)), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn what_is_over_has_no_time_left() {
        assert_eq!(Deadline::at(NOON - HOUR, at(0, 0)).left(at(0, 0)), Duration::ZERO);
    }
}
