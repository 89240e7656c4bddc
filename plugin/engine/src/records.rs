//! Floor 2: the stored records, as types. It does no I/O.
//!
//! Their field names are those of the JSON in Vault's storage, and most are those of the API too. A field that an earlier version
//! did not write must be an `Option` or have a `#[serde(default)]`, because the records of every version are read for good.

mod admitted_clusters;
pub(crate) mod allowed_roles;
pub(crate) mod anchorage;
pub(crate) mod compromise;
pub(crate) mod config;
pub(crate) mod denials;
pub(crate) mod document;
pub(crate) mod hop;
pub(crate) mod instance_properties;
pub(crate) mod issuer;
pub(crate) mod managed_anchor;
pub(crate) mod places;
pub(crate) mod role;
pub(crate) mod role_options;
mod role_places;
pub(crate) mod session_event;
