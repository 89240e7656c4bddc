//! Callers and the certificates made for them: a role's templates, resolved for one identity of Vault.
//!
//! ```text
//! role field  ──▶ Template ─┐
//!                           ├─▶ resolve ──▶ shorten ──▶ SubjectTexts::profile ──▶ ca::LeafProfile
//! request ──▶ Caller ───────┘        a value is never read as a template again
//!              └ Vault's entity, its aliases, and which auth mount is which cluster
//! ```
//!
//! The crate reads no storage and calls no AWS API. Its one call of Vault is `EntityInfo`, in `caller.rs`.
//!
//! Two callers for whom a template's references have different values never get the same result. Property tests hold this,
//! because a policy in AWS would otherwise take one caller for another. Start reading in `template.rs`, then `caller.rs`.

mod caller;
mod clusters;
mod command_word;
mod digest;
mod reference;
pub mod session_tags;
mod shorten;
mod standard_texts;
mod subject;
mod subject_field;
mod template;

#[cfg(any(test, fuzzing))]
pub use template::claims;

pub use caller::{Audience, Caller, Known, Resolved, Unresolvable};
pub use clusters::{Cluster, Clusters, is_as_vault_makes_it};
pub use command_word::word;
pub use reference::{Reference, name_one_caller};
pub use standard_texts::StandardTexts;
pub use subject::SubjectTexts;
pub use subject_field::{MANAGEMENT, SubjectField, is_tag_character};
pub use template::{Malformed, ResolvedReference, Template};
