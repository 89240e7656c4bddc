//! Recent refusals, so that callers who are refused do not use up the quota.
//!
//! There are two bounds. After a refusal, one key is not tried again for five seconds. The span doubles up to 30
//! seconds while refusals follow each other, and requests in between get the same reply. A failure domain (a role's
//! callers of one namespace) whose last three attempts were all refused is penalized: until one attempt succeeds, all
//! penalized domains together get an eighth of the rate. Ten thousand pods of a role that AWS refuses therefore cost
//! one request a second after the first three of each namespace, and a fix at AWS takes effect within half a minute.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::key::Key;
use crate::reply::Why;
use crate::request::FailureDomain;

const MIN_SPAN: Duration = Duration::from_secs(5);
const MAX_SPAN: Duration = Duration::from_secs(30);
/// Refusals in a row after which a failure domain is penalized.
const PENALIZED_AFTER: u32 = 3;

#[derive(Debug)]
pub(crate) struct NegativeCache<K, E> {
    bound: usize,
    by_key: HashMap<K, Refusal<E>>,
    /// The keys by age, oldest first.
    by_age: BTreeMap<u64, K>,
    next_age: u64,
    rows: HashMap<FailureDomain, u32>,
}

#[derive(Debug)]
struct Refusal<E> {
    why: Why<E>,
    until: Duration,
    times: u32,
    age: u64,
}

impl<K: Key, E: Clone> NegativeCache<K, E> {
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, by_key: HashMap::new(), by_age: BTreeMap::new(), next_age: 0, rows: HashMap::new() }
    }

    /// Remembers at most `bound` refusals from now on.
    pub(crate) fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
        self.keep_bound();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Returns why `key` must not be tried now, and for how long.
    pub(crate) fn of(&self, now: Duration, key: &K) -> Option<(Why<E>, Duration)> {
        let refusal = self.by_key.get(key)?;
        let left = refusal.until.checked_sub(now).filter(|left| !left.is_zero())?;
        Some((refusal.why.clone(), left))
    }

    /// Records a refusal. Returns true if the key's failure domain has just become penalized.
    pub(crate) fn remember(&mut self, now: Duration, key: &K, why: Why<E>) -> bool {
        let times = self.by_key.remove(key).map_or(0, |old| {
            self.by_age.remove(&old.age);
            old.times + 1
        });
        let span = MIN_SPAN.saturating_mul(1 << times.min(8)).min(MAX_SPAN);
        self.next_age += 1;
        let age = self.next_age;
        self.by_age.insert(age, key.clone());
        self.by_key.insert(key.clone(), Refusal { why, until: now + span, times, age });
        self.keep_bound();
        if times > 0 {
            // repeated refusals of one key say nothing about the other callers of its domain
            return false;
        }
        let row = self.rows.entry(key.failure_domain()).or_default();
        *row = row.saturating_add(1);
        *row == PENALIZED_AFTER
    }

    /// Records a success. Returns true if the key's failure domain was penalized until now.
    pub(crate) fn succeeded(&mut self, key: &K) -> bool {
        if let Some(old) = self.by_key.remove(key) {
            self.by_age.remove(&old.age);
        }
        self.rows.remove(&key.failure_domain()).is_some_and(|row| row >= PENALIZED_AFTER)
    }

    pub(crate) fn is_penalized(&self, domain: &FailureDomain) -> bool {
        self.rows.get(domain).is_some_and(|row| *row >= PENALIZED_AFTER)
    }

    /// Drops keys and resets their failure domains, because the data that was refused has changed. Returns the domains
    /// that were penalized.
    pub(crate) fn invalidate(&mut self, invalidated: impl Fn(&K) -> bool) -> Vec<FailureDomain> {
        let mut cleared = Vec::new();
        let rows = &mut self.rows;
        let by_age = &mut self.by_age;
        self.by_key.retain(|key, refusal| {
            if !invalidated(key) {
                return true;
            }
            by_age.remove(&refusal.age);
            let domain = key.failure_domain();
            if rows.remove(&domain).is_some_and(|row| row >= PENALIZED_AFTER) {
                cleared.push(domain);
            }
            false
        });
        cleared
    }

    /// Drops refusals so old that a further one would count as the first.
    pub(crate) fn sweep(&mut self, now: Duration) {
        self.drop_old(|refusal| refusal.until + MAX_SPAN <= now);
        if self.by_key.is_empty() {
            self.rows.clear();
        }
    }

    fn drop_old(&mut self, old: impl Fn(&Refusal<E>) -> bool) {
        let by_age = &mut self.by_age;
        self.by_key.retain(|_, refusal| {
            let keep = !old(refusal);
            if !keep {
                by_age.remove(&refusal.age);
            }
            keep
        });
    }

    fn keep_bound(&mut self) {
        while self.by_key.len() > self.bound {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.by_key.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::QuotaScope;

    impl Key for u32 {
        const CALL: &'static str = "Make";

        fn places(&self) -> std::sync::Arc<[QuotaScope]> {
            [QuotaScope::new("here")].into()
        }

        fn failure_domain(&self) -> FailureDomain {
            FailureDomain::new("web")
        }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn refused(negative_cache: &mut NegativeCache<u32, ()>, now: Duration, key: u32) -> bool {
        negative_cache.remember(now, &key, Why::Refused(()))
    }

    #[test]
    fn a_key_rests_five_seconds_then_ten_then_twenty_then_thirty() {
        let mut negative_cache = NegativeCache::new(10);

        let rests: Vec<_> = (0..5)
            .map(|round| {
                refused(&mut negative_cache, seconds(round * 31), 1);
                negative_cache.of(seconds(round * 31), &1).unwrap().1.as_secs()
            })
            .collect();

        assert_eq!(rests, [5, 10, 20, 30, 30]);
    }

    #[test]
    fn a_group_is_suspect_after_three_refusals_in_a_row() {
        let mut negative_cache = NegativeCache::new(10);

        let turns: Vec<_> = (0..4).map(|key| refused(&mut negative_cache, seconds(1), key)).collect();

        assert_eq!(turns, [false, false, true, false]);
        assert!(negative_cache.is_penalized(&FailureDomain::new("web")));
        assert!(negative_cache.succeeded(&9));
        assert!(!negative_cache.is_penalized(&FailureDomain::new("web")));
    }

    #[test]
    fn no_more_are_remembered_than_the_bound() {
        let mut negative_cache = NegativeCache::new(2);

        for key in 0..5 {
            refused(&mut negative_cache, seconds(1), key);
        }

        assert_eq!((negative_cache.by_key.len(), negative_cache.by_age.len()), (2, 2));
        assert!(negative_cache.of(seconds(1), &4).is_some());
    }

    #[test]
    fn a_lower_bound_forgets_the_oldest_and_a_higher_one_makes_room() {
        let mut negative_cache = NegativeCache::new(3);
        for key in 0..3 {
            refused(&mut negative_cache, seconds(1), key);
        }

        negative_cache.set_bound(1);
        let after = negative_cache.by_key.len();
        negative_cache.set_bound(2);
        refused(&mut negative_cache, seconds(1), 9);

        assert_eq!((after, negative_cache.by_key.len()), (1, 2));
        assert!(negative_cache.of(seconds(1), &2).is_some() && negative_cache.of(seconds(1), &9).is_some());
    }
}
