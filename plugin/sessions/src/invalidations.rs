//! Recent invalidations: they tell a request that was planned before a change of its data from one that was planned
//! after it.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

/// The number of invalidations that are remembered. A request planned before the oldest of them counts as outdated. A
/// sync that rewrites every role of a mount makes some hundred a second.
const MAX_REMEMBERED: usize = 1024;
/// The longest time between planning and making a request. Older invalidations are forgotten at the next one.
const MAX_PLAN_AGE: Duration = Duration::from_mins(1);

/// The number of changes that the scheduler had been told of. Read it before the data that the key is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// The remembered invalidations, oldest first.
pub(crate) struct Invalidations<K> {
    current: Epoch,
    /// Every invalidation after this epoch is remembered.
    known_from: Epoch,
    entries: VecDeque<Invalidation<K>>,
}

struct Invalidation<K> {
    epoch: Epoch,
    at: Duration,
    includes: Box<dyn Fn(&K) -> bool + Send>,
}

impl<K> Invalidations<K> {
    pub(crate) fn new() -> Self {
        Self { current: Epoch(0), known_from: Epoch(0), entries: VecDeque::new() }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.current
    }

    /// Begins an epoch without invalidating a key.
    pub(crate) fn pass(&mut self) {
        self.current.0 += 1;
    }

    /// Begins an epoch: a request that was planned before it for one of these keys is outdated.
    pub(crate) fn invalidate(&mut self, now: Duration, includes: Box<dyn Fn(&K) -> bool + Send>) {
        self.pass();
        self.entries.push_back(Invalidation { epoch: self.current, at: now, includes });
        while self.entries.len() > MAX_REMEMBERED
            || self.entries.front().is_some_and(|one| one.at + MAX_PLAN_AGE < now)
        {
            self.known_from = self.entries.pop_front().map_or(self.current, |one| one.epoch);
        }
    }

    /// Whether `key` has been invalidated since `planned`, or may have been.
    pub(crate) fn is_outdated(&self, planned: Epoch, key: &K) -> bool {
        planned < self.known_from
            || self.entries.iter().rev().take_while(|one| one.epoch > planned).any(|one| (one.includes)(key))
    }
}

impl<K> Debug for Invalidations<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidations").field("current", &self.current).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn only_what_is_doomed_after_the_plan_is_outdated() {
        let mut invalidations = Invalidations::new();
        invalidations.invalidate(seconds(1), Box::new(|key| *key == 1));
        let planned = invalidations.epoch();

        invalidations.invalidate(seconds(2), Box::new(|key| *key == 2));

        assert_eq!([1, 2, 3].map(|key| invalidations.is_outdated(planned, &key)), [false, true, false]);
    }

    #[test]
    fn new_limits_make_nothing_outdated() {
        let mut invalidations = Invalidations::new();
        let planned = invalidations.epoch();

        invalidations.pass();

        assert!(invalidations.epoch() > planned);
        assert!(!invalidations.is_outdated(planned, &1));
    }

    #[test]
    fn a_plan_from_before_the_oldest_change_that_is_remembered_is_outdated() {
        let mut invalidations = Invalidations::new();
        let early = invalidations.epoch();
        invalidations.invalidate(seconds(1), Box::new(|_| false));
        let later = invalidations.epoch();

        for _ in 0..MAX_REMEMBERED {
            invalidations.invalidate(seconds(1), Box::new(|_| false));
        }

        assert_eq!(invalidations.entries.len(), MAX_REMEMBERED);
        assert!(invalidations.is_outdated(early, &1));
        assert!(!invalidations.is_outdated(later, &1));
    }

    #[test]
    fn a_change_is_forgotten_after_a_minute() {
        let mut invalidations = Invalidations::new();
        let planned = invalidations.epoch();
        invalidations.invalidate(seconds(1), Box::new(|_| false));

        invalidations.invalidate(seconds(62), Box::new(|_| false));

        assert_eq!(invalidations.entries.len(), 1);
        assert!(invalidations.is_outdated(planned, &1));
    }
}
