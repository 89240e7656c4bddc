//! Smaller fleets of the same stories, as a test.

use std::time::Duration;

use sessions::{Limits, Renewal};
use simulation::measure::Measured;
use simulation::run::Run;
use simulation::scenario::{Content, Rewrites, Scenario};

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
