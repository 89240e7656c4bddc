//! Turns a profile into a leaf certificate that AWS IAM Roles Anywhere accepts, under a certificate authority whose key
//! never leaves.
//!
//! ```text
//! generate_root ─┐
//! import_bundle ─┼─▶ Issuer ── issue(LeafProfile, now) ─▶ template ─▶ sign ─▶ read back against LEAF_RULES ─▶ Leaf
//! set_signed ────┘     ▲
//!    ▲                 └ from_parts (from storage)
//!    └ generate_csr ─▶ somebody else's CA signs it
//! ```
//!
//! The crate knows no Vault, no HTTP and no clock: `now` is an argument. rcgen writes the signed part, a small DER file
//! adds the names (rcgen would lose repeated attributes), aws-lc-rs signs, and x509-parser reads the result back before
//! the caller gets it.
//!
//! Start reading at [`Issuer`], then `leaf.rs` (the main task) and `rules.rs` (the rules for a leaf, each with its
//! source).

mod algorithm;
mod authority;
mod bundle;
mod chain;
#[cfg(any(test, fuzzing))]
pub mod claims;
mod csr;
mod der;
mod error;
mod import;
mod issuer;
mod key;
mod leaf;
mod name;
mod profile;
mod root;
mod rules;
mod san;
mod serial;
mod template;

pub use csr::{Csr, generate_csr};
pub use error::{BundleFault, Error, Flaw, KeyFault};
pub use import::{import_bundle, set_signed};
pub use issuer::{Issuer, Warning, der_of_pem};
pub use key::KeySpec;
pub use leaf::Leaf;
pub use name::Subject;
pub use profile::{CaProfile, CsrProfile, LeafProfile};
pub use rules::{LEAF_RULES, Rule};
pub use san::{check_dns_san, check_uri_san};
pub use secrecy::{ExposeSecret, SecretSlice};
pub use serial::Serial;
