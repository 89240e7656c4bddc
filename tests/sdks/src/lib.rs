//! The AWS SDKs that tests measure: how each one's caller is started, and what its output says of the credentials that it had.
//!
//! The callers are ordinary programs of one process and one client, which `./prepare` builds, and one that cargo builds.

#![allow(clippy::missing_panics_doc, reason = "a harness reports by panicking, everywhere")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness reports by panicking, everywhere")]

mod call;
mod outcome;
mod sdk;

pub use call::Call;
pub use outcome::{Outcome, first_error, survived, without_brinks};
pub use sdk::{Sdk, here};
