//! An account while somebody holds its lock, seen from the region of the call.

use std::{
    ops::{Deref, DerefMut},
    sync::MutexGuard,
};

use super::Inner;

/// The account. When this is dropped, it is seen from its own region again.
pub(crate) struct Locked<'a> {
    inner: MutexGuard<'a, Inner>,
    /// The region that was in front before.
    home: String,
}

impl<'a> Locked<'a> {
    pub(super) fn new(mut inner: MutexGuard<'a, Inner>, region: Option<&str>) -> Locked<'a> {
        let home = inner.state.region.clone();
        inner.turn_to(region.unwrap_or(&home));
        Locked { inner, home }
    }
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let home = std::mem::take(&mut self.home);
        self.inner.turn_to(&home);
    }
}
