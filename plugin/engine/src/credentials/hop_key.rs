//! The key of a hop's session: the session that makes it, and the parameters of the hop.

use std::sync::Arc;

use rolesanywhere::{AssumeRole, TrustAnchorArn};
use sessions::{FailureDomain, QuotaScope};

use crate::credentials::key::SessionKey;

/// Two callers may share the session of a hop only if their keys are equal. A clone costs a reference count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HopKey(Arc<HopParts>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct HopParts {
    hub: SessionKey,
    /// Its session name is empty, because that is the serial number of the session that makes it.
    call: AssumeRole,
    /// STS's quota of each place of the hub: it has one for each account and region of the callers.
    places: Arc<[QuotaScope]>,
}

impl HopKey {
    pub(crate) fn new(hub: SessionKey, call: AssumeRole) -> Self {
        let of = |anchor: &TrustAnchorArn| {
            QuotaScope::new(format!("sts/{}/{}", anchor.account(), anchor.region()))
        };
        let places = hub.parts().anchors().map(of).collect();
        Self(Arc::new(HopParts { hub, call, places }))
    }

    /// The key of the session that makes it.
    pub(crate) fn hub(&self) -> &SessionKey {
        &self.0.hub
    }

    /// The parameters of the hop, without a session name.
    pub(crate) fn call(&self) -> &AssumeRole {
        &self.0.call
    }
}

impl sessions::Key for HopKey {
    const CALL: &'static str = "AssumeRole";

    fn places(&self) -> Arc<[QuotaScope]> {
        Arc::clone(&self.0.places)
    }

    fn failure_domain(&self) -> FailureDomain {
        self.0.hub.domain()
    }
}
