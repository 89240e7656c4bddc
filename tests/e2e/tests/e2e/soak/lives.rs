//! The resources of each plugin process at each age, and whether they grow.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use harness::{Memory, descriptors_of};
use tokio::time::Instant;

/// What a process may use more than it, or another one, did once it was warm. A leak of forty bytes for each read of half an hour is more.
const MORE_MEMORY: u64 = 8 * 1024;
const MORE_DESCRIPTORS: usize = 16;
/// The number of measurements, of which the median counts.
const LOOKS: usize = 5;

/// The resources of a process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Resident, in KiB.
    pub(crate) memory: u64,
    pub(crate) descriptors: usize,
}

impl Usage {
    /// None when the process has ended.
    pub(crate) fn of(pid: u32) -> Option<Usage> {
        Some(Usage { memory: Memory::of(pid)?.resident, descriptors: descriptors_of(pid)? })
    }

    fn is_no_more_than(self, before: Usage) -> bool {
        self.memory <= before.memory + MORE_MEMORY
            && self.descriptors <= before.descriptors + MORE_DESCRIPTORS
    }

    /// Each number's own median.
    fn median(usages: &[Usage]) -> Usage {
        let mut memory: Vec<u64> = usages.iter().map(|usage| usage.memory).collect();
        let mut descriptors: Vec<usize> = usages.iter().map(|usage| usage.descriptors).collect();
        memory.sort_unstable();
        descriptors.sort_unstable();
        Usage { memory: memory[usages.len() / 2], descriptors: descriptors[usages.len() / 2] }
    }
}

/// One process, from its first measurement to its last.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) pid: u32,
    began: Instant,
    looks: Vec<(Duration, Usage)>,
}

impl Life {
    pub(crate) fn of(pid: u32) -> Life {
        Life { pid, began: Instant::now(), looks: Vec::new() }
    }

    pub(crate) fn look(&mut self) {
        if let Some(usage) = Usage::of(self.pid) {
            self.looks.push((self.began.elapsed(), usage));
        }
    }

    pub(crate) fn last(&self) -> Option<&(Duration, Usage)> {
        self.looks.last()
    }

    /// Its resources at this age, if it lived that long.
    fn at(&self, age: Duration) -> Option<Usage> {
        let from = self.looks.iter().position(|(when, _)| *when >= age)?;
        let looks: Vec<Usage> = self.looks[from..].iter().take(LOOKS).map(|(_, usage)| *usage).collect();
        (looks.len() == LOOKS).then(|| Usage::median(&looks))
    }

    fn at_the_end(&self) -> Option<Usage> {
        let from = self.looks.len().checked_sub(LOOKS)?;
        let looks: Vec<Usage> = self.looks[from..].iter().map(|(_, usage)| *usage).collect();
        Some(Usage::median(&looks))
    }
}

/// The two comparisons: of all processes at the same age, and of the last one with itself.
pub(crate) struct Lives {
    processes: usize,
    age: Duration,
    /// Of the first process, and of the one that used most.
    same_age: [Usage; 2],
    warm: Duration,
    /// Of the last process, warm and at the end of its life.
    long_life: [Usage; 2],
    /// How long that was.
    lasted: Duration,
}

impl Lives {
    /// Compares processes at `age`, and the last one from a quarter of its life on.
    ///
    /// # Panics
    /// When none lived so long.
    pub(crate) fn compare(lives: &[Life], age: Duration) -> Lives {
        let same_age: Vec<Usage> = lives.iter().filter_map(|life| life.at(age)).collect();
        let most = Usage {
            memory: same_age.iter().map(|usage| usage.memory).max().unwrap_or_default(),
            descriptors: same_age.iter().map(|usage| usage.descriptors).max().unwrap_or_default(),
        };
        let last = lives.last().expect("a plugin ran");
        let lasted = last.last().map_or(Duration::ZERO, |(age, _)| *age);
        let warm = (lasted / 4).max(age);
        let long_life =
            [last.at(warm), last.at_the_end()].map(|usage| usage.expect("the last process lived"));
        let first = *same_age.first().expect("a process lived so long");
        Lives { processes: same_age.len(), age, same_age: [first, most], warm, long_life, lasted }
    }

    /// Whether neither comparison finds more than a process may use.
    pub(crate) fn nothing_grew(&self) -> bool {
        [self.same_age, self.long_life].iter().all(|[before, after]| after.is_no_more_than(*before))
    }
}

impl Display for Lives {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [first, most] = self.same_age;
        let [warm, end] = self.long_life;
        writeln!(
            f,
            "soak: {} processes lived for {} s: the first one used {first} then, the most of one was {most}",
            self.processes,
            self.age.as_secs()
        )?;
        write!(
            f,
            "soak: the last process used {warm} after {} s and {end} after {} s",
            self.warm.as_secs(),
            self.lasted.as_secs()
        )
    }
}

impl Display for Usage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} MiB, {} fds", self.memory / 1024, self.memory % 1024 * 10 / 1024, self.descriptors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(memory: impl Fn(u64) -> u64) -> Life {
        let looks = (0..100)
            .map(|second| (Duration::from_secs(second), Usage { memory: memory(second), descriptors: 30 }))
            .collect();
        Life { looks, ..Life::of(1) }
    }

    const AGE: Duration = Duration::from_secs(20);

    #[test]
    fn a_process_that_keeps_growing_is_found() {
        let lives = Lives::compare(&[life(|second| 12_000 + 200 * second)], AGE);

        assert!(!lives.nothing_grew(), "{lives}");
    }

    #[test]
    fn processes_that_begin_larger_each_time_are_found() {
        let lives = Lives::compare(&[life(|_| 12_000), life(|_| 16_000), life(|_| 21_000)], AGE);

        assert!(!lives.nothing_grew(), "{lives}");
    }

    #[test]
    fn what_a_process_needs_to_get_warm_and_a_single_peak_are_no_growth() {
        let ages = |second| match second {
            0..5 => 4_000,
            50 => 90_000,
            _ => 20_000,
        };

        let lives = Lives::compare(&[life(ages), life(ages)], AGE);

        assert!(lives.nothing_grew(), "{lives}");
    }
}
