//! Floor 6: from a role and a caller to a session.
//!
//! ```text
//! grant ─▶ session_spec ─▶ planned_session ─▶ key ─▶ service ─▶ recipe ─▶ issued ─▶ outcome, lifetime
//!   └────▶ ledger: which sessions live, who holds them, which reads a revocation ends
//! ```
//!
//! `documents` writes a session in the forms that AWS tools read; `counters` counts the calls to AWS. Start reading in
//! `grant.rs`.

pub(crate) mod counters;
pub(crate) mod documents;
pub(crate) mod grant;
pub(crate) mod handed;
pub(crate) mod hop;
pub(crate) mod hop_key;
pub(crate) mod issued;
pub(crate) mod key;
pub(crate) mod ledger;
pub(crate) mod lifetime;
pub(crate) mod outcome;
pub(crate) mod planned_session;
pub(crate) mod recipe;
pub(crate) mod service;
pub(crate) mod session_spec;
