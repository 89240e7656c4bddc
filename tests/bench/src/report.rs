//! The run as Markdown: what each way costs, and ours divided by each peer's.

use std::fmt;
use std::fs;

use harness::Memory;

use crate::crypto::Work;
use crate::growth::{Level, SESSIONS};
use crate::rows::Row;
use crate::settings::Settings;
use crate::usage::Sample;
use crate::world::OURS;

/// What a plugin weighs.
#[derive(Debug)]
pub(crate) struct Footprint {
    pub(crate) name: &'static str,
    /// Of its binary.
    pub(crate) bytes: u64,
    /// Milliseconds from exec to handshake.
    pub(crate) start: f64,
    pub(crate) idle: Memory,
    pub(crate) used: Memory,
}

/// Everything that was measured.
pub(crate) struct Report<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) measured: Vec<(&'a Row, Sample)>,
    pub(crate) footprints: Vec<Footprint>,
    /// Reads of `container` beside ever more cached identities.
    pub(crate) growth: Vec<Level>,
    /// The engine's own work.
    pub(crate) work: Vec<Work>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_method(out)?;
        self.write_rows(out)?;
        self.write_ratios(out)?;
        self.write_footprints(out)?;
        self.write_growth(out)?;
        self.write_work(out)
    }
}

impl Report<'_> {
    fn write_method(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { seconds, rounds, starts, .. } = self.settings;
        writeln!(out, "# Benchmarks\n")?;
        writeln!(
            out,
            "Made by `make bench` on {}. One Vault in memory, one emulated AWS over TLS, `wrk`; {rounds} rounds of all rows, {seconds} s \
             each, of which the median counts. Every answer was a 200 with a credential. Everything, the load too, shares the \
             processors, so rates are those of the whole machine; seconds of processor time are what a way costs.\n",
            machine(),
        )?;
        writeln!(out, "Starts: the median of {starts}. Our limiters are raised to 10,000 a second.\n")
    }

    fn write_rows(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "| way to a credential | AWS takes | connections | requests/s | p50 ms | p99 ms | Vault | plugin | caller | AWS |"
        )?;
        writeln!(out, "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |")?;
        for (row, sample) in &self.measured {
            write_row(out, row.name, row.latency_ms, row.connections, sample)?;
        }
        writeln!(
            out,
            "\nThe last four columns are seconds of processor time per 1,000 requests. `AWS` is the emulator's, which verifies \
             certificates and signatures for Roles Anywhere, and one HMAC for STS: no cost of ours or theirs.\n"
        )
    }

    /// Rate, and processor time of Vault, plugin and caller together.
    fn write_ratios(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "Ours divided by each peer's: requests per second (more is better), then processor time of Vault, plugin and caller (less is better), then p99 (less is better).\n"
        )?;
        writeln!(out, "| ours | peer | AWS takes | rate | processor | p99 | plugin's processor |")?;
        writeln!(out, "| --- | --- | --: | --: | --: | --: | --: |")?;
        for (ours, mine) in &self.measured {
            for (peer, theirs) in self.measured.iter().filter(|(peer, _)| ours.compares_with(peer)) {
                writeln!(
                    out,
                    "| {} | {} | {} ms | {} | {} | {} | {} |",
                    ours.name,
                    peer.name,
                    ours.latency_ms,
                    ratio(mine.rate, theirs.rate),
                    ratio(total(mine), total(theirs)),
                    ratio(mine.p99, theirs.p99),
                    ratio(mine.cost.plugin, theirs.cost.plugin),
                )?;
            }
        }
        writeln!(out)
    }

    fn write_growth(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "\n| engine | cached identities | container reads/s, in turn | p50 ms | p99 ms | Vault | plugin | plugin's memory MB (its own) |"
        )?;
        writeln!(out, "| --- | --: | --: | --: | --: | --: | --: | --: |")?;
        for Level { plugin, identities, sample, memory } in &self.growth {
            writeln!(
                out,
                "| {} | {identities} | {:.1} | {:.1} | {:.1} | {:.2} | {} | {} |",
                plugin.name,
                sample.rate,
                sample.p50,
                sample.p99,
                sample.cost.vault,
                or_dash(sample.cost.plugin),
                shown(*memory),
            )?;
        }
        Ok(())
    }

    fn write_footprints(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "| plugin | binary MB | start to handshake ms | idle MB (its own) | after {SESSIONS} sessions MB (its own) |"
        )?;
        writeln!(out, "| --- | --: | --: | --: | --: |")?;
        for one in &self.footprints {
            writeln!(
                out,
                "| {} | {:.1} | {:.1} | {} | {} |",
                one.name,
                megabytes(one.bytes),
                one.start,
                shown(one.idle),
                shown(one.used)
            )?;
        }
        let (ours, peers): (Vec<_>, Vec<_>) = self.footprints.iter().partition(|one| one.name == OURS.name);
        for (mine, theirs) in ours.iter().flat_map(|mine| peers.iter().map(move |theirs| (mine, theirs))) {
            writeln!(
                out,
                "| ours ÷ {} | {} | {} | {} ({}) | {} ({}) |",
                theirs.name,
                ratio(megabytes(mine.bytes), megabytes(theirs.bytes)),
                ratio(mine.start, theirs.start),
                ratio(megabytes(mine.idle.resident), megabytes(theirs.idle.resident)),
                ratio(megabytes(mine.idle.anonymous), megabytes(theirs.idle.anonymous)),
                ratio(megabytes(mine.used.resident), megabytes(theirs.used.resident)),
                ratio(megabytes(mine.used.anonymous), megabytes(theirs.used.anonymous)),
            )?;
        }
        writeln!(
            out,
            "\nMemory is what is resident; in brackets what is the process's own, without the mapped binary. After {SESSIONS} sessions \
             ours still holds all of them, each of an identity of its own; the Go plugins hold none."
        )
    }
}

impl Report<'_> {
    fn write_work(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "\n| work for a session that is not cached | µs |\n| --- | --: |")?;
        for Work { name, micros } in &self.work {
            writeln!(out, "| {name} | {micros:.1} |")?;
        }
        if let [.., needed, whole] = &self.work[..] {
            writeln!(out, "| the engine ÷ bare P-256 | {} |", ratio(whole.micros, needed.micros))?;
        }
        Ok(())
    }
}

fn write_row(
    out: &mut fmt::Formatter<'_>,
    name: &str,
    latency_ms: u64,
    connections: u32,
    sample: &Sample,
) -> fmt::Result {
    let cost = sample.cost;
    writeln!(
        out,
        "| {name} | {latency_ms} ms | {connections} | {:.1} | {:.1} | {:.1} | {:.2} | {} | {} | {:.2} |",
        sample.rate,
        sample.p50,
        sample.p99,
        cost.vault,
        or_dash(cost.plugin),
        or_dash(cost.client),
        cost.aws,
    )
}

/// All that a caller and its Vault pay for.
pub(crate) fn total(sample: &Sample) -> f64 {
    sample.cost.vault + sample.cost.plugin + sample.cost.client
}

pub(crate) fn or_dash(seconds: f64) -> String {
    if seconds > 0.0 { format!("{seconds:.3}") } else { "–".to_owned() }
}

pub(crate) fn ratio(ours: f64, theirs: f64) -> String {
    if ours > 0.0 && theirs > 0.0 { format!("{:.2}", ours / theirs) } else { "–".to_owned() }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files and processes")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn shown(memory: Memory) -> String {
    let of = |kibibytes| megabytes(kibibytes * 1024);
    format!("{:.1} ({:.1})", of(memory.resident), of(memory.anonymous))
}

/// Processors by number and model.
pub(crate) fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let count = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    format!("{count} processors ({})", model.unwrap_or("of unknown model"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_to_what_was_not_measured_is_a_dash() {
        assert_eq!(ratio(1.0, 2.0), "0.50");
        assert_eq!(ratio(1.0, 0.0), "–");
        assert_eq!(ratio(1.0, f64::NAN), "–");
    }
}
