//! Floor 6: the engine's own calls to AWS, for trust anchors and for the inline policies that deny sessions.
//!
//! ```text
//! trust_anchors ─▶ bundle_plan, sync_report, last_looks ─┐
//! denial_policy, prune ──────────────────────────────────┴▶ own_session ─▶ AWS
//! ```
//!
//! Each call to AWS is made in a session of the engine's own, never in a caller's.

pub(crate) mod anchor_task;
pub(crate) mod bundle_plan;
pub(crate) mod denial_policy;
mod last_looks;
pub(crate) mod own_session;
pub(crate) mod prune;
pub(crate) mod sync_report;
pub(crate) mod trust_anchors;
