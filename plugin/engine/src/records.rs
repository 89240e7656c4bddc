//! Floor 2: what is stored, as types. It does no I/O.

pub(crate) mod allowed_roles;
pub(crate) mod anchorage;
pub(crate) mod compromise;
pub(crate) mod config;
pub(crate) mod denials;
pub(crate) mod issuer;
pub(crate) mod managed_anchor;
pub(crate) mod role;
pub(crate) mod role_options;
