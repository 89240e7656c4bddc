//! Claims that hold for every request of a host and every answer of AWS. `fuzz/` searches for an input that breaks a claim. The
//! test beside each claim replays the inputs that the fuzzer saved.
//!
//! Tests and the fuzzer alone compile this module.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a claim that does not hold panics: that is what it is for"
)]

mod aws;
mod host;

pub use host::host_requests;
