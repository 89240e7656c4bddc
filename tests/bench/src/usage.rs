//! What processes used of processors, as `/proc` counts it, and the medians of what was measured.

use std::fs;

/// Processor time of the processes behind a row, in clock ticks since each started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    pub(crate) vault: u64,
    /// 0 where no plugin process is behind the row.
    pub(crate) plugin: u64,
    pub(crate) aws: u64,
}

/// Processor seconds per 1,000 requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) vault: f64,
    pub(crate) plugin: f64,
    pub(crate) aws: f64,
    /// What the caller itself used; counted only where a signing client is part of the way.
    pub(crate) client: f64,
}

/// One row, measured once, or the median of several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
    pub(crate) cost: Cost,
}

impl Cost {
    /// What `requests` cost between two readings.
    pub(crate) fn between(before: Ticks, after: Ticks, requests: f64) -> Cost {
        let seconds = |ticks: u64| seconds(ticks) * 1000.0 / requests;
        Cost {
            vault: seconds(after.vault - before.vault),
            plugin: seconds(after.plugin.saturating_sub(before.plugin)),
            aws: seconds(after.aws - before.aws),
            client: 0.0,
        }
    }
}

impl Sample {
    /// Each number's own median.
    pub(crate) fn median(samples: &[Sample]) -> Sample {
        let of = |number: fn(&Sample) -> f64| median(samples.iter().map(number).collect());
        Sample {
            rate: of(|sample| sample.rate),
            p50: of(|sample| sample.p50),
            p99: of(|sample| sample.p99),
            cost: Cost {
                vault: of(|sample| sample.cost.vault),
                plugin: of(|sample| sample.cost.plugin),
                aws: of(|sample| sample.cost.aws),
                client: of(|sample| sample.cost.client),
            },
        }
    }

    /// A line to follow the run by.
    pub(crate) fn brief(&self) -> String {
        format!("{:.0}/s, p50 {:.1} ms, p99 {:.1} ms", self.rate, self.p50, self.p99)
    }
}

/// The middle one, or the lower of the two in the middle.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// User and system time of a process, in clock ticks.
pub(crate) fn ticks(pid: u32) -> u64 {
    stat_fields(&format!("/proc/{pid}/stat"), [14, 15])
}

/// The same of all children of this process that have ended.
pub(crate) fn ticks_of_children() -> u64 {
    stat_fields("/proc/self/stat", [16, 17])
}

/// Clock ticks as seconds.
#[expect(clippy::cast_precision_loss, reason = "ticks of minutes")]
pub(crate) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The sum of numbered fields, as proc(5) counts them from 1. The second, a name, may hold blanks.
fn stat_fields(file: &str, wanted: [usize; 2]) -> u64 {
    let stat = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    sum_of_fields(&stat, wanted).unwrap_or_else(|| panic!("{file}: {stat}"))
}

fn sum_of_fields(stat: &str, wanted: [usize; 2]) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    wanted.iter().map(|field| fields.get(field - 3)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_blanks_and_brackets() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 5 6 20 0";

        assert_eq!(sum_of_fields(stat, [14, 15]), Some(42));
        assert_eq!(sum_of_fields(stat, [16, 17]), Some(11));
        assert_eq!(sum_of_fields("7 (a) S 1", [14, 15]), None);
    }

    #[test]
    fn the_median_ignores_an_outlier() {
        assert!((median(vec![3.0, 900.0, 2.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
