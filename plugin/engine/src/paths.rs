//! Floor 8: one file for each Vault path. Only this folder knows fields and responses, and only it and `backend.rs` know
//! `Engine`.
//!
//! A file always has the same parts: the fields and their struct, the route with its help, then the handlers. A handler reads the
//! request, calls one of the floors below, and renders the result; it never calls AWS itself. The files without `path_` in their
//! names hold what several paths share. `backend.rs` lists the routes in order.

pub(crate) mod entity_id;
pub(crate) mod exposition;
pub(crate) mod in_place;
pub(crate) mod issuer_answer;
pub(crate) mod named;
pub(crate) mod new_ca;
pub(crate) mod owner;
pub(crate) mod path_ca;
pub(crate) mod path_check;
pub(crate) mod path_clusters;
pub(crate) mod path_config;
pub(crate) mod path_config_issuers;
pub(crate) mod path_container;
pub(crate) mod path_creds;
pub(crate) mod path_intermediate;
pub(crate) mod path_issuer_compromised;
pub(crate) mod path_issuers;
pub(crate) mod path_issuers_import;
pub(crate) mod path_metrics;
pub(crate) mod path_preview;
pub(crate) mod path_revoke;
pub(crate) mod path_revoke_sessions;
pub(crate) mod path_roles;
pub(crate) mod path_root;
pub(crate) mod path_rotation;
pub(crate) mod path_sessions;
pub(crate) mod path_trust_anchor_sync;
pub(crate) mod path_trust_anchors;
pub(crate) mod schema;
