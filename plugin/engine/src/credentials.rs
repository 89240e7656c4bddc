//! Floor 6: from a role and a caller to a session.

pub(crate) mod counters;
pub(crate) mod documents;
pub(crate) mod grant;
pub(crate) mod issued;
pub(crate) mod key;
pub(crate) mod ledger;
pub(crate) mod lifetime;
pub(crate) mod outcome;
pub(crate) mod recipe;
pub(crate) mod service;
pub(crate) mod session_spec;
