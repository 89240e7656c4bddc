//! What the stories under `tests/` share beside the harness: certificates that an operator may bring, and a way to say
//! that a write is refused.
//!
//! Each file under `tests/` is one story on a real Vault; its tests are named as claims.

pub mod paper;
mod refusal;

pub use refusal::{refused_write, unchanged_by};
