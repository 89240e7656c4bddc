//! To whom this process has handed a session.
//!
//! It lives with the session: when the cache and its last holder drop the session, only the stored record remembers it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The holders of one session that are listed. A session with more counts as everybody's: a revocation of any entity then
/// includes it, and must be forced.
pub(crate) const MAX_HOLDERS: usize = 1024;

/// The holders of one session. One lock is held for a moment, never across an await.
#[derive(Debug, Default)]
pub(crate) struct Handed(Mutex<Holders>);

/// The callers who received a session: ids of entities, or accessors of tokens without an entity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holders {
    /// In order. An empty one stands for the only holder of an unshared session, a batch token without an entity.
    pub(crate) listed: Vec<Box<str>>,
    /// Others hold it who are not listed: more than [`MAX_HOLDERS`], or batch tokens without an entity, which have no accessor.
    pub(crate) has_more: bool,
    /// The number of the event that recorded the session, from 1; 0 before it was handed to anybody.
    recorded_as: u64,
}

/// How the holders of a session changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handing {
    /// A new one was listed.
    Listed,
    /// From now on there are holders who are not listed.
    Others,
}

impl Handed {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Holders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    /// Adds a holder and returns how that changed the holders; `None` if it did not. A shared session of a holder without a name
    /// may be anybody's, because the next such holder looks the same.
    pub(crate) fn add(&mut self, holder: &str, is_shared: bool) -> Option<Handing> {
        let is_nameless = holder.is_empty() && is_shared;
        match self.listed.binary_search_by(|known| (**known).cmp(holder)) {
            _ if self.has_more && is_nameless => None,
            Ok(_) => None,
            Err(_) if self.has_more && self.listed.len() >= MAX_HOLDERS => None,
            Err(_) if is_nameless || self.listed.len() >= MAX_HOLDERS => {
                self.has_more = true;
                Some(Handing::Others)
            }
            Err(at) => {
                self.listed.insert(at, holder.into());
                Some(Handing::Listed)
            }
        }
    }

    /// The number of the event that recorded the session; `None` before it was handed to anybody.
    pub(crate) fn recorded_as(&self) -> Option<u64> {
        Some(self.recorded_as).filter(|number| *number != 0)
    }

    /// Notes that the event with this number records the session.
    pub(crate) fn set_recorded_as(&mut self, number: u64) {
        self.recorded_as = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_new_once() {
        let mut holders = Holders::default();

        let added = ["one", "two", "one"].map(|holder| holders.add(holder, true));

        assert_eq!(added, [Some(Handing::Listed), Some(Handing::Listed), None]);
    }

    #[test]
    fn those_beyond_the_bound_are_others_and_say_so_once() {
        let mut holders = Holders::default();
        for number in 0..MAX_HOLDERS {
            assert_eq!(holders.add(&number.to_string(), true), Some(Handing::Listed));
        }

        assert_eq!((holders.add("a", true), holders.add("b", true)), (Some(Handing::Others), None));
    }

    #[test]
    fn a_shared_session_of_a_nameless_caller_is_anybodys_and_an_unshared_one_its_own() {
        let (mut shared, mut own) = (Holders::default(), Holders::default());

        assert_eq!(
            (shared.add("", true), own.add("", false)),
            (Some(Handing::Others), Some(Handing::Listed))
        );
        assert_eq!((shared.has_more, own.has_more), (true, false));
    }
}
