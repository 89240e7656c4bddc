//! The cached sessions: a bounded cache that evicts expired sessions first, then the least recently used.
//!
//! `moka` and `quick_cache` do not fit: both own their clock, and neither can say when a session becomes due for
//! renewal.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::cached_session::CachedSession;
use crate::now::Now;
use crate::priority_queue::Due;
use crate::request::FlightSpec;

#[derive(Debug)]
pub(crate) struct SessionCache<K, S, W> {
    bound: NonZeroUsize,
    entries: HashMap<K, Entry<S, W>>,
    by_use: BTreeMap<u64, K>,
    /// By when each session becomes due; once it was due, by when it expires.
    by_wake: BTreeMap<(Duration, u64), K>,
    /// By when each session stops being served.
    by_death: BTreeMap<(Duration, u64), K>,
    uses: u64,
}

#[derive(Debug)]
pub(crate) struct Entry<S, W> {
    pub(crate) cached: CachedSession<S>,
    /// How the next session is made.
    pub(crate) spec: FlightSpec<W>,
    /// When the last request for it came, on the monotonic clock.
    pub(crate) asked: Duration,
    used: u64,
    wake: (Duration, u64),
}

impl<K: Clone + Eq + Hash, S: Clone, W: Clone> SessionCache<K, S, W> {
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

    /// Returns the entry of `key` if its session may be served.
    pub(crate) fn usable(&self, now: Now, key: &K) -> Option<&Entry<S, W>> {
        self.entries.get(key).filter(|entry| entry.cached.is_usable(now))
    }

    /// Returns when the session of `key` expires, unless it has expired.
    pub(crate) fn due(&self, now: Now, key: &K) -> Option<Due> {
        let cached = &self.entries.get(key)?.cached;
        let left = Some(cached.remaining(now)).filter(|left| !left.is_zero())?;
        Some(Due::new(now.monotonic + left, cached.whole()))
    }

    /// Records a request for `key`.
    pub(crate) fn touch(&mut self, now: Now, key: &K, spec: &FlightSpec<W>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.asked = now.monotonic;
        entry.spec.join(spec);
        if entry.used == self.uses {
            return;
        }
        if let Some(key) = self.by_use.remove(&entry.used) {
            self.uses += 1;
            entry.used = self.uses;
            self.by_use.insert(self.uses, key);
        }
    }

    /// Caches a session in place of an older one, and returns how many unexpired sessions it evicted.
    pub(crate) fn insert(
        &mut self,
        now: Now,
        key: &K,
        cached: CachedSession<S>,
        spec: FlightSpec<W>,
        asked: Duration,
    ) -> u64 {
        self.remove(key);
        self.uses += 1;
        let used = self.uses;
        let wake = (cached.due_at(), used);
        self.by_use.insert(used, key.clone());
        self.by_wake.insert(wake, key.clone());
        self.by_death.insert((cached.dies_at(), wake.1), key.clone());
        self.entries.insert(key.clone(), Entry { cached, spec, asked, used, wake });
        self.make_room(now)
    }

    pub(crate) fn set_bound(&mut self, now: Now, bound: NonZeroUsize) -> u64 {
        self.bound = bound;
        self.make_room(now)
    }

    /// Drops expired sessions, and returns the next key that has become due.
    pub(crate) fn wake(&mut self, now: Now) -> Option<K> {
        while let Some(first) = self.by_wake.first_entry() {
            if first.key().0 > now.monotonic {
                return None;
            }
            let key = first.remove();
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let ends_at = entry.cached.ends_at();
            if ends_at <= now.monotonic {
                self.remove(&key);
                continue;
            }
            entry.wake.0 = ends_at;
            self.by_wake.insert(entry.wake, key.clone());
            return Some(key);
        }
        None
    }

    /// When [`wake`](Self::wake) has work to do.
    pub(crate) fn wakes_at(&self) -> Option<Duration> {
        self.by_wake.first_key_value().map(|((at, _), _)| *at)
    }

    /// Makes [`wake`](Self::wake) return `key` again at `at`, or when its session expires if that is sooner.
    pub(crate) fn wake_again(&mut self, key: &K, at: Duration) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(key) = self.by_wake.remove(&entry.wake) {
            entry.wake.0 = at.min(entry.cached.ends_at());
            self.by_wake.insert(entry.wake, key);
        }
    }

    /// The keys whose cached session is `meant`.
    pub(crate) fn keys_of<'a>(&'a self, meant: impl Fn(&S) -> bool + 'a) -> impl Iterator<Item = &'a K> {
        self.entries.iter().filter(move |(_, entry)| meant(entry.cached.session())).map(|(key, _)| key)
    }

    pub(crate) fn invalidate(&mut self, invalidated: impl Fn(&K) -> bool) {
        let keys: Vec<K> = self.entries.keys().filter(|key| invalidated(key)).cloned().collect();
        for key in keys {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(old) = self.entries.remove(key) {
            self.by_use.remove(&old.used);
            self.by_wake.remove(&old.wake);
            self.by_death.remove(&(old.cached.dies_at(), old.wake.1));
        }
    }

    fn make_room(&mut self, now: Now) -> u64 {
        let mut evicted = 0;
        while self.entries.len() > self.bound.get() {
            let dead = self.by_death.first_key_value().filter(|((at, _), _)| *at <= now.monotonic);
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
    use crate::flight::Made;
    use crate::invalidations::Epoch;
    use crate::request::{Freshness, Rank, Requester};

    const HOUR: Duration = Duration::from_hours(1);

    thread_local! {
        static LOOKS: Cell<usize> = const { Cell::new(0) };
    }

    /// A key that counts its lookups.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Counted(u32);

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            LOOKS.set(LOOKS.get() + 1);
            self.0.hash(state);
        }
    }

    type SmallCache = SessionCache<Counted, (), ()>;

    fn at(monotonic: Duration) -> Now {
        Now { monotonic, wall: datetime!(2026-01-02 12:00 UTC) + monotonic }
    }

    fn insert(cache: &mut SmallCache, now: Duration, key: u32, whole: Duration) -> u64 {
        let made = Made { session: (), expiration: at(now + whole).wall };
        let cached = CachedSession::new(made, at(now), whole, at(now), 0.5).unwrap();
        let spec = FlightSpec {
            requester: Requester::new("a"),
            freshness: Freshness::Prefer,
            rank: Rank::InTurn,
            duration: whole,
            work: (),
            epoch: Epoch::default(),
        };
        cache.insert(at(now), &Counted(key), cached, spec, now)
    }

    fn full_of(sessions: u32, whole: Duration) -> SmallCache {
        let mut cache = SmallCache::new(usize::try_from(sessions).unwrap().try_into().unwrap());
        for key in 0..sessions {
            insert(&mut cache, Duration::ZERO, key, whole);
        }
        cache
    }

    #[test]
    fn room_in_a_full_cache_costs_the_same_whatever_its_size() {
        // every session is due within five minutes or was due, and none has expired
        for now in [26, 50].map(Duration::from_mins) {
            let looks = [100, 10_000].map(|size| {
                let mut cache = full_of(size, HOUR);
                while cache.wake(at(now)).is_some() {}
                LOOKS.set(0);
                for key in 0..10 {
                    assert_eq!(insert(&mut cache, now, size + key, HOUR), 1);
                }
                LOOKS.get()
            });

            assert!(looks[0] == looks[1] && looks[0] <= 60, "{looks:?}");
        }
    }

    #[test]
    fn as_many_of_the_dead_go_as_there_has_to_be_room() {
        let mut cache = full_of(3, HOUR);
        let now = Duration::from_mins(55);

        let evicted: u64 = (10..13).map(|key| insert(&mut cache, now, key, HOUR)).sum();
        let evicted_then = insert(&mut cache, now, 13, HOUR);

        assert_eq!((evicted, evicted_then, cache.len()), (0, 1, 3));
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut cache = full_of(50, HOUR);
        cache.invalidate(|key| key.0 < 20);
        cache.set_bound(at(HOUR / 3 * 2), 5.try_into().unwrap());
        while cache.wake(at(HOUR)).is_some() {}

        let left = [cache.entries.len(), cache.by_use.len(), cache.by_wake.len(), cache.by_death.len()];

        assert_eq!(left, [0; 4]);
    }
}
