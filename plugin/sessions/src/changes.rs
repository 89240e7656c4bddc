//! What was changed lately: tells an ask that was planned before a change of its own data from one that was planned after it.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

/// Changes that are remembered; an ask from before the oldest of them counts as changed. A sync that rewrites every role of a
/// mount makes some hundred a second.
const MOST: usize = 1024;
/// Nobody plans an ask for longer: what was changed earlier is forgotten at the next change.
const LONGEST_PLAN: Duration = Duration::from_mins(1);

/// How many changes the desk had been told of. Whoever asks reads it before what the key is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// The last changes, oldest first.
pub(crate) struct Changes<K> {
    current: Epoch,
    /// Every change after this epoch is remembered.
    known_from: Epoch,
    dooms: VecDeque<Doom<K>>,
}

struct Doom<K> {
    epoch: Epoch,
    at: Duration,
    includes: Box<dyn Fn(&K) -> bool + Send>,
}

impl<K> Changes<K> {
    pub(crate) fn new() -> Self {
        Self { current: Epoch(0), known_from: Epoch(0), dooms: VecDeque::new() }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.current
    }

    /// An epoch begins, and no key is doomed.
    pub(crate) fn pass(&mut self) {
        self.current.0 += 1;
    }

    /// An epoch begins: whatever was planned for one of these keys before it is outdated.
    pub(crate) fn doom(&mut self, now: Duration, includes: Box<dyn Fn(&K) -> bool + Send>) {
        self.pass();
        self.dooms.push_back(Doom { epoch: self.current, at: now, includes });
        while self.dooms.len() > MOST || self.dooms.front().is_some_and(|doom| doom.at + LONGEST_PLAN < now) {
            self.known_from = self.dooms.pop_front().map_or(self.current, |doom| doom.epoch);
        }
    }

    /// Whether `key` has been doomed since `planned`, or may have been.
    pub(crate) fn is_outdated(&self, planned: Epoch, key: &K) -> bool {
        planned < self.known_from
            || self
                .dooms
                .iter()
                .rev()
                .take_while(|doom| doom.epoch > planned)
                .any(|doom| (doom.includes)(key))
    }
}

impl<K> Debug for Changes<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("current", &self.current).finish_non_exhaustive()
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
        let mut changes = Changes::new();
        changes.doom(seconds(1), Box::new(|key| *key == 1));
        let planned = changes.epoch();

        changes.doom(seconds(2), Box::new(|key| *key == 2));

        assert_eq!([1, 2, 3].map(|key| changes.is_outdated(planned, &key)), [false, true, false]);
    }

    #[test]
    fn new_limits_make_nothing_outdated() {
        let mut changes = Changes::new();
        let planned = changes.epoch();

        changes.pass();

        assert!(changes.epoch() > planned);
        assert!(!changes.is_outdated(planned, &1));
    }

    #[test]
    fn a_plan_from_before_the_oldest_change_that_is_remembered_is_outdated() {
        let mut changes = Changes::new();
        let early = changes.epoch();
        changes.doom(seconds(1), Box::new(|_| false));
        let later = changes.epoch();

        for _ in 0..MOST {
            changes.doom(seconds(1), Box::new(|_| false));
        }

        assert_eq!(changes.dooms.len(), MOST);
        assert!(changes.is_outdated(early, &1));
        assert!(!changes.is_outdated(later, &1));
    }

    #[test]
    fn a_change_is_forgotten_after_a_minute() {
        let mut changes = Changes::new();
        let planned = changes.epoch();
        changes.doom(seconds(1), Box::new(|_| false));

        changes.doom(seconds(62), Box::new(|_| false));

        assert_eq!(changes.dooms.len(), 1);
        assert!(changes.is_outdated(planned, &1));
    }
}
