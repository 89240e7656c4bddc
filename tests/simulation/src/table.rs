//! The results as text.

use std::fmt::Write as _;
use std::time::Duration;

use crate::issuer::Issuer;
use crate::measure::Measured;
use crate::run::Finished;
use crate::scenario::{DAY, Scenario};

/// One line for each scenario, in two tables: AWS's side and the pods' side.
pub fn tables(results: &[(Scenario, Finished)]) -> String {
    let mut text = String::new();
    line(
        &mut text,
        [
            "CreateSession",
            "requests",
            "per s, mean",
            "busiest s",
            "quota",
            "throttled",
            "asks",
            "waited",
            "stale",
        ],
    );
    for (scenario, done) in results {
        let requests = done.issuer.requests.len();
        let mean = float(requests) / scenario.horizon.as_secs_f64();
        line(
            &mut text,
            [
                scenario.name,
                &requests.to_string(),
                &format!("{mean:.2}"),
                &done.issuer.busiest_second().to_string(),
                &scenario.quota.to_string(),
                &done.issuer.throttled.to_string(),
                &done.measured.asks.to_string(),
                &done.measured.waits.len().to_string(),
                &done.measured.stale.to_string(),
            ],
        );
    }
    text.push('\n');
    line(
        &mut text,
        ["pods", "first p50", "first p99", "first last", "denied", "expired", "lapsed", "p50", "absences"],
    );
    for (scenario, done) in results {
        let Measured { first, denied, expired, lapses, lapses_while_away, .. } = &done.measured;
        line(
            &mut text,
            [
                scenario.name,
                &seconds(Measured::percentile(first, 50)),
                &seconds(Measured::percentile(first, 99)),
                &seconds(Measured::percentile(first, 100)),
                &denied.to_string(),
                &expired.to_string(),
                &lapses.len().to_string(),
                &seconds(Measured::percentile(lapses, 50)),
                &lapses_while_away.len().to_string(),
            ],
        );
    }
    text.push('\n');
    chained(&mut text, results);
    text.push_str(LEGEND);
    text
}

/// What role chaining costs, beside the same day without it.
fn chained(text: &mut String, results: &[(Scenario, Finished)]) {
    line(
        text,
        [
            "role chaining",
            "hubs of",
            "Create",
            "per s, mean",
            "busiest s",
            "Assume",
            "per s, mean",
            "busiest s",
            "throttled",
        ],
    );
    let days = results.iter().filter(|(scenario, _)| scenario.horizon == DAY);
    for (scenario, done) in days {
        let per_second = |requests: usize| format!("{:.2}", float(requests) / scenario.horizon.as_secs_f64());
        let sts = |of: fn(&Issuer) -> String| done.sts.as_ref().map_or_else(|| "–".to_owned(), of);
        let assumed = done.sts.as_ref().map_or(0, |sts| sts.requests.len());
        line(
            text,
            [
                scenario.name,
                &format!("{} h", scenario.duration.as_secs() / 3600),
                &done.issuer.requests.len().to_string(),
                &per_second(done.issuer.requests.len()),
                &done.issuer.busiest_second().to_string(),
                &assumed.to_string(),
                &per_second(assumed),
                &sts(|sts| sts.busiest_second().to_string()),
                &sts(|sts| sts.throttled.to_string()),
            ],
        );
    }
}

const LEGEND: &str = "
busiest s: the most requests in any one second, wherever it begins. Create: CreateSession. Assume: AssumeRole, sessions of an hour.
first: from a pod's start to its first credentials. denied: answers without a session; the pod backs off and asks again.
expired: answers with a session that had ended.
lapsed: times a pod's credentials ended before it had new ones, and for how long (p50), though it could have been answered.
absences: the same, where AWS or Vault was away for all but the pod's longest back-off since it had begun to ask.
";

fn line(text: &mut String, cells: [&str; 9]) {
    let [name, rest @ ..] = cells;
    let _ = write!(text, "{name:<34}");
    for cell in rest {
        let _ = write!(text, "{cell:>12}");
    }
    text.push('\n');
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

/// Exact for every count in a simulation.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
