//! The sessions kept for the next caller: bounded, the dead go first, then the least recently used.
//!
//! Not `moka` or `quick_cache`: both have a clock of their own, and neither can say when a session becomes due.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::ask::Order;
use crate::kept::Kept;
use crate::lanes::Due;
use crate::moment::Moment;

#[derive(Debug)]
pub(crate) struct Shelf<K, S, W> {
    bound: NonZeroUsize,
    entries: HashMap<K, Entry<S, W>>,
    by_use: BTreeMap<u64, K>,
    /// When each becomes due, or when it was, ends.
    by_wake: BTreeMap<(Duration, u64), K>,
    /// From when on each is served to nobody.
    by_death: BTreeMap<(Duration, u64), K>,
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
        Self {
            bound,
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            by_wake: BTreeMap::new(),
            by_death: BTreeMap::new(),
            uses: 0,
        }
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
        self.by_death.insert((kept.dies_at(), wake.1), key.clone());
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
            self.by_death.remove(&(old.kept.dies_at(), old.wake.1));
        }
    }

    fn make_room(&mut self, now: Moment) -> u64 {
        let mut evicted = 0;
        while self.entries.len() > self.bound.get() {
            let dead = self.by_death.first_key_value().filter(|((at, _), _)| *at <= now.steady);
            let least_used = self.by_use.first_key_value();
            evicted += u64::from(dead.is_none());
            let Some(key) = dead.map(|(_, key)| key).or(least_used.map(|(_, key)| key)) else { break };
            let key = key.clone();
            self.remove(&key);
        }
        evicted
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::Hasher;

    use time::macros::datetime;

    use super::*;
    use crate::ask::{Caller, Group, Mode, Place, Rank};
    use crate::changes::Epoch;
    use crate::flight::Made;

    const HOUR: Duration = Duration::from_hours(1);

    thread_local! {
        static LOOKS: Cell<usize> = const { Cell::new(0) };
    }

    /// Counts how often one is looked up.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Counted(u32);

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            LOOKS.set(LOOKS.get() + 1);
            self.0.hash(state);
        }
    }

    type Small = Shelf<Counted, (), ()>;

    fn at(steady: Duration) -> Moment {
        Moment { steady, wall: datetime!(2026-01-02 12:00 UTC) + steady }
    }

    fn insert(shelf: &mut Small, now: Duration, key: u32, whole: Duration) -> u64 {
        let made = Made { session: (), expiration: at(now + whole).wall };
        let kept = Kept::new(made, at(now), whole, at(now), 0.5).unwrap();
        let order = Order {
            place: Place::new("here"),
            group: Group::new("web"),
            caller: Caller::new("a"),
            mode: Mode::Patient,
            rank: Rank::InTurn,
            duration: whole,
            work: (),
            epoch: Epoch::default(),
        };
        shelf.insert(at(now), &Counted(key), kept, order, now)
    }

    fn full_of(sessions: u32, whole: Duration) -> Small {
        let mut shelf = Small::new(usize::try_from(sessions).unwrap().try_into().unwrap());
        for key in 0..sessions {
            insert(&mut shelf, Duration::ZERO, key, whole);
        }
        shelf
    }

    #[test]
    fn room_in_a_full_shelf_costs_the_same_whatever_its_size() {
        // all are due within five minutes or have been due, and none is dead
        for now in [26, 50].map(Duration::from_mins) {
            let looks = [100, 10_000].map(|size| {
                let mut shelf = full_of(size, HOUR);
                while shelf.wake(at(now)).is_some() {}
                LOOKS.set(0);
                for key in 0..10 {
                    assert_eq!(insert(&mut shelf, now, size + key, HOUR), 1);
                }
                LOOKS.get()
            });

            assert!(looks[0] == looks[1] && looks[0] <= 60, "{looks:?}");
        }
    }

    #[test]
    fn as_many_of_the_dead_go_as_there_has_to_be_room() {
        let mut shelf = full_of(3, HOUR);
        let now = Duration::from_mins(55);

        let evicted: u64 = (10..13).map(|key| insert(&mut shelf, now, key, HOUR)).sum();
        let evicted_then = insert(&mut shelf, now, 13, HOUR);

        assert_eq!((evicted, evicted_then, shelf.len()), (0, 1, 3));
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut shelf = full_of(50, HOUR);
        shelf.forget(|key| key.0 < 20);
        shelf.set_bound(at(HOUR / 3 * 2), 5.try_into().unwrap());
        while shelf.wake(at(HOUR)).is_some() {}

        let left = [shelf.entries.len(), shelf.by_use.len(), shelf.by_wake.len(), shelf.by_death.len()];

        assert_eq!(left, [0; 4]);
    }
}
