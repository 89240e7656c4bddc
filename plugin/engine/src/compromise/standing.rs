//! What was seen of the trust anchors, and the IAM roles whose sessions come by them.

use std::collections::{BTreeMap, BTreeSet};

use rolesanywhere::RoleArn;

use super::record::Compromise;
use super::report::{Line, Outcome};
use crate::anchors::{self, Named};

/// What the trust anchors hold now.
#[derive(Default)]
pub(super) struct Synced {
    pub(super) lines: Vec<Line>,
    /// The ARNs of those that were seen with the issuers that sign, and with no other of this mount.
    pub(super) in_step: BTreeSet<String>,
    /// Of the same, what else counts.
    pub(super) clear: BTreeMap<String, Seen>,
    /// What else was seen there.
    pub(super) foreign: Vec<Line>,
}

/// One trust anchor that is in step.
pub(super) struct Seen {
    /// It holds no CA either that is above the compromised issuer.
    pub(super) is_clear: bool,
    /// It was brought in step just now.
    pub(super) was_changed: bool,
}

impl Synced {
    /// Notes an anchor that is in step; `above` is what lets the compromised issuer in all the same.
    pub(super) fn note(&mut self, at: Named<'_>, report: &anchors::Report, above: &[String]) -> Outcome {
        let arn = at.anchor.trust_anchor_arn.to_string();
        let warned = report.warnings().into_iter().map(Outcome::ByHand);
        self.foreign.extend(warned.map(|what| Line::new(format!("look at trust-anchors/{}", at.name), what)));
        let seen = Seen { is_clear: above.is_empty(), was_changed: report.was_changed() };
        self.in_step.insert(arn.clone());
        self.clear.insert(arn, seen);
        if above.is_empty() {
            return Outcome::Done("in step".to_owned());
        }
        Outcome::ByHand(format!(
            "it holds {}, which is above the compromised issuer or may be: its key makes sessions for as long as the anchor holds that. Put what {}trust-bundle shows, and nothing else, into {}, then this command again",
            above.join(" and "),
            at.mount_point,
            at.anchor.trust_anchor_arn
        ))
    }
}

/// An IAM role whose sessions are to end.
pub(super) struct Target {
    pub(super) arn: RoleArn,
    /// One of the engine's roles that lead there, if one still does.
    pub(super) name: Option<String>,
    /// By which sessions of it come.
    pub(super) anchors: BTreeSet<String>,
    /// Every one of them was seen without the compromised issuer and without a CA above it.
    pub(super) is_clear: bool,
}

impl Target {
    pub(super) fn new(arn: RoleArn, name: Option<String>) -> Self {
        Self { arn, name, anchors: BTreeSet::new(), is_clear: true }
    }

    pub(super) fn is_settled(&self, known: &Compromise) -> bool {
        self.is_clear && known.is_settled(self.arn.as_str(), &self.anchors)
    }
}
