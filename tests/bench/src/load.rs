//! The load: `wrk`, with a script that counts the answers that are not what they should be.

use std::process::Command;

use serde::Deserialize;

use crate::settings::Settings;
use crate::usage::{Cost, Sample};
use crate::world::{Plugin, World};

/// A request that is sent over and over.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// Below `/v1/`. A `%d` in it becomes one number after the other.
    pub(crate) path: &'static str,
    /// JSON.
    pub(crate) body: Option<&'static str>,
    /// The one status that is right.
    pub(crate) status: u16,
}

/// What `load.lua` prints; times are microseconds.
#[derive(Debug, Deserialize)]
struct Printed {
    requests: u32,
    microseconds: u64,
    p50: u32,
    p99: u32,
    /// Answers with another status than the right one.
    others: u64,
    /// Connections that were not made, broke, or took longer than the time-out.
    broken: u64,
}

/// How hard it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Pressure {
    /// Connections, each with one request at a time.
    pub(crate) connections: u32,
    pub(crate) seconds: u64,
    /// What `%d` becomes; from the start again after the last.
    pub(crate) numbers: std::ops::Range<u32>,
}

/// Sends it for some seconds and says what that took, and how many answers came.
///
/// # Panics
/// When any answer has another status than the right one.
pub(crate) fn run(world: &World, ask: &Ask, plugin: Option<Plugin>, pressure: &Pressure) -> (Sample, u32) {
    let before = world.ticks(plugin);
    let printed = wrk(world, ask, pressure);
    let after = world.ticks(plugin);
    let (others, broken) = (printed.others, printed.broken);
    assert!(others == 0 && broken == 0, "{ask:?}: {others} answers had another status, {broken} never came");
    assert!(printed.requests > 0, "{ask:?}: no answer came");
    let requests = f64::from(printed.requests);
    let sample = Sample {
        rate: requests / std::time::Duration::from_micros(printed.microseconds).as_secs_f64(),
        p50: f64::from(printed.p50) / 1000.0,
        p99: f64::from(printed.p99) / 1000.0,
        cost: Cost::between(before, after, requests),
    };
    (sample, printed.requests)
}

fn wrk(world: &World, ask: &Ask, pressure: &Pressure) -> Printed {
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--timeout", "30s", "--latency", "--script"])
        .arg(Settings::source("src/load.lua"))
        .args(["--connections", &pressure.connections.to_string()])
        .args(["--duration", &format!("{}s", pressure.seconds)])
        .arg(world.vault.addr())
        .env("BENCH_METHOD", ask.method)
        .env("BENCH_PATH", format!("/v1/{}", ask.path))
        .env("BENCH_TOKEN", &world.token)
        .env("BENCH_STATUS", ask.status.to_string())
        .env("BENCH_FROM", pressure.numbers.start.to_string())
        .env("BENCH_TO", pressure.numbers.end.to_string());
    if let Some(body) = ask.body {
        command.env("BENCH_BODY", body);
    }
    let output = command.output().expect("wrk runs; tests/tools/prerequisites says how to get it");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rfind(|line| line.starts_with('{')).unwrap_or_else(|| {
        panic!("wrk: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    });
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}
