//! The parts that end sessions: what made them, the anchors that let them in, the policies that deny them.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::credentials::service::Credentials;
use crate::management::denial_policy::DenialPolicies;
use crate::management::trust_anchors::TrustAnchors;

/// Responses to what leaked, of one mount.
pub(crate) struct Incidents {
    pub(super) credentials: Arc<Credentials>,
    pub(super) anchors: Arc<TrustAnchors>,
    pub(super) denials: Arc<DenialPolicies>,
    /// One response to a compromise at a time: what it did is noted, and read by the next one.
    pub(super) responding: Mutex<()>,
}

impl Incidents {
    pub(crate) fn new(
        credentials: Arc<Credentials>,
        anchors: Arc<TrustAnchors>,
        denials: Arc<DenialPolicies>,
    ) -> Self {
        Self { credentials, anchors, denials, responding: Mutex::default() }
    }
}
