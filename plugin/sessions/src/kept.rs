//! One session and its life: how much is left, when it is due for renewal, when it is no longer served.

use std::time::Duration;

use time::OffsetDateTime;

use crate::flight::Made;
use crate::moment::Moment;
use crate::reply::{Freshness, Grant};

/// A session with less left than this, or than a third of it, is served to nobody: SDKs refresh from five minutes before the end.
const LEAST_LEFT: Duration = Duration::from_mins(5);

/// A session that is shorter when it comes is none: a caller would be back before it has used it, and renewals would follow each
/// other in seconds. Only clocks that differ make one.
const LEAST_WHOLE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Kept<S> {
    session: S,
    whole: Duration,
    /// Its end on the steady clock.
    ends: Duration,
    /// Its end on the wall clock, as the issuer says.
    expiration: OffsetDateTime,
    /// Due for renewal when this much is left.
    due_left: Duration,
}

impl<S: Clone> Kept<S> {
    /// A session of an attempt that began at `started` and asked for `asked`; none when less than five seconds of it are left.
    ///
    /// The issuer counts from after `started`, so `started + asked` is a bound that no clock can move; and its `expiration` is
    /// read against the wall clock of both ends of the attempt, because the clock may have been set in between. `luck` in 0..1
    /// moves the half-life by 10 % either way, so that a fleet does not renew in step.
    pub(crate) fn new(
        made: Made<S>,
        started: Moment,
        asked: Duration,
        now: Moment,
        luck: f64,
    ) -> Option<Self> {
        let told_at = |moment: Moment| Duration::try_from(made.expiration - moment.wall).ok();
        let by_wall = now.steady.saturating_add(told_at(now)?);
        let ends = by_wall.min(started.steady.saturating_add(told_at(started)?.min(asked)));
        let whole = ends.checked_sub(now.steady).filter(|whole| *whole >= LEAST_WHOLE)?;
        let due_left = whole.mul_f64(0.5 * (0.9 + 0.2 * luck));
        Some(Self { session: made.session, whole, ends, expiration: made.expiration, due_left })
    }

    /// By whichever clock says less: the wall clock may have been set back, the steady one may have slept.
    pub(crate) fn remaining(&self, now: Moment) -> Duration {
        let wall = Duration::try_from(self.expiration - now.wall).unwrap_or_default();
        self.ends.saturating_sub(now.steady).min(wall)
    }

    pub(crate) fn is_usable(&self, now: Moment) -> bool {
        self.remaining(now) > self.least_left()
    }

    pub(crate) fn is_due(&self, now: Moment) -> bool {
        self.remaining(now) <= self.due_left
    }

    /// When it becomes due, on the steady clock.
    pub(crate) fn due_at(&self) -> Duration {
        self.ends.saturating_sub(self.due_left)
    }

    /// From when on it is served to nobody, on the steady clock.
    pub(crate) fn dies_at(&self) -> Duration {
        self.ends.saturating_sub(self.least_left())
    }

    /// When it ends, on the steady clock.
    pub(crate) fn ends_at(&self) -> Duration {
        self.ends
    }

    pub(crate) fn whole(&self) -> Duration {
        self.whole
    }

    pub(crate) fn grant<E>(&self, now: Moment, freshness: Freshness<E>) -> Grant<S, E> {
        let remaining = self.remaining(now);
        Grant {
            session: self.session.clone(),
            whole: self.whole,
            remaining,
            renewal_in: remaining.saturating_sub(self.due_left),
            freshness,
        }
    }

    fn least_left(&self) -> Duration {
        LEAST_LEFT.min(self.whole / 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);
    const HOUR: Duration = Duration::from_hours(1);

    fn at(steady: u64, wall: i64) -> Moment {
        Moment { steady: Duration::from_secs(steady), wall: NOON + time::Duration::seconds(wall) }
    }

    fn an_hour() -> Kept<()> {
        Kept::new(Made { session: (), expiration: NOON + HOUR }, at(0, 0), HOUR, at(0, 0), 0.5).unwrap()
    }

    #[test]
    fn an_hour_is_due_at_its_half_and_served_until_five_minutes_are_left() {
        let kept = an_hour();

        assert!(!kept.is_due(at(1799, 1799)));
        assert!(kept.is_due(at(1800, 1800)));
        assert!(kept.is_usable(at(3299, 3299)));
        assert!(!kept.is_usable(at(3300, 3300)));
    }

    #[test]
    fn a_minute_is_served_until_a_third_is_left() {
        let made = Made { session: (), expiration: NOON + Duration::from_mins(1) };
        let kept = Kept::new(made, at(0, 0), Duration::from_mins(15), at(0, 0), 0.5).unwrap();

        assert!(kept.is_usable(at(39, 39)));
        assert!(!kept.is_usable(at(40, 40)));
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

        let kept = Kept::new(made, at(0, -3602), HOUR, at(2, -3600), 0.5).unwrap();

        assert_eq!(kept.remaining(at(2, -3600)), Duration::from_secs(3598));
    }

    #[test]
    fn a_clock_set_back_during_the_attempt_does_not_lengthen_a_session_that_aws_cut_short() {
        let made = Made { session: (), expiration: NOON + Duration::from_mins(15) };

        let kept = Kept::new(made, at(0, 0), HOUR, at(2, -3600), 0.5).unwrap();

        assert_eq!(kept.remaining(at(2, -3600)), Duration::from_secs(15 * 60 - 2));
    }

    proptest! {
        #[test]
        fn no_expiration_or_length_panics_or_outlasts_what_was_asked(
            seconds in -62_000_000_000_i64..253_000_000_000, asked in any::<u64>(), luck in 0.0..1.0,
        ) {
            let made = Made { session: (), expiration: OffsetDateTime::from_unix_timestamp(seconds).unwrap() };
            let asked = Duration::from_secs(asked);

            if let Some(kept) = Kept::new(made, at(0, 0), asked, at(1, 1), luck) {
                prop_assert!(kept.remaining(at(1, 1)) <= asked);
            }
        }
    }

    #[test]
    fn a_session_that_has_expired_by_our_clock_or_nearly_is_none() {
        let kept = [0, 4, 5].map(|left| {
            let made = Made { session: (), expiration: NOON + Duration::from_secs(left) };
            Kept::new(made, at(0, 0), HOUR, at(0, 0), 0.5).is_some()
        });

        assert_eq!(kept, [false, false, true]);
    }
}
