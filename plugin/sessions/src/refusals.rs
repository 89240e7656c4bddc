//! What was refused lately, so that a refused fleet does not burn the quota.
//!
//! Two bounds. One key is not tried again for five seconds after a refusal, doubling to 30 while refusals follow each other: asks
//! in between get the same answer. And a group (a role's callers of one namespace) whose last three attempts were all refused flies in the lane of the
//! suspects, an eighth of the rate for all of them together, until one succeeds. So ten thousand pods of a role that AWS refuses
//! cost one request a second for each namespace's first three, and a cure at AWS is seen within half a minute.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use crate::ask::Group;
use crate::reply::Why;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);
/// Refusals in a row that make a group suspect.
const SUSPECT_AFTER: u32 = 3;

#[derive(Debug)]
pub(crate) struct Refusals<K, E> {
    bound: usize,
    by_key: HashMap<K, Refusal<E>>,
    /// Oldest first, to forget and to bound.
    by_age: BTreeMap<u64, K>,
    next_age: u64,
    rows: HashMap<Group, u32>,
}

#[derive(Debug)]
struct Refusal<E> {
    why: Why<E>,
    until: Duration,
    times: u32,
    age: u64,
    group: Group,
}

impl<K: Clone + Eq + Hash, E: Clone> Refusals<K, E> {
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, by_key: HashMap::new(), by_age: BTreeMap::new(), next_age: 0, rows: HashMap::new() }
    }

    /// No more than `bound` are remembered from now on.
    pub(crate) fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
        self.keep_bound();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Why `key` is not to be tried now, and for how long.
    pub(crate) fn of(&self, now: Duration, key: &K) -> Option<(Why<E>, Duration)> {
        let refusal = self.by_key.get(key)?;
        let left = refusal.until.checked_sub(now).filter(|left| !left.is_zero())?;
        Some((refusal.why.clone(), left))
    }

    /// True when the group has just become suspect.
    pub(crate) fn remember(&mut self, now: Duration, key: &K, group: &Group, why: Why<E>) -> bool {
        let times = self.by_key.remove(key).map_or(0, |old| {
            self.by_age.remove(&old.age);
            old.times + 1
        });
        let span = FIRST.saturating_mul(1 << times.min(8)).min(LONGEST);
        self.next_age += 1;
        let age = self.next_age;
        self.by_age.insert(age, key.clone());
        self.by_key.insert(key.clone(), Refusal { why, until: now + span, times, age, group: group.clone() });
        self.keep_bound();
        if times > 0 {
            // one caller that goes on asking is no sign that the others of its group are refused too
            return false;
        }
        let row = self.rows.entry(group.clone()).or_default();
        *row = row.saturating_add(1);
        *row == SUSPECT_AFTER
    }

    /// True when the group was suspect until now.
    pub(crate) fn succeeded(&mut self, key: &K, group: &Group) -> bool {
        if let Some(old) = self.by_key.remove(key) {
            self.by_age.remove(&old.age);
        }
        self.rows.remove(group).is_some_and(|row| row >= SUSPECT_AFTER)
    }

    pub(crate) fn is_suspect(&self, group: &Group) -> bool {
        self.rows.get(group).is_some_and(|row| *row >= SUSPECT_AFTER)
    }

    /// Forgets keys; their groups start anew, because what refused them was changed. Answers the groups that were suspect.
    pub(crate) fn forget(&mut self, doomed: impl Fn(&K) -> bool) -> Vec<Group> {
        let mut cleared = Vec::new();
        let rows = &mut self.rows;
        let by_age = &mut self.by_age;
        self.by_key.retain(|key, refusal| {
            if !doomed(key) {
                return true;
            }
            by_age.remove(&refusal.age);
            if rows.remove(&refusal.group).is_some_and(|row| row >= SUSPECT_AFTER) {
                cleared.push(refusal.group.clone());
            }
            false
        });
        cleared
    }

    /// Drops what is so old that a further refusal would be a first one.
    pub(crate) fn sweep(&mut self, now: Duration) {
        self.forget_old(|refusal| refusal.until + LONGEST <= now);
        if self.by_key.is_empty() {
            self.rows.clear();
        }
    }

    fn forget_old(&mut self, old: impl Fn(&Refusal<E>) -> bool) {
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

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn refused(refusals: &mut Refusals<u32, ()>, now: Duration, key: u32) -> bool {
        refusals.remember(now, &key, &Group::new("web"), Why::Refused(()))
    }

    #[test]
    fn a_key_rests_five_seconds_then_ten_then_twenty_then_thirty() {
        let mut refusals = Refusals::new(10);

        let rests: Vec<_> = (0..5)
            .map(|round| {
                refused(&mut refusals, seconds(round * 31), 1);
                refusals.of(seconds(round * 31), &1).unwrap().1.as_secs()
            })
            .collect();

        assert_eq!(rests, [5, 10, 20, 30, 30]);
    }

    #[test]
    fn a_group_is_suspect_after_three_refusals_in_a_row() {
        let mut refusals = Refusals::new(10);

        let turns: Vec<_> = (0..4).map(|key| refused(&mut refusals, seconds(1), key)).collect();

        assert_eq!(turns, [false, false, true, false]);
        assert!(refusals.is_suspect(&Group::new("web")));
        assert!(refusals.succeeded(&9, &Group::new("web")));
        assert!(!refusals.is_suspect(&Group::new("web")));
    }

    #[test]
    fn no_more_are_remembered_than_the_bound() {
        let mut refusals = Refusals::new(2);

        for key in 0..5 {
            refused(&mut refusals, seconds(1), key);
        }

        assert_eq!((refusals.by_key.len(), refusals.by_age.len()), (2, 2));
        assert!(refusals.of(seconds(1), &4).is_some());
    }

    #[test]
    fn a_lower_bound_forgets_the_oldest_and_a_higher_one_makes_room() {
        let mut refusals = Refusals::new(3);
        for key in 0..3 {
            refused(&mut refusals, seconds(1), key);
        }

        refusals.set_bound(1);
        let after = refusals.by_key.len();
        refusals.set_bound(2);
        refused(&mut refusals, seconds(1), 9);

        assert_eq!((after, refusals.by_key.len()), (1, 2));
        assert!(refusals.of(seconds(1), &2).is_some() && refusals.of(seconds(1), &9).is_some());
    }
}
