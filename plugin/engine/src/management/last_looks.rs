//! The state of each trust anchor when it was last read, and when the next read is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rolesanywhere::TrustAnchorArn;
use tokio::time::Instant;

use crate::ground::clock;
use crate::issuers::Issuers;
use crate::management::bundle_plan::fingerprints;
use crate::records::managed_anchor::ManagedAnchor;

/// An anchor that was in sync is read again after this time, because others may change it at AWS.
const LOOK_AGAIN: Duration = Duration::from_hours(1);
/// An anchor whose last read failed is tried again after this time.
const TRY_AGAIN: Duration = Duration::from_mins(5);

/// The last read of each anchor, by the operator's name. It is in memory only: a new process reads every anchor at its first
/// tick.
#[derive(Default)]
pub(super) struct LastLooks(Mutex<BTreeMap<String, LastLook>>);

/// The result of the last read of an anchor.
#[derive(Clone, Debug)]
struct LastLook {
    /// The entry as it was then: another ARN or role under the same name makes a new read due.
    anchor: ManagedAnchor,
    /// The SHA-256 sums of this mount's certificates that it held then, whatever else it holds; none if the read failed.
    held: Option<BTreeSet<String>>,
    /// The SHA-256 sums of the issuers that signed then.
    wanted: BTreeSet<String>,
    /// When the read ended.
    looked: Instant,
}

impl LastLooks {
    /// Whether each anchor held every issuer that signs when it was last read, by name. False if the read failed.
    pub(super) fn in_sync(&self, issuers: &Issuers) -> BTreeMap<String, bool> {
        let wanted = fingerprints(&signing(issuers));
        let last_looks = self.all();
        let is_in_sync =
            |last_look: &LastLook| last_look.held.as_ref().is_some_and(|held| held.is_superset(&wanted));
        last_looks.iter().map(|(name, last_look)| (name.clone(), is_in_sync(last_look))).collect()
    }

    /// Whether each of these anchors was last seen with exactly the issuers that sign. Certificates that are not this mount's do
    /// not count. An anchor that was never read is not.
    pub(super) fn are_seen_with(&self, arns: &[TrustAnchorArn], issuers: &Issuers) -> bool {
        let wanted = fingerprints(&signing(issuers));
        let last_looks = self.all();
        arns.iter().all(|arn| {
            let of_it = |last_look: &&LastLook| last_look.anchor.trust_anchor_arn == *arn;
            last_looks.values().find(of_it).is_some_and(|last_look| last_look.held.as_ref() == Some(&wanted))
        })
    }

    /// Whether an anchor must be read: it was never read, its entry changed, it held other certificates of this mount than those
    /// that sign (`wanted`), or the last read is too long ago.
    pub(super) fn is_due(&self, name: &str, anchor: &ManagedAnchor, wanted: &BTreeSet<String>) -> bool {
        match self.all().get(name).filter(|last_look| last_look.anchor == *anchor) {
            Some(LastLook { held: Some(held), looked, .. }) if held == wanted => {
                looked.elapsed() >= LOOK_AGAIN
            }
            Some(LastLook { held: None, wanted: then, looked, .. }) if then == wanted => {
                looked.elapsed() >= TRY_AGAIN
            }
            _ => true,
        }
    }

    /// The time since the last read; the maximum if there was none.
    pub(super) fn unseen_for(&self, name: &str) -> Duration {
        self.all().get(name).map_or(Duration::MAX, |last_look| last_look.looked.elapsed())
    }

    /// Records the result of a read that ended now; `held` is none if it failed.
    pub(super) fn note(
        &self,
        name: &str,
        anchor: &ManagedAnchor,
        held: Option<BTreeSet<String>>,
        wanted: BTreeSet<String>,
    ) {
        let last_look = LastLook { anchor: anchor.clone(), held, wanted, looked: Instant::now() };
        self.all().insert(name.to_owned(), last_look);
    }

    /// Forgets every anchor for whose name `is_kept` is false.
    pub(super) fn retain(&self, is_kept: impl Fn(&str) -> bool) {
        self.all().retain(|name, _| is_kept(name));
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, LastLook>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The certificates, as DER, of the issuers whose leaves AWS must accept now, the current one first.
pub(crate) fn signing(issuers: &Issuers) -> Vec<Vec<u8>> {
    issuers.bundle(clock::now()).iter().map(|loaded| loaded.issuer.certificate_der().to_vec()).collect()
}
