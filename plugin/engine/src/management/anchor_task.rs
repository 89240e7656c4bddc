//! One trust anchor that the engine works on, and how urgent the work is.

use sessions::{Rank, Sharing};

use crate::credentials::planned_session::Reuse;
use crate::records::managed_anchor::ManagedAnchor;

/// One anchor and the work on it.
#[derive(Clone, Copy)]
pub(crate) struct AnchorTask<'a> {
    /// The operator's name of the anchor, as in `trust-anchors/<name>`.
    pub(crate) name: &'a str,
    pub(crate) anchor: &'a ManagedAnchor,
    /// The mount's path, for the commands in faults.
    pub(crate) mount_point: &'a str,
    /// The urgency of the work.
    pub(crate) need: Need,
}

impl AnchorTask<'_> {
    /// The entry and its region, for faults: an operator must see which of several regions is unwell.
    pub(crate) fn place(&self) -> String {
        format!("trust-anchors/{} in {}", self.name, self.anchor.trust_anchor_arn.region())
    }
}

/// The purpose for which the engine needs a session. `own_session.rs` has the table of the differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To read state, or to keep something in sync.
    Routine,
    /// To end sessions, or to respond to a leaked key. The session must be new, because its date tells AWS's clock.
    Incident,
}

impl Need {
    /// The rank of the session's request under AWS's quota. No caller may hold up an incident; routine work comes after callers.
    pub(crate) fn rank(self) -> Rank {
        match self {
            Self::Routine => Rank::Spare,
            Self::Incident => Rank::First,
        }
    }

    /// What of earlier work may answer the request. The session of an incident is new, and serves no other work.
    pub(crate) fn reuse(self) -> Reuse {
        match self {
            Self::Routine => Reuse::OfKey(Sharing::SameKey),
            Self::Incident => Reuse::Nothing,
        }
    }
}
