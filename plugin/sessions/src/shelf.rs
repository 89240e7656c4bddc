//! The sessions kept for the next caller: bounded, the dead go first, then the least recently used.
//!
//! Not `moka` or `quick_cache`: both have a clock of their own, and neither can say when a session becomes due.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::ask::Order;
use crate::kept::{Kept, LEAST_LEFT};
use crate::lanes::Due;
use crate::moment::Moment;

#[derive(Debug)]
pub(crate) struct Shelf<K, S, W> {
    bound: NonZeroUsize,
    entries: HashMap<K, Entry<S, W>>,
    by_use: BTreeMap<u64, K>,
    /// When each becomes due, or when it was, ends.
    by_wake: BTreeMap<(Duration, u64), K>,
    uses: u64,
}

#[derive(Debug)]
pub(crate) struct Entry<S, W> {
    pub(crate) kept: Kept<S>,
    /// How to make the next one.
    pub(crate) order: Order<W>,
    /// When somebody last asked for it.
    pub(crate) asked: Duration,
    used: u64,
    wake: (Duration, u64),
}

impl<K: Clone + Eq + Hash, S: Clone, W: Clone> Shelf<K, S, W> {
    pub(crate) fn new(bound: NonZeroUsize) -> Self {
        Self { bound, entries: HashMap::new(), by_use: BTreeMap::new(), by_wake: BTreeMap::new(), uses: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry of `key` if its session may be served.
    pub(crate) fn usable(&self, now: Moment, key: &K) -> Option<&Entry<S, W>> {
        self.entries.get(key).filter(|entry| entry.kept.is_usable(now))
    }

    /// When the session of `key` ends, if it has not ended.
    pub(crate) fn due(&self, now: Moment, key: &K) -> Option<Due> {
        let kept = &self.entries.get(key)?.kept;
        let left = Some(kept.remaining(now)).filter(|left| !left.is_zero())?;
        Some(Due::new(now.steady + left, kept.whole()))
    }

    /// Notes that somebody asks for `key`.
    pub(crate) fn touch(&mut self, now: Moment, key: &K, order: &Order<W>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.asked = now.steady;
        entry.order.join(order);
        if entry.used == self.uses {
            return;
        }
        if let Some(key) = self.by_use.remove(&entry.used) {
            self.uses += 1;
            entry.used = self.uses;
            self.by_use.insert(self.uses, key);
        }
    }

    /// Keeps a session in place of an older one; answers how many others had to go before their time.
    pub(crate) fn insert(
        &mut self,
        now: Moment,
        key: &K,
        kept: Kept<S>,
        order: Order<W>,
        asked: Duration,
    ) -> u64 {
        self.remove(key);
        self.uses += 1;
        let used = self.uses;
        let wake = (kept.due_at(), used);
        self.by_use.insert(used, key.clone());
        self.by_wake.insert(wake, key.clone());
        self.entries.insert(key.clone(), Entry { kept, order, asked, used, wake });
        self.make_room(now)
    }

    pub(crate) fn set_bound(&mut self, now: Moment, bound: NonZeroUsize) -> u64 {
        self.bound = bound;
        self.make_room(now)
    }

    /// Drops what has ended, and answers the next key that has become due.
    pub(crate) fn wake(&mut self, now: Moment) -> Option<K> {
        while let Some(first) = self.by_wake.first_entry() {
            if first.key().0 > now.steady {
                return None;
            }
            let key = first.remove();
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let ends_at = entry.kept.ends_at();
            if ends_at <= now.steady {
                self.remove(&key);
                continue;
            }
            entry.wake.0 = ends_at;
            self.by_wake.insert(entry.wake, key.clone());
            return Some(key);
        }
        None
    }

    /// When [`wake`](Self::wake) has something to do.
    pub(crate) fn wakes_at(&self) -> Option<Duration> {
        self.by_wake.first_key_value().map(|((at, _), _)| *at)
    }

    /// Has [`wake`](Self::wake) answer `key` again at `at`, if it lives until then.
    pub(crate) fn wake_again(&mut self, key: &K, at: Duration) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(key) = self.by_wake.remove(&entry.wake) {
            entry.wake.0 = at.min(entry.kept.ends_at());
            self.by_wake.insert(entry.wake, key);
        }
    }

    pub(crate) fn forget(&mut self, doomed: impl Fn(&K) -> bool) {
        let keys: Vec<K> = self.entries.keys().filter(|key| doomed(key)).cloned().collect();
        for key in keys {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(old) = self.entries.remove(key) {
            self.by_use.remove(&old.used);
            self.by_wake.remove(&old.wake);
        }
    }

    fn make_room(&mut self, now: Moment) -> u64 {
        if self.entries.len() <= self.bound.get() {
            return 0;
        }
        let soon = now.steady + LEAST_LEFT;
        let dead: Vec<K> = self
            .by_wake
            .range(..=(soon, u64::MAX))
            .filter(|(_, key)| self.usable(now, key).is_none())
            .map(|(_, key)| key.clone())
            .collect();
        for key in dead {
            self.remove(&key);
        }
        let mut evicted = 0;
        while self.entries.len() > self.bound.get() {
            let Some((_, key)) = self.by_use.first_key_value() else { break };
            let key = key.clone();
            self.remove(&key);
            evicted += 1;
        }
        evicted
    }
}
