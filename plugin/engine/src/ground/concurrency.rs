//! Limits how many inspections of AWS run at once, because each takes calls, connections and a place in the queue.

use std::sync::{Mutex, MutexGuard, PoisonError};

use vault_backend::Fault;

/// Inspections of one kind at once on one mount.
const MAX_AT_ONCE: usize = 4;
/// Inspections of one kind at once for one caller: fewer than [`MAX_AT_ONCE`], which leaves room for another caller.
const MAX_OF_ONE_CALLER: usize = 2;

/// The inspections of one kind that run on one mount.
pub(crate) struct ConcurrencyLimit {
    /// The kind in the plural, for errors.
    what: &'static str,
    /// The caller of each running inspection; a caller with two is in it twice. The lock is never held across an `await`.
    by: Mutex<Vec<String>>,
}

/// The right to run one inspection. Dropping it makes room for the next one.
pub(crate) struct Permit<'a> {
    looks: &'a ConcurrencyLimit,
    by: &'a str,
}

impl ConcurrencyLimit {
    /// A limit under which nothing runs yet; `what` is the plural of the kind.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, by: Mutex::default() }
    }

    /// Begins an inspection of the caller `by`. It does not wait for room.
    ///
    /// # Errors
    /// `RateLimited`, to be tried later (503), where [`MAX_AT_ONCE`] or [`MAX_OF_ONE_CALLER`] run already.
    pub(crate) fn begin<'a>(&'a self, by: &'a str) -> Result<Permit<'a>, Fault> {
        // one lock for the count and the entry: two callers at once must not take the same last place
        let mut under_way = self.under_way();
        let of_one = under_way.iter().filter(|other| *other == by).count();
        if under_way.len() >= MAX_AT_ONCE || of_one >= MAX_OF_ONE_CALLER {
            let (all, what) = (under_way.len(), self.what);
            return Err(Fault::later(format!(
                "{all} {what} are under way, {of_one} of them for this caller (at most {MAX_AT_ONCE}, and {MAX_OF_ONE_CALLER} for one caller); ask again in a few seconds"
            ))
            .named("RateLimited"));
        }
        under_way.push(by.to_owned());
        Ok(Permit { looks: self, by })
    }

    /// The running inspections. A panic while the lock was held leaves a whole list, so a poisoned lock is taken.
    fn under_way(&self) -> MutexGuard<'_, Vec<String>> {
        self.by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut under_way = self.looks.under_way();
        if let Some(nth) = under_way.iter().position(|by| by == self.by) {
            under_way.swap_remove(nth);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_has_two_looks_at_once_and_all_together_four() {
        let looks = ConcurrencyLimit::new("checks");

        let of_one =
            [looks.begin("a"), looks.begin("a"), looks.begin("a")].map(|look| look.map(drop).is_ok());
        let _kept =
            ["a", "a", "b", "c"].map(|by| looks.begin(by).map_err(|fault| fault.to_string()).unwrap());
        let fifth = looks.begin("d").map(drop).unwrap_err();

        assert_eq!(of_one, [true, true, false]);
        assert_eq!((fifth.status(), fifth.name()), (503, Some("RateLimited")));
        assert!(
            fifth.to_string().starts_with("4 checks are under way, 0 of them for this caller"),
            "{fifth}"
        );
    }

    #[test]
    fn a_look_that_has_ended_makes_room() {
        let looks = ConcurrencyLimit::new("checks");
        for _ in 0..10 {
            assert!(looks.begin("a").is_ok());
        }
    }
}
