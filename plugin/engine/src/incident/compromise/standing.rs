//! What was seen of the trust anchors, and the IAM roles whose sessions come by them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rolesanywhere::RoleArn;
use time::OffsetDateTime;

use super::report::{Line, Outcome};
use crate::management::anchor_task::AnchorTask;
use crate::management::sync_report::SyncReport;
use crate::records::compromise::Compromise;

/// What the trust anchors hold now.
#[derive(Default)]
pub(super) struct Synced {
    pub(super) lines: Vec<Line>,
    /// Those that were seen with the issuers that sign, and with no other of this mount, by their ARNs.
    pub(super) seen: BTreeMap<String, Seen>,
    /// What else was seen there.
    pub(super) foreign: Vec<Line>,
}

/// One trust anchor that is in step.
pub(super) struct Seen {
    /// It holds no certificate of the key, and no CA above one.
    pub(super) is_clear: bool,
    /// It was brought in step just now.
    pub(super) was_changed: bool,
    /// Not before AWS showed it.
    pub(super) at: OffsetDateTime,
}

/// A certificate, by its SHA-256, that an anchor holds and that is no issuer of this mount: by it the compromised key gets sessions.
pub(super) enum WayIn {
    /// Another certificate of the same key.
    OfTheKey(String),
    /// A CA above the issuer, or one that may be.
    Above(String),
}

impl fmt::Display for WayIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfTheKey(sum) => write!(f, "{sum}, which is another certificate of the compromised key"),
            Self::Above(sum) => write!(f, "{sum}, which is above the compromised issuer or may be"),
        }
    }
}

impl Synced {
    /// Notes an anchor that is in step and was seen `at` this time, with these ways in for the key.
    pub(super) fn note(
        &mut self,
        named: AnchorTask<'_>,
        report: &SyncReport,
        (ways_in, at): (&[WayIn], OffsetDateTime),
    ) -> Outcome {
        let arn = named.anchor.trust_anchor_arn.to_string();
        let warned = report.warnings().into_iter().map(Outcome::ByHand);
        self.foreign
            .extend(warned.map(|what| Line::new(format!("look at trust-anchors/{}", named.name), what)));
        let seen = Seen { is_clear: ways_in.is_empty(), was_changed: report.was_changed(), at };
        self.seen.insert(arn, seen);
        if ways_in.is_empty() {
            return Outcome::Done("in step".to_owned());
        }
        let ways_in: Vec<String> = ways_in.iter().map(ToString::to_string).collect();
        Outcome::ByHand(format!(
            "it holds {}: the key makes sessions for as long as the anchor holds that. Put what {}trust-bundle shows, and nothing else, into {}, then this command again",
            ways_in.join(", and "),
            named.mount_point,
            named.anchor.trust_anchor_arn
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
    /// Every one of them was seen without a certificate of the compromised key and without a CA above one.
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
