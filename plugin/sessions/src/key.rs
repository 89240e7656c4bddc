//! The key of a session.

use std::hash::Hash;

use crate::request::{FailureDomain, QuotaScope};

/// The key of a session: requests with equal keys share it.
pub trait Key: Clone + Eq + Hash + Send + 'static {
    /// The quota that its sessions count against. Equal keys have the same one.
    fn quota_scope(&self) -> QuotaScope;

    /// The requests that are penalized together after refusals. Equal keys may differ in it: the request that begins a
    /// flight decides for all that join it.
    fn failure_domain(&self) -> FailureDomain;
}
