//! One cached session: the time it has left, when it is due for renewal, and when it is no longer served.

use std::time::Duration;

use time::OffsetDateTime;

use crate::flight::Made;
use crate::now::Now;
use crate::reply::{CacheStatus, Grant};

/// Nobody is served a session with less time left than this, or less than a third of its length if that is shorter.
/// SDKs refresh credentials from five minutes before they expire.
const MIN_LEFT: Duration = Duration::from_mins(5);

/// A session shorter than this on arrival counts as none: a caller would be back before it has used it, and renewals
/// would follow each other within seconds. Only clocks that differ produce one.
const MIN_WHOLE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct CachedSession<S> {
    session: S,
    whole: Duration,
    /// When it expires, on the monotonic clock.
    ends: Duration,
    /// When it expires on the wall clock, as the issuer says.
    expiration: OffsetDateTime,
    /// It is due for renewal when this much time is left.
    due_left: Duration,
}

impl<S: Clone> CachedSession<S> {
    /// The session of an attempt that began at `started` and requested a length of `asked`; none if less than five
    /// seconds of it are left.
    ///
    /// The issuer counts from after `started`, so `started + asked` is a bound that no clock can move. The `expiration`
    /// is compared with the wall clock at both ends of the attempt, because the clock may have been set in between.
    /// `jitter` in 0..1 moves the half-life by up to 10 % either way, so that a fleet does not renew at the same time.
    pub(crate) fn new(made: Made<S>, started: Now, asked: Duration, now: Now, jitter: f64) -> Option<Self> {
        let left_at = |moment: Now| Duration::try_from(made.expiration - moment.wall).ok();
        let by_wall = now.monotonic.saturating_add(left_at(now)?);
        let ends = by_wall.min(started.monotonic.saturating_add(left_at(started)?.min(asked)));
        let whole = ends.checked_sub(now.monotonic).filter(|whole| *whole >= MIN_WHOLE)?;
        let due_left = whole.mul_f64(0.5 * (0.9 + 0.2 * jitter));
        Some(Self { session: made.session, whole, ends, expiration: made.expiration, due_left })
    }

    pub(crate) fn session(&self) -> &S {
        &self.session
    }

    /// The time left, by the clock that says less: the wall clock may have been set back, and the monotonic clock may
    /// have stood still.
    pub(crate) fn remaining(&self, now: Now) -> Duration {
        let wall = Duration::try_from(self.expiration - now.wall).unwrap_or_default();
        self.ends.saturating_sub(now.monotonic).min(wall)
    }

    pub(crate) fn is_usable(&self, now: Now) -> bool {
        self.remaining(now) > self.least_left()
    }

    pub(crate) fn is_due(&self, now: Now) -> bool {
        self.remaining(now) <= self.due_left
    }

    /// When it becomes due for renewal, on the monotonic clock.
    pub(crate) fn due_at(&self) -> Duration {
        self.ends.saturating_sub(self.due_left)
    }

    /// When it stops being served, on the monotonic clock.
    pub(crate) fn dies_at(&self) -> Duration {
        self.ends.saturating_sub(self.least_left())
    }

    /// When it expires, on the monotonic clock.
    pub(crate) fn ends_at(&self) -> Duration {
        self.ends
    }

    pub(crate) fn whole(&self) -> Duration {
        self.whole
    }

    pub(crate) fn grant<E>(&self, now: Now, cache_status: CacheStatus<E>) -> Grant<S, E> {
        let remaining = self.remaining(now);
        Grant {
            session: self.session.clone(),
            whole: self.whole,
            remaining,
            renewal_in: remaining.saturating_sub(self.due_left),
            cache_status,
        }
    }

    fn least_left(&self) -> Duration {
        MIN_LEFT.min(self.whole / 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);
    const HOUR: Duration = Duration::from_hours(1);

    fn at(monotonic: u64, wall: i64) -> Now {
        Now { monotonic: Duration::from_secs(monotonic), wall: NOON + time::Duration::seconds(wall) }
    }

    fn an_hour() -> CachedSession<()> {
        CachedSession::new(Made { session: (), expiration: NOON + HOUR }, at(0, 0), HOUR, at(0, 0), 0.5)
            .unwrap()
    }

    #[test]
    fn an_hour_is_due_at_its_half_and_served_until_five_minutes_are_left() {
        let cached = an_hour();

        assert!(!cached.is_due(at(1799, 1799)));
        assert!(cached.is_due(at(1800, 1800)));
        assert!(cached.is_usable(at(3299, 3299)));
        assert!(!cached.is_usable(at(3300, 3300)));
    }

    #[test]
    fn a_minute_is_served_until_a_third_is_left() {
        let made = Made { session: (), expiration: NOON + Duration::from_mins(1) };
        let cached = CachedSession::new(made, at(0, 0), Duration::from_mins(15), at(0, 0), 0.5).unwrap();

        assert!(cached.is_usable(at(39, 39)));
        assert!(!cached.is_usable(at(40, 40)));
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_a_session() {
        assert_eq!(an_hour().remaining(at(3000, 3000 - 3600)), Duration::from_secs(600));
    }

    #[test]
    fn a_clock_set_forward_shortens_it() {
        assert!(!an_hour().is_usable(at(10, 3600)));
    }

    #[test]
    fn a_clock_that_was_behind_when_it_came_does_not_lengthen_it() {
        let made = Made { session: (), expiration: NOON + HOUR };

        let cached = CachedSession::new(made, at(0, -3602), HOUR, at(2, -3600), 0.5).unwrap();

        assert_eq!(cached.remaining(at(2, -3600)), Duration::from_secs(3598));
    }

    #[test]
    fn a_clock_set_back_during_the_attempt_does_not_lengthen_a_session_that_aws_cut_short() {
        let made = Made { session: (), expiration: NOON + Duration::from_mins(15) };

        let cached = CachedSession::new(made, at(0, 0), HOUR, at(2, -3600), 0.5).unwrap();

        assert_eq!(cached.remaining(at(2, -3600)), Duration::from_secs(15 * 60 - 2));
    }

    proptest! {
        #[test]
        fn no_expiration_or_length_panics_or_outlasts_what_was_asked(
            seconds in -62_000_000_000_i64..253_000_000_000, asked in any::<u64>(), jitter in 0.0..1.0,
        ) {
            let made = Made { session: (), expiration: OffsetDateTime::from_unix_timestamp(seconds).unwrap() };
            let asked = Duration::from_secs(asked);

            if let Some(cached) = CachedSession::new(made, at(0, 0), asked, at(1, 1), jitter) {
                prop_assert!(cached.remaining(at(1, 1)) <= asked);
            }
        }
    }

    #[test]
    fn a_session_that_has_expired_by_our_clock_or_nearly_is_none() {
        let cached = [0, 4, 5].map(|left| {
            let made = Made { session: (), expiration: NOON + Duration::from_secs(left) };
            CachedSession::new(made, at(0, 0), HOUR, at(0, 0), 0.5).is_some()
        });

        assert_eq!(cached, [false, false, true]);
    }
}
