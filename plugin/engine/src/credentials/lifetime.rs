//! How long Vault may lease a session, and when a session has too little time left to be handed out.
//!
//! The lease is shorter than the session, because Vault Agent must replace the session in time. Agent fetches a leased secret
//! again at 85 to 95 % of its lease, and botocore starts to refresh 15 minutes before a session ends. A lease as long as the
//! session would leave three minutes of an hour.

use std::time::Duration;

use rolesanywhere::{Session, SessionDuration};
use time::OffsetDateTime;

/// The margin between the end of a lease and the end of a session between 10 and 20 minutes long.
const DEFAULT_MARGIN: Duration = Duration::from_mins(5);
/// Vault turns a lease of zero or less into its own default of 32 days.
const MIN_LEASE: Duration = Duration::from_secs(1);

/// The lease for a session of `whole` that has `remaining` left.
///
/// `max(remaining − margin, remaining / 2)` where `margin = max(min(300 s, whole / 2), whole / 4)`, and at least
/// [`MIN_LEASE`].
pub(crate) fn lease(whole: Duration, remaining: Duration) -> Duration {
    let margin = DEFAULT_MARGIN.min(whole / 2).max(whole / 4);
    remaining.saturating_sub(margin).max(remaining / 2).max(MIN_LEASE)
}

/// Half of a session of `whole`, in seconds, rounded, and at least one. The engine makes the next session at that age, ten
/// percent sooner or later.
pub(crate) fn rotation_period(whole: Duration) -> u64 {
    (whole / 2 + Duration::from_millis(500)).as_secs().max(1)
}

/// The seconds until a static answer should be read again, rounded up, and at least one: until its renewal, which is due in
/// `renewal_in`. An answer whose renewal is overdue should be read again after [`OVERDUE`], or after half of `remaining` if that
/// is sooner.
pub(crate) fn until_renewal(renewal_in: Duration, remaining: Duration) -> u64 {
    let wait = if renewal_in.is_zero() { OVERDUE.min(remaining / 2) } else { renewal_in };
    wait.saturating_add(Duration::from_nanos(999_999_999)).as_secs().max(1)
}

/// How soon an answer is read again whose session could not be renewed: half a minute.
const OVERDUE: Duration = Duration::from_secs(30);

/// The shortest time that a session must have left in any case. A caller with less would have to read the next one at once.
const MIN_USEFUL: Duration = Duration::from_secs(5);
/// SDKs treat a session as expired when less than this is left.
const REFRESH_WINDOW: Duration = Duration::from_mins(5);

/// Whether a session of `whole` that has `remaining` left may be handed out. It must have more than five minutes left, or more
/// than a third if it is shorter than a quarter of an hour, and at least five seconds in any case.
///
/// A fresh session is shorter than its profile says only if the clocks differ.
pub(crate) fn is_useful(whole: Duration, remaining: Duration) -> bool {
    remaining >= MIN_USEFUL && remaining > REFRESH_WINDOW.min(whole / 3)
}

/// The end of a hop's session that STS ends at `hop`, and whose hub has `remaining` left `now`: the earlier of the two, to the second.
pub(crate) fn earliest(hop: OffsetDateTime, now: OffsetDateTime, remaining: Duration) -> OffsetDateTime {
    let hub = now.checked_add(remaining.try_into().unwrap_or(time::Duration::MAX)).unwrap_or(hop);
    let ends = hop.min(hub);
    ends.replace_nanosecond(0).unwrap_or(ends)
}

/// The seconds by which a session may be shorter than requested and still count as whole, because AWS dates it before it answers.
const TOLERANCE: i64 = 30;

/// The seconds, by AWS's own clock, of a session that AWS made shorter than `asked`; none if it is as long, within [`TOLERANCE`].
/// `arrived` is this host's time, for an AWS that told no time.
pub(crate) fn given_instead(
    session: &Session,
    arrived: OffsetDateTime,
    asked: SessionDuration,
) -> Option<i64> {
    let given = session.length(arrived).whole_seconds();
    (given + TOLERANCE < i64::from(asked.as_secs())).then_some(given)
}

/// The warning for a session that AWS made shorter than `asked`; none if it is as long.
pub(crate) fn cut_short(
    session: &Session,
    arrived: OffsetDateTime,
    asked: SessionDuration,
) -> Option<String> {
    let given = given_instead(session, arrived, asked)?;
    Some(format!(
        "AWS returned a session of {given} s instead of {asked} s, because the profile's durationSeconds is shorter"
    ))
}

/// The warning if this host's clock is far from AWS's; none if they are in sync, or if AWS told no time. The times in an answer
/// are this host's, and callers compare them with their own clocks.
pub(crate) fn clock(session: &Session, arrived: OffsetDateTime) -> Option<String> {
    let skew = session.clock_skew(arrived)?;
    Some(format!("{skew}, so the times in this answer are off by as much; set the clock of Vault's node"))
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
