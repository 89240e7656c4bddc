//! The parts that an incident needs: the session cache and ledger, the managed trust anchors, and the denial policies.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::credentials::service::Credentials;
use crate::management::denial_policy::DenialPolicies;
use crate::management::trust_anchors::TrustAnchors;

/// Responds to incidents of one mount. Its methods are in the files beside this one, one file for each kind of incident.
pub(crate) struct Incidents {
    /// Knows which sessions were handed out, and drops cached ones.
    pub(super) credentials: Arc<Credentials>,
    /// Syncs the bundles of the managed trust anchors.
    pub(super) anchors: Arc<TrustAnchors>,
    /// Writes the inline policies. It allows one change at a time, and every ending of sessions waits for that turn.
    pub(super) denials: Arc<DenialPolicies>,
    /// Held for a whole response to a compromise, because each response stores its progress and the next one reads it. `end` and
    /// `end_all` do not take it, so a revocation never waits for a response.
    pub(super) responding: Mutex<()>,
}

impl Incidents {
    /// Shares the parts with the rest of the engine. It does no I/O.
    pub(crate) fn new(
        credentials: Arc<Credentials>,
        anchors: Arc<TrustAnchors>,
        denials: Arc<DenialPolicies>,
    ) -> Self {
        Self { credentials, anchors, denials, responding: Mutex::default() }
    }
}
