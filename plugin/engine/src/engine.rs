//! One mount: its parts, and how they are put together.

use std::sync::Arc;

use rolesanywhere::{Client, ClientError, ProxyVariables, Settings};
use vault_backend::{Fault, Mount};

use crate::check::Checks;
use crate::credentials::service::{self, Credentials};
use crate::ground::lifecycle::Lifecycle;
use crate::incident::incidents::Incidents;
use crate::management::denial_policy::DenialPolicies;
use crate::management::own_session::OwnSessions;
use crate::management::trust_anchors::TrustAnchors;
use crate::snapshot::{Snapshot, Snapshots};
use crate::store::Store;

/// One mount of the engine: its parts.
pub struct Engine {
    /// Vault's, as they were when the mount began.
    pub(crate) proxy_variables: ProxyVariables,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) anchors: Arc<TrustAnchors>,
    pub(crate) denials: Arc<DenialPolicies>,
    pub(crate) incidents: Incidents,
    pub(crate) checks: Checks,
    pub(crate) lifecycle: Arc<Lifecycle>,
}

impl Engine {
    /// An engine whose clients `connect` makes.
    pub(crate) fn connecting(
        mount: Mount,
        connect: impl Fn(&Settings) -> Result<Client, ClientError> + Send + Sync + 'static,
    ) -> Self {
        let proxy_variables = ProxyVariables::read(vault_backend::variable);
        let variables = proxy_variables.clone();
        let (lifecycle, sessions) = (Arc::new(Lifecycle::new()), service::service());
        let (ended, limited) = (sessions.clone(), sessions.clone());
        let store = Store::new(mount.storage, move |ends| service::end(&ended, ends));
        let snapshots = Snapshots::new(
            store.clone(),
            Box::new(move |config| connect(&config.settings(&variables))),
            Box::new(move |fresh| limited.set_limits(fresh.config.limits())),
        );
        let credentials = Arc::new(Credentials::new(snapshots, sessions, Arc::clone(&lifecycle)));
        let own = Arc::new(OwnSessions::new(Arc::clone(&credentials)));
        let anchors = Arc::new(TrustAnchors::new(Arc::clone(&credentials), Arc::clone(&own)));
        let denials = Arc::new(DenialPolicies::new(store, Arc::clone(&own)));
        let incidents = Incidents::new(Arc::clone(&credentials), Arc::clone(&anchors), Arc::clone(&denials));
        let checks = Checks::new(Arc::clone(&credentials), own);
        Self { proxy_variables, credentials, anchors, denials, incidents, checks, lifecycle }
    }

    /// The mount's storage.
    pub(crate) fn store(&self) -> &Store {
        self.credentials.store()
    }

    /// Config, issuers, clusters and client as they stand.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, Fault> {
        self.credentials.snapshots.get().await
    }
}
