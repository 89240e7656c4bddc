//! The benchmarks: what a credential costs here and what it costs with the things people use today, in one run on one Vault.
//!
//! ```text
//! world.rs ──▶ one Vault with every engine mounted, beside aws.rs, one release emulator over TLS
//! rows.rs  ──▶ what is measured: a request each, and whose processes do the work
//!   load.rs     wrk sends it, load.lua counts every answer that is not a 200
//!   pods.rs     the seed's path: a process per pod, pod.py
//!   usage.rs    processor time and memory from /proc
//! growth.rs ──▶ memory after 10,000 sessions, and a read beside so many
//! starts.rs ──▶ from exec to go-plugin's handshake line
//! crypto.rs ──▶ what criterion measured of the engine's own work
//! report.rs ──▶ medians, ratios, Markdown; digest.rs, what docs/operate/fleets-and-quotas.md quotes of it
//! ```
//! Nothing here asserts a time. Every answer is checked: a run in which anything but a session came back is no run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a run in which anything fails is no run")]

mod aws;
mod crypto;
mod digest;
mod growth;
mod load;
mod pods;
mod report;
mod rows;
mod settings;
mod starts;
mod usage;
mod world;

use std::fs;
use std::io::Write;
use std::process::ExitCode;

use report::{Footprint, Report};
use rows::Row;
use settings::Settings;
use usage::Sample;
use world::World;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Settings::parse(std::env::args().skip(1)) {
        Ok(settings) => {
            run(&settings).await;
            ExitCode::SUCCESS
        }
        Err(usage) => {
            say(&usage);
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) {
    let world = World::start(settings).await;
    let rows = rows::all(settings.earlier.is_some());
    for row in &rows {
        row.check(&world).await;
    }
    let idle: Vec<_> = settings.plugins().map(|plugin| (plugin, world.memory(plugin))).collect();
    let measured = measure_all(&world, &rows, settings).await;
    world.latency(0).await;
    let growth = growth::levels(&world, settings);
    let mut footprints = Vec::new();
    for (plugin, idle) in idle {
        let used = growth::memory_after(&world, plugin, &growth);
        footprints.push(Footprint {
            name: plugin.name,
            bytes: fs::metadata(settings.binary(plugin)).expect("it was registered").len(),
            start: starts::median_of(&settings.binary(plugin), settings.starts),
            idle,
            used,
        });
    }
    let work = crypto::read(&settings.criterion);
    let report = Report { settings, measured, footprints, growth, work };
    let markdown = report.to_string();
    say(&markdown);
    fs::write(&settings.out, markdown).expect("the report can be written");
    if let Some(page) = &settings.digest {
        digest::write_into(page, &report);
    }
}

/// All rows in each round, and of each row the median.
async fn measure_all<'a>(world: &World, rows: &'a [Row], settings: &Settings) -> Vec<(&'a Row, Sample)> {
    let mut samples: Vec<Vec<Sample>> = rows.iter().map(|_| Vec::new()).collect();
    for round in 1..=settings.rounds {
        for (row, samples) in there_and_back(round, rows.iter().zip(&mut samples)) {
            world.latency(row.latency_ms).await;
            let sample = row.measure(world, settings.seconds);
            say(&format!("round {round}: {}, {}", row.title(), sample.brief()));
            samples.push(sample);
        }
    }
    rows.iter().zip(samples).map(|(row, samples)| (row, Sample::median(&samples))).collect()
}

/// Every other round the other way round: Vault's heap grows with its leases, and no row shall always be the last.
fn there_and_back<T>(round: usize, items: impl DoubleEndedIterator<Item = T>) -> Vec<T> {
    if round.is_multiple_of(2) { items.rev().collect() } else { items.collect() }
}

fn say(text: &str) {
    // a closed pipe is no reason to fail: the report is also written to a file
    let _ = writeln!(std::io::stdout(), "{text}");
}
