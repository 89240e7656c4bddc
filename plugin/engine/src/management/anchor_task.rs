//! One trust anchor that the engine works on, and how urgent the work is.

use sessions::{Rank, Sharing};

use crate::records::managed_anchor::ManagedAnchor;

/// One anchor with its name, and where its mount is for texts.
#[derive(Clone, Copy)]
pub(crate) struct AnchorTask<'a> {
    pub(crate) name: &'a str,
    pub(crate) anchor: &'a ManagedAnchor,
    pub(crate) mount_point: &'a str,
    /// What is done there.
    pub(crate) need: Need,
}

/// What the engine needs a session for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To look, or to keep something in step.
    Routine,
    /// Sessions are to end, or a key has leaked. What AWS dates by its own clock is dated by this session.
    Incident,
}

impl Need {
    pub(crate) fn rank(self) -> Rank {
        match self {
            Self::Routine => Rank::Spare,
            Self::Incident => Rank::First,
        }
    }

    pub(crate) fn sharing(self) -> Sharing {
        match self {
            Self::Routine => Sharing::SameKey,
            Self::Incident => Sharing::Nobody,
        }
    }
}
