//! Smaller fleets of the same stories, as a test.

use std::time::Duration;

use sessions::{Limits, Renewal};
use simulation::measure::Measured;
use simulation::run::Run;
use simulation::scenario::{Content, DAY, Hops, Rewrites, Scenario};

/// Two thousand pods, an hour and a half.
fn fleet() -> Scenario {
    Scenario { pods: 2_000, horizon: Duration::from_mins(90), ..Scenario::start_of_ten_thousand() }
}

fn away(minutes: u64) -> Scenario {
    let from = Duration::from_mins(52);
    Scenario { away: vec![from..from + Duration::from_mins(minutes)], ..fleet() }
}

#[test]
fn a_fleet_that_starts_at_once_is_served_at_the_rate_and_keeps_every_promise() {
    let scenario = fleet();

    let finished = Run::play(&scenario);

    let last = Measured::percentile(&finished.measured.first, 100);
    assert_eq!(finished.broken_promises(&scenario), [""; 0]);
    assert_eq!(finished.measured.first.len(), 2_000);
    assert!(last < Duration::from_secs(2_000 / 8 + 60), "{last:?}");
}

#[test]
fn ten_minutes_without_aws_leave_no_pod_without_credentials() {
    let scenario = away(10);

    let finished = Run::play(&scenario);

    assert_eq!(finished.broken_promises(&scenario), [""; 0]);
    assert!(finished.measured.lapses_while_away.is_empty());
}

#[test]
fn without_renewal_ahead_sdks_that_come_late_would_be_left_without() {
    let limits = Limits { renewal: Renewal::OnAsk, ..Limits::default() };
    let scenario = Scenario { limits, ..away(10) };

    let finished = Run::play(&scenario);

    assert!(finished.measured.lapses_while_away.len() > 100);
    assert_eq!(finished.measured.expired, 0);
}

#[test]
fn an_identical_rewrite_of_every_role_costs_nothing() {
    let rewrites = Some(Rewrites { every: Duration::from_mins(5), content: Content::Same });
    let (plain, rewritten) = (fleet(), Scenario { rewrites, ..fleet() });

    let (plain, rewritten) = (Run::play(&plain), Run::play(&rewritten));

    assert_eq!(plain.issuer.requests, rewritten.issuer.requests);
}

#[test]
fn a_run_is_the_same_each_time() {
    let scenario = Scenario { pods: 200, ..fleet() };

    assert_eq!(Run::play(&scenario).issuer.requests, Run::play(&scenario).issuer.requests);
}

#[test]
fn hubs_of_twelve_hours_with_hops_of_an_hour_need_a_ninth_of_the_create_session_calls() {
    let day = Scenario { pods: 200, horizon: DAY, ..fleet() };
    let hops = Some(Hops::of_an_hour());
    let chained = Scenario { hops, duration: Duration::from_hours(12), ..day.clone() };

    let (plain, chained_run) = (Run::play(&day), Run::play(&chained));

    assert_eq!(chained_run.broken_promises(&chained), [""; 0]);
    let (of_hubs, of_sessions) = (chained_run.issuer.requests.len(), plain.issuer.requests.len());
    assert!(9 * of_hubs < of_sessions, "{of_hubs} and {of_sessions}");
    assert!(chained_run.sts.is_some_and(|sts| sts.requests.len() > of_sessions * 8 / 10));
}

#[test]
fn hubs_of_twelve_hours_carry_hops_over_a_roles_anywhere_that_is_away() {
    let away = vec![Duration::from_hours(3)..Duration::from_hours(8)];
    let scenario = Scenario {
        pods: 200,
        horizon: Duration::from_hours(9),
        duration: Duration::from_hours(12),
        hops: Some(Hops::of_an_hour()),
        away,
        ..fleet()
    };

    let finished = Run::play(&scenario);

    assert_eq!(finished.broken_promises(&scenario), [""; 0]);
    assert!(finished.measured.lapses_while_away.is_empty());
}
