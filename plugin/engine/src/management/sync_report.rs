//! The state of one trust anchor as it was seen, and whether it was changed.

use std::collections::BTreeSet;

use rolesanywhere::TrustAnchor;
use serde_json::{Map, Value, json};

use crate::management::bundle_plan::{BundlePlan, fingerprint, fingerprints};

/// The state of one anchor, its difference from the issuers, and whether that was mended.
pub(crate) struct SyncReport {
    /// As AWS showed it last: after the update, if there was one.
    pub(super) seen: TrustAnchor,
    /// The difference before the update.
    pub(super) plan: BundlePlan,
    /// Whether the plan was carried out, and AWS showed its bundle.
    pub(super) changed: bool,
}

impl SyncReport {
    /// The answer of `trust-anchors/<name>/sync`. Certificates appear as their SHA-256. Without a change, `added` and `removed`
    /// are what a write would add and remove, and `bundle` is what it would write.
    pub(crate) fn shown(&self) -> Map<String, Value> {
        let sums = |list: &[Vec<u8>]| list.iter().map(|der| fingerprint(der)).collect::<Vec<_>>();
        Map::from_iter([
            ("trust_anchor_arn".to_owned(), json!(self.seen.arn)),
            ("enabled".to_owned(), json!(self.seen.enabled)),
            ("in_step".to_owned(), json!(self.changed || self.plan.is_in_sync())),
            ("changed".to_owned(), json!(self.changed)),
            ("added".to_owned(), json!(sums(&self.plan.missing))),
            ("removed".to_owned(), json!(sums(&self.plan.retired))),
            ("foreign".to_owned(), json!(sums(&self.plan.foreign))),
            ("bundle".to_owned(), json!(sums(&self.plan.bundle))),
        ])
    }

    /// The warnings for the operator, which hold also if the anchor is in sync: it is disabled, or it holds certificates that are
    /// not ours.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.seen.enabled {
            warnings.push(format!("{} is disabled, so AWS returns no session for it", self.seen.arn));
        }
        for der in &self.plan.foreign {
            warnings.push(format!(
                "the anchor also holds {}, which is not an issuer of this mount: anyone with a certificate from it may request sessions",
                fingerprint(der)
            ));
        }
        warnings
    }

    /// The certificates, as DER, that the anchor holds and that this mount did not put there.
    pub(crate) fn foreign(&self) -> &[Vec<u8>] {
        &self.plan.foreign
    }

    /// Whether this call updated the anchor.
    pub(crate) fn was_changed(&self) -> bool {
        self.changed
    }

    /// Whether the anchor holds the certificate `der` now, after the update if there was one. A retired issuer counts as not
    /// held, also if a dry run left it there.
    pub(crate) fn holds(&self, der: &[u8]) -> bool {
        let is_missing = self.plan.missing.iter().any(|missing| missing == der);
        self.plan.bundle.iter().any(|held| held == der) && (self.changed || !is_missing)
    }

    /// The SHA-256 sums of this mount's certificates that the anchor holds now. Without an update that includes retired issuers.
    pub(super) fn held(&self) -> BTreeSet<String> {
        let bundle = self.plan.bundle.iter().filter(|der| !self.plan.foreign.contains(der));
        let mut held: BTreeSet<String> =
            bundle.filter(|der| self.holds(der)).map(|der| fingerprint(der)).collect();
        if !self.changed {
            held.extend(fingerprints(&self.plan.retired));
        }
        held
    }
}
