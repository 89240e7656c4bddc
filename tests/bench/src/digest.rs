//! What docs/operate/fleets-and-quotas.md quotes of a run: written between its two markers, never by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::report::{Footprint, Report, machine, megabytes, or_dash, ratio, total};
use crate::rows::{FAR, FLOOR, Row, STS};
use crate::usage::Sample;
use crate::world::{FIXED, OURS};

const BEGIN: &str = "<!-- bench -->\n";
const END: &str = "<!-- /bench -->";

/// Puts the digest of `report` into the file.
///
/// # Panics
/// When it cannot be read or written, or lacks a marker.
pub(crate) fn write_into(file: &Path, report: &Report<'_>) {
    let text = fs::read_to_string(file).expect("the file that quotes the run");
    fs::write(file, with_digest(&text, &digest(report))).expect("the file that quotes the run is writable");
}

/// The text with this digest between its two markers.
fn with_digest(text: &str, digest: &str) -> String {
    let (before, rest) = text.split_once(BEGIN).expect("the first marker");
    let (_, after) = rest.split_once(END).expect("the second marker");
    format!("{before}{BEGIN}{digest}{END}{after}")
}

fn digest(report: &Report<'_>) -> String {
    let mut text = format!(
        "On {}, {} rounds of {} s a row, the medians:\n\n{}",
        machine(),
        report.settings.rounds,
        report.settings.seconds,
        "| AWS takes 150 ms | connections | requests/s | p50 ms | Vault, plugin and caller: processor s per 1,000 requests | plugin alone |\n\
         | --- | --: | --: | --: | --: | --: |\n"
    );
    for (row, sample) in report.measured.iter().filter(|(row, _)| row.latency_ms == FAR) {
        let (name, connections) = (row.name, row.connections);
        let (all, plugin) = (total(sample), or_dash(sample.cost.plugin));
        let _ = writeln!(
            text,
            "| {name} | {connections} | {:.1} | {:.1} | {all:.2} | {plugin} |",
            sample.rate, sample.p50
        );
    }
    text.push_str("\n| ours ÷ peer, an AWS that answers at once | rate | processor | plugin's processor |\n| --- | --: | --: | --: |\n");
    for (ours, peer) in pairs(&report.measured) {
        let _ = writeln!(text, "{}", compared(ours, peer));
    }
    text.push_str("\n| ours ÷ the Go plugin with a fixed answer | binary | idle memory | start to handshake |\n| --- | --: | --: | --: |\n");
    text.push_str(&weighed(&report.footprints));
    text
}

type Measured<'a, 'b> = &'b (&'a Row, Sample);

/// The peers of the goals: Vault's own `aws/sts`, and the least that an external plugin can be.
fn pairs<'a, 'b>(
    measured: &'b [(&'a Row, Sample)],
) -> impl Iterator<Item = (Measured<'a, 'b>, Measured<'a, 'b>)> {
    let near = move || measured.iter().filter(|(row, _)| row.latency_ms == 0);
    near().flat_map(move |ours| {
        let peers = near().filter(|(peer, _)| ours.0.compares_with(peer));
        peers.filter(|(peer, _)| peer.name == FLOOR || peer.name == STS).map(move |peer| (ours, peer))
    })
}

fn compared((ours, mine): Measured<'_, '_>, (peer, theirs): Measured<'_, '_>) -> String {
    let (rate, all) = (ratio(mine.rate, theirs.rate), ratio(total(mine), total(theirs)));
    let plugin = ratio(mine.cost.plugin, theirs.cost.plugin);
    format!("| {} ÷ {} | {rate} | {all} | {plugin} |", ours.name, peer.name)
}

fn weighed(footprints: &[Footprint]) -> String {
    let of = |name: &str| footprints.iter().find(|one| one.name == name);
    let (Some(mine), Some(theirs)) = (of(OURS.name), of(FIXED.name)) else { return String::new() };
    let (binary, start) =
        (ratio(megabytes(mine.bytes), megabytes(theirs.bytes)), ratio(mine.start, theirs.start));
    let idle = ratio(megabytes(mine.idle.resident), megabytes(theirs.idle.resident));
    format!(
        "| {:.1} MB, {:.1} MB | {binary} | {idle} | {start} |\n",
        megabytes(mine.bytes),
        megabytes(mine.idle.resident * 1024)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Cost;
    use harness::Memory;

    #[test]
    fn what_stands_between_the_markers_is_replaced_and_nothing_else() {
        let text = "a\n<!-- bench -->\nold\n<!-- /bench -->\nb\n";

        assert_eq!(with_digest(text, "new\n"), "a\n<!-- bench -->\nnew\n<!-- /bench -->\nb\n");
    }

    #[test]
    fn a_row_is_compared_with_the_peers_of_the_goals_only() {
        let rows = crate::rows::all(false);
        let sample = Sample {
            rate: 10.0,
            p50: 1.0,
            p99: 1.0,
            cost: Cost { vault: 0.5, plugin: 0.1, ..Cost::default() },
        };
        let measured: Vec<_> = rows.iter().map(|row| (row, sample)).collect();

        let lines: Vec<String> = pairs(&measured).map(|(ours, peer)| compared(ours, peer)).collect();

        assert!(
            lines.contains(&format!("| iamra/creds, not shared ÷ {STS} | 1.00 | 1.00 | 1.00 |")),
            "{lines:?}"
        );
        assert!(lines.contains(&format!("| iamra/container ÷ {FLOOR} | 1.00 | 1.00 | 1.00 |")), "{lines:?}");
        assert!(lines.iter().all(|line| line.contains(STS) || line.contains(FLOOR)), "{lines:?}");
    }

    #[test]
    fn weights_are_ours_divided_by_the_fixed_answers() {
        let memory = |resident| Memory { resident, peak: resident, anonymous: 1 };
        let one = |name, bytes, start, resident| Footprint {
            name,
            bytes,
            start,
            idle: memory(resident),
            used: memory(1),
        };

        let line =
            weighed(&[one(OURS.name, 10_000_000, 1.0, 10_000), one(FIXED.name, 20_000_000, 10.0, 40_000)]);

        assert_eq!(line, "| 10.0 MB, 10.2 MB | 0.50 | 0.25 | 0.10 |\n");
    }
}
