//! The seed's path: each pod is a process that gets a certificate from Vault's PKI and signs for its session itself.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use harness::{PROFILE_ARN, REGION, ROLE_ARN, TRUST_ANCHOR_ARN};
use serde::Deserialize;

use crate::settings::Settings;
use crate::usage::{Cost, Sample, seconds, ticks_of_children};
use crate::world::World;

/// What `pod.py` prints.
#[derive(Debug, Deserialize)]
struct Printed {
    access_key: String,
}

/// One pod must get a session.
pub(crate) fn check(world: &World) {
    pod(world);
}

/// Starts pods, some at a time, for some seconds. Times are those of whole processes: a pod pays for its client's start too.
pub(crate) fn run(world: &World, at_a_time: u32, seconds_long: u64) -> Sample {
    let (before, children) = (world.ticks(None), ticks_of_children());
    let start = Instant::now();
    let until = start + Duration::from_secs(seconds_long);
    let mut took: Vec<f64> = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_a_time).map(|_| scope.spawn(|| pods_until(world, until))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no pod fails")).collect()
    });
    let elapsed = start.elapsed().as_secs_f64();
    let (after, ended) = (world.ticks(None), ticks_of_children());
    took.sort_by(f64::total_cmp);
    let pods = f64::from(u32::try_from(took.len()).unwrap_or(u32::MAX));
    let mut cost = Cost::between(before, after, pods);
    cost.client = seconds(ended - children) * 1000.0 / pods;
    Sample { rate: pods / elapsed, p50: percentile(&took, 50), p99: percentile(&took, 99), cost }
}

fn pods_until(world: &World, until: Instant) -> Vec<f64> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let start = Instant::now();
        pod(world);
        took.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    took
}

/// The smallest number that so many percent do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn pod(world: &World) {
    let output = Command::new(&world.python)
        .arg(Settings::source("src/pod.py"))
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("VAULT_ADDR", world.vault.addr())
        .env("VAULT_TOKEN", &world.token)
        .env("ENDPOINT", world.aws.url())
        .env("CA_FILE", world.aws.ca_file())
        .env("REGION", REGION)
        .env("PROFILE_ARN", PROFILE_ARN)
        .env("ROLE_ARN", ROLE_ARN)
        .env("TRUST_ANCHOR_ARN", TRUST_ANCHOR_ARN)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", world.python.display()));
    let complaint = String::from_utf8_lossy(&output.stderr);
    let printed: Printed =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("a pod: {error}\n{complaint}"));
    assert!(printed.access_key.starts_with("ASIA"), "a pod got {printed:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_numbers() {
        let numbers = [1.0, 2.0, 3.0, 4.0];

        assert!((percentile(&numbers, 50) - 2.0).abs() < f64::EPSILON);
        assert!((percentile(&numbers, 99) - 4.0).abs() < f64::EPSILON);
        assert!(percentile(&[], 50).is_nan());
    }
}
