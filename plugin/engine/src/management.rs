//! Floor 6: what the engine does at AWS as itself: trust anchors, and the inline policies that deny sessions.

pub(crate) mod anchor_task;
pub(crate) mod bundle_plan;
pub(crate) mod denial_policy;
mod last_looks;
pub(crate) mod own_session;
pub(crate) mod prune;
pub(crate) mod sync_report;
pub(crate) mod trust_anchors;
