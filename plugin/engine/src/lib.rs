//! The iamra secrets engine: the one crate where Vault, the certificate authority and AWS meet.
//!
//! ```text
//! vault read iamra/creds/app
//!   │ path_creds      what may be asked, and for how long
//!   │ session         role, caller → what is asked of AWS
//!   │ snapshot        config, issuers and client as one value
//!   │ caller          who is asking, as Vault knows it
//!   │ subject         role's templates and caller → certificate subject
//!   │ sharing, sessions   a session that the caller may share, or the turn to make one
//!   │ mint            ─ only where a new one is made:
//!   │ ca                a leaf for exactly that subject, key and all dropped after one use
//!   │ rolesanywhere     CreateSession
//!   ▼ lifetime        how long the lease may be
//! answer
//! ```
//!
//! Start reading in `backend.rs`, which holds the route table, then `path_creds.rs`, which is the main job, and
//! `session.rs`, which it shares with `path_container.rs`. Every path has a
//! file of its own: what may be asked, what happens, help.

mod anchor_plan;
mod anchorage;
mod anchors;
mod arn_guard;
mod backend;
mod caller;
mod check;
mod choices;
#[cfg(any(test, fuzzing))]
pub mod claims;
mod clock;
mod clusters;
mod command_word;
mod compromise;
mod config;
mod credentials;
mod denials;
mod entity_id;
mod faults;
mod fitting;
mod in_place;
mod issuers;
mod ledger;
mod lifetime;
mod looks;
mod managed_anchor;
mod management;
mod metrics;
mod mint;
mod path_ca;
mod path_check;
mod path_clusters;
mod path_config;
mod path_config_issuers;
mod path_container;
mod path_creds;
mod path_intermediate;
mod path_issuer_compromised;
mod path_issuers;
mod path_issuers_import;
mod path_metrics;
mod path_preview;
mod path_revoke;
mod path_revoke_sessions;
mod path_roles;
mod path_root;
mod path_rotation;
mod path_trust_anchor_sync;
mod path_trust_anchors;
mod place;
mod records;
mod reference;
mod revocation;
mod role;
mod seconds;
mod serial_number;
mod session;
mod sharing;
mod short;
mod snapshot;
mod store;
mod subject;
mod tags;
mod template;

pub use backend::Engine;
