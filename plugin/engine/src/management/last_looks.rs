//! What the last look at each trust anchor found, and when the next one is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rolesanywhere::TrustAnchorArn;
use tokio::time::Instant;

use crate::ground::clock;
use crate::issuers::Issuers;
use crate::management::bundle_plan::fingerprints;
use crate::records::managed_anchor::ManagedAnchor;

/// An anchor that was in step is looked at again after this, for what others changed at AWS.
const LOOK_AGAIN: Duration = Duration::from_hours(1);
/// The same where the last look failed.
const TRY_AGAIN: Duration = Duration::from_mins(5);

/// By the operator's name of the anchor.
#[derive(Default)]
pub(super) struct LastLooks(Mutex<BTreeMap<String, LastLook>>);

/// What the last look at an anchor found.
#[derive(Clone, Debug)]
struct LastLook {
    anchor: ManagedAnchor,
    /// SHA-256 sums of the certificates of this mount that it held then, whichever else it may hold; none where the look failed.
    held: Option<BTreeSet<String>>,
    /// The same of the issuers that signed then.
    wanted: BTreeSet<String>,
    looked: Instant,
}

impl LastLooks {
    /// Whether each anchor was in step with `issuers` when it was last looked at, by name.
    pub(super) fn in_step(&self, issuers: &Issuers) -> BTreeMap<String, bool> {
        let wanted = fingerprints(&signing(issuers));
        let last_looks = self.all();
        let is_in_step =
            |last_look: &LastLook| last_look.held.as_ref().is_some_and(|held| held.is_superset(&wanted));
        last_looks.iter().map(|(name, last_look)| (name.clone(), is_in_step(last_look))).collect()
    }

    /// Whether each of these anchors was last seen with exactly what signs of `issuers`, whatever else is there that is not this mount's.
    pub(super) fn are_seen_with(&self, arns: &[TrustAnchorArn], issuers: &Issuers) -> bool {
        let wanted = fingerprints(&signing(issuers));
        let last_looks = self.all();
        arns.iter().all(|arn| {
            let of_it = |last_look: &&LastLook| last_look.anchor.trust_anchor_arn == *arn;
            last_looks.values().find(of_it).is_some_and(|last_look| last_look.held.as_ref() == Some(&wanted))
        })
    }

    /// Whether an anchor is to be looked at: it holds other certificates of this mount than those that sign, or was not looked at for long.
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

    /// For how long it was not looked at.
    pub(super) fn unseen_for(&self, name: &str) -> Duration {
        self.all().get(name).map_or(Duration::MAX, |last_look| last_look.looked.elapsed())
    }

    /// Notes what a look found now.
    pub(super) fn note(
        &self,
        name: &str,
        anchor: &ManagedAnchor,
        (held, wanted): (Option<BTreeSet<String>>, BTreeSet<String>),
    ) {
        let last_look = LastLook { anchor: anchor.clone(), held, wanted, looked: Instant::now() };
        self.all().insert(name.to_owned(), last_look);
    }

    /// Nothing is said any more of an anchor that is not kept.
    pub(super) fn retain(&self, is_kept: impl Fn(&str) -> bool) {
        self.all().retain(|name, _| is_kept(name));
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, LastLook>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The issuers whose leaves AWS has to accept.
pub(crate) fn signing(issuers: &Issuers) -> Vec<Vec<u8>> {
    issuers.bundle(clock::now()).iter().map(|loaded| loaded.issuer.certificate_der().to_vec()).collect()
}
