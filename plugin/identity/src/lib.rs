//! Who asks, and what the certificate says of the caller: a role's templates, resolved for one of Vault's identities.
//!
//! ```text
//! role's text ──▶ Template ─┐
//!                           ├─▶ resolve ──▶ shorten ──▶ SubjectTexts::profile ──▶ ca::LeafProfile
//! request ──▶ Caller ───────┘        a value is never read as a template again
//!              └ Vault's entity, its aliases, and which auth mount is which cluster
//! ```
//!
//! It reads no storage and calls no AWS: two callers whom a text tells apart never get one text, and property tests hold it. Start
//! reading in `template.rs`, then `caller.rs`.

mod caller;
mod clusters;
mod command_word;
mod digest;
mod reference;
pub mod session_tags;
mod shorten;
mod subject;
mod subject_field;
mod template;

#[cfg(any(test, fuzzing))]
pub use template::claims;

pub use caller::{Audience, Caller, Known, Resolved, Unresolvable};
pub use clusters::{Cluster, Clusters, is_as_vault_makes_it};
pub use command_word::word;
pub use reference::{Reference, name_one_caller};
pub use subject::SubjectTexts;
pub use subject_field::{MANAGEMENT, SubjectField};
pub use template::{Malformed, ResolvedReference, Template};
