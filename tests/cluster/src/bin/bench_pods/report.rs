//! The table of a run, and where a page quotes it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::way::{Measured, Start};

const BEGIN: &str = "<!-- bench-pods -->\n";
const END: &str = "<!-- /bench-pods -->";

/// Three times sooner.
const THIRD: f64 = 1.0 / 3.0;

/// A row: what was measured, of each way, in one unit, and what the ratio of the two should be.
struct Row {
    what: &'static str,
    sidecars: f64,
    agent: f64,
    goal: Goal,
}

enum Goal {
    /// No goal was set.
    None,
    /// Node agent to sidecars, at most.
    Ratio(f64),
    /// The node agent's own value, at most.
    Value(f64),
}

/// The Markdown of both ways side by side.
pub(crate) fn table(pods: usize, sidecars: &Measured, agent: &Measured) -> String {
    let mut text = format!(
        "{pods} pods on one node with {} cores, one run, first with a sidecar each and then with the node agent:\n\n\
         | of those who serve the pods | sidecars | node agent | node agent ÷ sidecars | goal |\n\
         | --- | --: | --: | --: | --- |\n",
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    for row in rows(sidecars, agent) {
        let ratio = row.agent / row.sidecars;
        let (goal, is_met) = match row.goal {
            Goal::None => (String::new(), None),
            Goal::Ratio(most) => (format!("ratio ≤ {}", number(most)), Some(ratio <= most)),
            Goal::Value(most) => (format!("≤ {}", number(most)), Some(row.agent <= most)),
        };
        let met = is_met.map_or("", |is_met| if is_met { ": met" } else { ": **missed**" });
        let (one, other) = (number(row.sidecars), number(row.agent));
        // a text takes any write
        let _written = writeln!(text, "| {} | {one} | {other} | {} | {goal}{met} |", row.what, number(ratio));
    }
    text
}

fn rows(sidecars: &Measured, agent: &Measured) -> Vec<Row> {
    let row = |what, value: fn(&Measured) -> f64, goal| Row {
        what,
        sidecars: value(sidecars),
        agent: value(agent),
        goal,
    };
    vec![
        row("private memory, MB", |way| float(way.memory.private) / 1e6, Goal::Ratio(0.01)),
        row("processor requested, cores", |way| float(way.requested) / 1e3, Goal::None),
        row("processor at rest, ms in a minute", |way| milliseconds(way.at_rest), Goal::Ratio(0.1)),
        row(
            "processor while each pod reads once a second for 45 s, ms",
            |way| milliseconds(way.reading),
            Goal::None,
        ),
        row("logins at Vault until all had credentials", |way| float(way.logins), Goal::None),
        row("logins at Vault while they read", |way| float(way.logins_reading), Goal::None),
        row(
            "seconds from `kubectl apply` to credentials, one pod alone, median",
            |way| credentials(&way.alone),
            Goal::Ratio(THIRD),
        ),
        row("of these until the application runs", |way| application(&way.alone), Goal::None),
        row("the same, all pods at once, median", |way| credentials(&way.together), Goal::Ratio(THIRD)),
        row("of these until the application runs", |way| application(&way.together), Goal::None),
        row("a fetch, p50, ms", |way| milliseconds(percentile(&way.reads, 50)), Goal::None),
        row("a fetch, p99, ms", |way| milliseconds(percentile(&way.reads, 99)), Goal::Value(2.0)),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and then good enough for a table")]
fn float(number: u64) -> f64 {
    number as f64
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn credentials(starts: &[Start]) -> f64 {
    median(starts.iter().map(|start| start.credentials))
}

fn application(starts: &[Start]) -> f64 {
    median(starts.iter().map(|start| start.application))
}

/// In seconds.
fn median(durations: impl Iterator<Item = Duration>) -> f64 {
    let mut sorted: Vec<_> = durations.collect();
    sorted.sort_unstable();
    percentile(&sorted, 50).as_secs_f64()
}

/// The nearest rank of sorted values.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Two digits that say something, and not more than two behind the point that do not.
fn number(value: f64) -> String {
    match value {
        value if !value.is_finite() => "–".to_owned(),
        value if value >= 10.0 => format!("{value:.0}"),
        value if value >= 1.0 || value == 0.0 => format!("{value:.1}"),
        value if value >= 0.1 => format!("{value:.2}"),
        value => format!("{value:.4}"),
    }
}

/// Puts the table between the two markers of a page.
///
/// # Panics
/// When the page cannot be read or written, or lacks a marker.
pub(crate) fn write_into(page: &Path, table: &str) {
    let text = fs::read_to_string(page).expect("the page that quotes the run");
    let (before, rest) = text.split_once(BEGIN).expect("the first marker");
    let (_, after) = rest.split_once(END).expect("the second marker");
    fs::write(page, format!("{before}{BEGIN}{table}{END}{after}")).expect("the page is writable");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();

        assert_eq!(percentile(&sorted, 50), Duration::from_millis(100));
        assert_eq!(percentile(&sorted, 99), Duration::from_millis(198));
        assert_eq!(percentile(&sorted[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn a_number_keeps_the_digits_that_say_something() {
        let texts = [123.4, 9.87, 0.456, 0.0123, 0.0, f64::NAN].map(number);

        assert_eq!(texts, ["123", "9.9", "0.46", "0.0123", "0.0", "–"]);
    }
}
