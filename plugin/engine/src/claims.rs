//! What holds of everything that a host sends and AWS answers. `fuzz/` looks for an input that breaks a claim; tests beside each
//! claim hold the inputs it kept.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a claim that does not hold panics: that is what it is for"
)]

mod aws;
mod host;

pub use host::host_requests;
