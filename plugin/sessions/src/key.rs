//! The key of a session.

use std::hash::Hash;
use std::sync::Arc;

use crate::request::{FailureDomain, QuotaScope};

/// The key of a session: requests with equal keys share it.
pub trait Key: Clone + Eq + Hash + Send + 'static {
    /// The name of the issuer's call that makes its sessions and that the quota bounds, for texts.
    const CALL: &'static str;

    /// The accounts and regions that can make its sessions, in the order of preference: one to eight. Each has a quota
    /// of its own. Equal keys have the same ones.
    fn places(&self) -> Arc<[QuotaScope]>;

    /// The requests that are penalized together after refusals. Equal keys may differ in it: the request that begins a
    /// flight decides for all that join it.
    fn failure_domain(&self) -> FailureDomain;
}
