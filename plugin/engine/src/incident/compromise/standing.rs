//! What the trust anchors were seen to hold, and the IAM roles whose sessions came through them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rolesanywhere::{RoleArn, TrustAnchorArn};
use time::OffsetDateTime;

use super::inventory::Inventory;
use super::report::{ReportLine, StepOutcome};
use crate::ground::clock::rfc3339;
use crate::management::anchor_task::AnchorTask;
use crate::management::sync_report::SyncReport;
use crate::records::compromise::Compromise;

/// The state that trust anchors are synced for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// They hold the next issuer beside the one that signs. Comes before the switch, because a read fails at an anchor that does
    /// not hold the signing issuer.
    Next,
    /// They hold no certificate that lets the compromised key in. Comes after the switch.
    Clear,
}

impl Aim {
    pub(super) fn step(self) -> &'static str {
        match self {
            Self::Next => "add the next issuer to every trust anchor",
            Self::Clear => "remove the compromised issuer from every trust anchor",
        }
    }

    /// The consequence for as long as a person has not done the step.
    fn else_what(self) -> &'static str {
        match self {
            Self::Next => "until then reads through it fail",
            Self::Clear => "until then the compromised key can make sessions",
        }
    }

    /// The outcome for an anchor that the engine does not manage.
    pub(super) fn by_hand(self, anchor: &TrustAnchorArn, mount_point: &str) -> StepOutcome {
        let else_what = self.else_what();
        StepOutcome::ByHand(format!(
            "put the certificates of {mount_point}trust-bundle into {anchor}: {else_what}"
        ))
    }
}

/// The result of syncing every trust anchor once.
#[derive(Default)]
pub(super) struct Synced {
    /// A line for each anchor, managed or not.
    pub(super) lines: Vec<ReportLine>,
    /// The anchors that are in sync, by ARN: each holds the issuers that sign and no other issuer of this mount. An anchor that
    /// is not managed, or whose sync failed, is missing.
    pub(super) seen: BTreeMap<String, Seen>,
    /// The ARNs of the managed anchors whose sync failed, which the engine tries again by itself.
    pub(super) failed: BTreeSet<String>,
    /// What else was seen there and a person must judge: a disabled anchor, and certificates that this mount did not put there.
    pub(super) foreign: Vec<ReportLine>,
}

/// One trust anchor that is in sync.
pub(super) struct Seen {
    /// It holds no certificate of the compromised key, and no CA above one.
    pub(super) is_clear: bool,
    /// This sync changed it, so AWS may go on taking the removed certificate for some minutes from now.
    pub(super) was_changed: bool,
    /// When it was looked at. The time is taken after AWS answered, so the waiting time never begins too early.
    pub(super) at: OffsetDateTime,
}

/// A certificate in an anchor that lets the compromised key in although it is no issuer of this mount. Each variant holds its
/// SHA-256.
pub(super) enum WayIn {
    /// Another certificate of the same key.
    OfTheKey(String),
    /// A CA above the issuer, or one that may be: the issuer's chain does not always reach a root.
    Above(String),
}

impl fmt::Display for WayIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfTheKey(sum) => write!(f, "{sum}, which is another certificate of the compromised key"),
            Self::Above(sum) => write!(f, "{sum}, which is or may be above the compromised issuer"),
        }
    }
}

impl Synced {
    /// Records an anchor that is in sync, seen at `at` with these ways in for the key, and returns the outcome of its step: done,
    /// or by hand if there is a way in that the engine may not remove, because it did not put it there.
    pub(super) fn note(
        &mut self,
        task: AnchorTask<'_>,
        report: &SyncReport,
        ways_in: &[WayIn],
        at: OffsetDateTime,
    ) -> StepOutcome {
        let arn = task.anchor.trust_anchor_arn.to_string();
        let warned = report.warnings().into_iter().map(StepOutcome::ByHand);
        self.foreign
            .extend(warned.map(|what| ReportLine::new(format!("look at trust-anchors/{}", task.name), what)));
        let seen = Seen { is_clear: ways_in.is_empty(), was_changed: report.was_changed(), at };
        self.seen.insert(arn, seen);
        if ways_in.is_empty() {
            return StepOutcome::Done("in sync".to_owned());
        }
        let ways_in: Vec<String> = ways_in.iter().map(ToString::to_string).collect();
        StepOutcome::ByHand(format!(
            "the anchor holds {}: the key can make sessions until that is removed. Put the certificates of {}trust-bundle, and no others, into {}, then run this command again",
            ways_in.join(", and "),
            task.mount_point,
            task.anchor.trust_anchor_arn
        ))
    }
}

/// An IAM role whose sessions must end.
pub(super) struct DenialTarget {
    pub(super) arn: RoleArn,
    /// One of the engine's roles that lead to it. None if only living sessions do, because their role is gone or leads elsewhere
    /// now.
    pub(super) name: Option<String>,
    /// The ARNs of the trust anchors that its sessions come through.
    pub(super) anchors: BTreeSet<String>,
    /// Those of the anchors that are not known to be clear.
    pub(super) open: BTreeSet<String>,
    /// Every one of those anchors is clear, so the key makes no new sessions of the role once AWS has caught up. False if one of
    /// them is not known.
    pub(super) is_clear: bool,
}

/// The IAM roles that the mount's roles lead to, and those of living sessions (`origins`) whose roles are gone or lead elsewhere
/// now, by ARN. `clear` has the ARNs of the trust anchors that were seen clear.
pub(super) fn targets(
    mount: &Inventory,
    origins: impl IntoIterator<Item = (RoleArn, TrustAnchorArn)>,
    clear: &BTreeSet<String>,
    mount_point: &str,
) -> BTreeMap<String, DenialTarget> {
    let mut found: BTreeMap<String, DenialTarget> = BTreeMap::new();
    let mut note = |arn: RoleArn, name: Option<String>, anchor: Option<&str>| {
        let target = found.entry(arn.to_string()).or_insert_with(|| DenialTarget::new(arn, name));
        target.comes_through(anchor, clear);
    };
    for (name, role) in &mount.roles {
        let Ok(places) = role.places(&mount.config, mount_point) else {
            note(role.role_arn.clone(), Some(name.clone()), None);
            continue;
        };
        // each of them lets the key in, so each must be clear
        for place in places.iter() {
            note(role.role_arn.clone(), Some(name.clone()), Some(place.trust_anchor.as_str()));
        }
    }
    for (role_arn, anchor) in origins {
        note(role_arn, None, Some(anchor.as_str()));
    }
    found
}

/// Plans when Vault's tick goes on: when the last role settles, and before that for each look at an anchor of `failed` that keeps a role
/// open.
pub(super) fn plan(
    known: &mut Compromise,
    targets: &BTreeMap<String, DenialTarget>,
    failed: &BTreeSet<String>,
    now: OffsetDateTime,
) {
    known.plan(targets.values().map(|target| (target.arn.as_str(), &target.anchors)), now);
    if targets.values().any(|target| !target.open.is_disjoint(failed)) {
        known.look_again(now);
    }
}

impl DenialTarget {
    /// A target without anchors yet. It counts as clear until an anchor that is not clear is added.
    pub(super) fn new(arn: RoleArn, name: Option<String>) -> Self {
        Self { arn, name, anchors: BTreeSet::new(), open: BTreeSet::new(), is_clear: true }
    }

    /// Adds an anchor of its sessions; `None` if nobody can tell which one it is.
    fn comes_through(&mut self, anchor: Option<&str>, clear: &BTreeSet<String>) {
        let is_open = |anchor: &&str| !clear.contains(*anchor);
        self.is_clear &= anchor.is_some_and(|anchor| !is_open(&anchor));
        self.open.extend(anchor.filter(is_open).map(str::to_owned));
        self.anchors.extend(anchor.map(str::to_owned));
    }

    /// Whether its sessions ended after AWS stopped taking the issuer, so nothing is left to do. A later call must not end them
    /// again, because callers have new ones by then.
    pub(super) fn is_settled(&self, known: &Compromise) -> bool {
        self.is_clear && known.is_settled(self.arn.as_str(), &self.anchors)
    }

    /// What must happen before its sessions can end for good, while the key may make more. The engine looks again at the anchors that
    /// `failed` by itself, at `again_at`; `by_name` is the command that ends the sessions of this role alone.
    pub(super) fn wait(
        &self,
        failed: &BTreeSet<String>,
        again_at: Option<OffsetDateTime>,
        by_name: &str,
    ) -> StepOutcome {
        let open: Vec<&str> = self.open.iter().map(String::as_str).collect();
        let open = if open.is_empty() { "its trust anchor".to_owned() } else { open.join(" and ") };
        if let Some(at) = again_at.filter(|_| !self.open.is_empty() && self.open.is_subset(failed)) {
            return StepOutcome::Later(format!(
                "until {open} is seen without the compromised issuer the key can make new sessions there: the engine looks again by itself at {}, and every five minutes for a day, and this command does it at once",
                rfc3339(at)
            ));
        }
        StepOutcome::ByHand(format!(
            "wait until {open} no longer holds the compromised issuer or a CA above it, because until then the key can make new sessions; then run this command again, or {by_name}"
        ))
    }
}
