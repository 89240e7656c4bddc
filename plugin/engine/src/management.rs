//! Floor 6: what the engine does at AWS as itself: trust anchors, and the inline policies that deny sessions.

pub(crate) mod bundle_plan;
pub(crate) mod denial_policy;
pub(crate) mod own_session;
pub(crate) mod prune;
pub(crate) mod trust_anchors;
