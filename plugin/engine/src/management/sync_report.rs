//! What was seen at one trust anchor, and whether it was changed.

use std::collections::BTreeSet;

use rolesanywhere::TrustAnchor;
use serde_json::{Map, Value, json};

use crate::management::bundle_plan::{BundlePlan, fingerprint, fingerprints};

/// What was seen at one anchor, and whether it was changed.
pub(crate) struct SyncReport {
    pub(super) seen: TrustAnchor,
    pub(super) plan: BundlePlan,
    pub(super) changed: bool,
}

impl SyncReport {
    /// As `trust-anchors/<name>/sync` answers it.
    pub(crate) fn shown(&self) -> Map<String, Value> {
        let sums = |list: &[Vec<u8>]| list.iter().map(|der| fingerprint(der)).collect::<Vec<_>>();
        Map::from_iter([
            ("trust_anchor_arn".to_owned(), json!(self.seen.arn)),
            ("enabled".to_owned(), json!(self.seen.enabled)),
            ("in_step".to_owned(), json!(self.changed || self.plan.is_in_step())),
            ("changed".to_owned(), json!(self.changed)),
            ("added".to_owned(), json!(sums(&self.plan.missing))),
            ("removed".to_owned(), json!(sums(&self.plan.retired))),
            ("foreign".to_owned(), json!(sums(&self.plan.foreign))),
            ("bundle".to_owned(), json!(sums(&self.plan.bundle))),
        ])
    }

    /// What an operator should know about the anchor, though it is in step.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.seen.enabled {
            warnings.push(format!("{} is disabled: AWS gives no session by it", self.seen.arn));
        }
        for der in &self.plan.foreign {
            warnings.push(format!(
                "the anchor also holds {}, which is no issuer of this mount: whoever has a certificate of it may ask for sessions",
                fingerprint(der)
            ));
        }
        warnings
    }

    /// What the anchor holds that this mount did not put there.
    pub(crate) fn foreign(&self) -> &[Vec<u8>] {
        &self.plan.foreign
    }

    /// Whether it was brought in step just now.
    pub(crate) fn was_changed(&self) -> bool {
        self.changed
    }

    /// Whether the anchor holds `der` now.
    pub(crate) fn holds(&self, der: &[u8]) -> bool {
        let is_missing = self.plan.missing.iter().any(|missing| missing == der);
        self.plan.bundle.iter().any(|held| held == der) && (self.changed || !is_missing)
    }

    /// What of this mount's the anchor holds now.
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
