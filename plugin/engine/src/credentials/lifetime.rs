//! How long Vault may lease a session, which is shorter than the session itself so that Vault Agent replaces it in time, and
//! when a session has too little left to be handed out at all.
//!
//! Agent fetches a leased secret again at 85 to 95 % of its lease, and botocore starts to refresh 15 minutes before a
//! session ends. A lease as long as the session would leave three minutes of an hour.

use std::time::Duration;

use rolesanywhere::{Session, SessionDuration};
use time::OffsetDateTime;

const DEFAULT_MARGIN: Duration = Duration::from_mins(5);
const MIN_LEASE: Duration = Duration::from_secs(1);

/// The lease for a session of `whole` that has `remaining` left.
///
/// `max(remaining − margin, remaining / 2)` where `margin = max(min(300 s, whole / 2), whole / 4)`, and never under one
/// second: Vault turns a lease of zero or less into its own default of 32 days.
pub(crate) fn lease(whole: Duration, remaining: Duration) -> Duration {
    let margin = DEFAULT_MARGIN.min(whole / 2).max(whole / 4);
    remaining.saturating_sub(margin).max(remaining / 2).max(MIN_LEASE)
}

/// Half of a session of `whole`, in seconds: when the engine makes the next one, ten percent sooner or later.
pub(crate) fn rotation_period(whole: Duration) -> u64 {
    (whole / 2 + Duration::from_millis(500)).as_secs().max(1)
}

/// When to read a static answer again, in seconds, never zero: once a renewal is due in `renewal_in`. An answer that could not be
/// renewed is asked for again every half minute, or sooner when little is left of it.
pub(crate) fn until_renewal(renewal_in: Duration, remaining: Duration) -> u64 {
    let wait = if renewal_in.is_zero() { OVERDUE.min(remaining / 2) } else { renewal_in };
    wait.saturating_add(Duration::from_nanos(999_999_999)).as_secs().max(1)
}

const OVERDUE: Duration = Duration::from_secs(30);

/// What must be left of a session in any case: under it, whoever gets it is busy with the next read already.
const MIN_USEFUL: Duration = Duration::from_secs(5);
/// SDKs take a session as good as over when less than this is left.
const REFRESH_WINDOW: Duration = Duration::from_mins(5);

/// Whether a session of `whole` that has `remaining` left may be handed out: more than five minutes, or more than a third of a
/// session that is shorter than a quarter of an hour, and five seconds at the very least.
///
/// A fresh session is shorter than its profile says only when the clocks differ.
pub(crate) fn is_useful(whole: Duration, remaining: Duration) -> bool {
    remaining >= MIN_USEFUL && remaining > REFRESH_WINDOW.min(whole / 3)
}

/// AWS dates a session before it answers; a few seconds are no clamp.
const TOLERANCE: i64 = 30;

/// The seconds of a session that AWS gave where it did not give all that were `asked`, by its own clock.
pub(crate) fn given_instead(
    session: &Session,
    arrived: OffsetDateTime,
    asked: SessionDuration,
) -> Option<i64> {
    let given = session.length(arrived).whole_seconds();
    (given + TOLERANCE < i64::from(asked.as_secs())).then_some(given)
}

/// What is to be said of a session that AWS cut short.
pub(crate) fn cut_short(
    session: &Session,
    arrived: OffsetDateTime,
    asked: SessionDuration,
) -> Option<String> {
    let given = given_instead(session, arrived, asked)?;
    Some(format!(
        "AWS gave a session of {given} s where {asked} s were asked for: the profile's durationSeconds is shorter"
    ))
}

/// What is to be said of this host's clock, if it is far from AWS's: callers go by theirs.
pub(crate) fn clock(session: &Session, arrived: OffsetDateTime) -> Option<String> {
    let skew = session.clock_skew(arrived)?;
    Some(format!("{skew}, so that times here are off by as much; set the clock of Vault's node"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_fresh_hour_is_leased_for_three_quarters_of_it() {
        assert_eq!(lease(seconds(3600), seconds(3600)), seconds(2700));
    }

    #[test]
    fn a_fresh_quarter_of_an_hour_keeps_five_minutes_in_hand() {
        assert_eq!(lease(seconds(900), seconds(900)), seconds(600));
    }

    #[test]
    fn a_session_of_a_minute_is_leased_for_half_of_it() {
        assert_eq!(lease(seconds(60), seconds(60)), seconds(30));
    }

    #[test]
    fn a_session_is_useful_until_its_last_five_minutes() {
        assert!(is_useful(seconds(3600), seconds(301)));
        assert!(!is_useful(seconds(3600), seconds(300)));
    }

    #[test]
    fn a_short_session_is_useful_until_its_last_third() {
        assert!(is_useful(seconds(60), seconds(21)));
        assert!(!is_useful(seconds(60), seconds(20)));
    }

    #[test]
    fn a_session_that_is_over_or_nearly_so_is_of_no_use_however_short_it_was() {
        assert!(!is_useful(seconds(0), seconds(0)));
        assert!(!is_useful(seconds(4), seconds(4)));
        assert!(is_useful(seconds(5), seconds(5)));
    }

    #[test]
    fn a_static_answer_is_read_again_when_its_session_is_renewed() {
        assert_eq!(
            (rotation_period(seconds(3600)), until_renewal(seconds(1700), seconds(3500))),
            (1800, 1700)
        );
    }

    #[test]
    fn a_static_answer_that_is_overdue_is_read_again_soon_and_never_at_once() {
        assert_eq!(until_renewal(seconds(0), seconds(1200)), 30);
        assert_eq!(until_renewal(seconds(0), seconds(20)), 10);
        assert_eq!(until_renewal(seconds(0), seconds(1)), 1);
        assert_eq!(until_renewal(Duration::from_millis(200), seconds(1000)), 1);
    }

    proptest! {
        #[test]
        fn a_fresh_session_of_any_length_that_a_profile_can_give_is_useful(whole in 5_u64..=43_200) {
            prop_assert!(is_useful(seconds(whole), seconds(whole)));
        }

        #[test]
        fn a_session_never_becomes_useful_again(whole in 1_u64..=43_200, left in 1_u64..=43_200) {
            let at = |left| is_useful(seconds(whole), seconds(left));

            prop_assert!(at(left) || !at(left - 1));
        }

        #[test]
        fn a_lease_is_at_least_a_second_and_ends_within_the_session(
            whole in 2_u64..=43_200, age_percent in 0_u64..=99,
        ) {
            let left = (whole - whole * age_percent / 100).max(1);

            let lease = lease(seconds(whole), seconds(left));

            prop_assert!(lease >= MIN_LEASE);
            prop_assert!(lease <= seconds(left));
        }

        #[test]
        fn agent_replaces_a_fresh_hour_or_more_inside_botocores_advisory_window_or_before(whole in 3_600_u64..=43_200) {
            let latest_refetch = lease(seconds(whole), seconds(whole)).mul_f64(0.95);

            prop_assert!(latest_refetch + seconds(15 * 60) <= seconds(whole));
        }
    }
}
