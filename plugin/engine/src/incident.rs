//! Floor 7: the response to a leaked key or a leaked credential.
//!
//! `break_glass` denies every session of an IAM role, `sessions` denies single ones, and `compromise` takes a CA out of use,
//! which includes the break-glass for every IAM role that its key opened.
//! The paths above parse the request and render the report. The floor below, `management`, talks to AWS. Start reading in
//! `break_glass.rs`, which is the shortest.

pub(crate) mod break_glass;
pub(crate) mod compromise;
mod gaps;
pub(crate) mod incidents;
pub(crate) mod sessions;
pub(crate) mod targets;
