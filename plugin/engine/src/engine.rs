//! One mount: its parts, and how they are assembled.

use std::sync::Arc;

use rolesanywhere::{Client, ClientError, ProxyVariables, Settings, Transport};
use vault_backend::{Fault, Mount};

use crate::check::Checks;
use crate::credentials::service::{Credentials, SessionServices};
use crate::ground::lifecycle::Lifecycle;
use crate::incident::incidents::Incidents;
use crate::management::denial_policy::DenialPolicies;
use crate::management::own_session::OwnSessions;
use crate::management::trust_anchors::TrustAnchors;
use crate::snapshot::{Snapshot, Snapshots};
use crate::store::Store;

/// One mount of the engine. Each mount has its own cache of sessions, ledger, counters and AWS clients.
pub struct Engine {
    /// The proxy variables of Vault's environment, read once when the mount starts.
    pub(crate) proxy_variables: ProxyVariables,
    /// Grants sessions to callers. The parts below share it, because they need its snapshots and its session service.
    pub(crate) credentials: Arc<Credentials>,
    /// Keeps the bundles of trust anchors in sync with the issuers.
    pub(crate) anchors: Arc<TrustAnchors>,
    /// Writes the inline policies that deny sessions.
    pub(crate) denials: Arc<DenialPolicies>,
    /// Ends sessions after a leak, with the three parts above.
    pub(crate) incidents: Incidents,
    /// Explains why a read is refused.
    pub(crate) checks: Checks,
    /// Whether this node is a performance standby, and whether the mount is closing.
    pub(crate) lifecycle: Arc<Lifecycle>,
}

impl Engine {
    /// An engine whose requests to AWS all go out over `transport`, for tests that substitute AWS.
    ///
    /// The config has no influence on the transport. Its proxy, its CA and its `connect_timeout` are therefore without effect;
    /// its endpoints, its `request_timeout` and its retries are in force.
    pub fn with_transport(mount: Mount, transport: Arc<dyn Transport>) -> Self {
        Self::connecting(mount, move |settings| Client::with_transport(settings, Arc::clone(&transport)))
    }

    /// Assembles an engine whose AWS clients `connect` makes from the settings of each config.
    ///
    /// Nothing is read from storage and nothing is called here, because Vault also makes an engine only to learn its type and
    /// version.
    pub(crate) fn connecting(
        mount: Mount,
        connect: impl Fn(&Settings) -> Result<Client, ClientError> + Send + Sync + 'static,
    ) -> Self {
        let proxy_variables = ProxyVariables::read(vault_backend::variable);
        let variables = proxy_variables.clone();
        let (lifecycle, services) = (Arc::new(Lifecycle::new()), SessionServices::new());
        let (ended, limited) = (services.clone(), services.clone());
        // the store ends cached sessions after a write, and each fresh snapshot sets the limits of the service
        let store = Store::new(mount.storage, move |ends| ended.end(ends));
        let snapshots = Snapshots::new(
            store.clone(),
            Box::new(move |config| connect(&config.settings(&variables))),
            Box::new(move |fresh| limited.set_limits(&fresh.config)),
        );
        let credentials = Arc::new(Credentials::new(snapshots, services, Arc::clone(&lifecycle)));
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

    /// The current config, issuers, clusters and client as one value; loaded from storage if one of them changed.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, Fault> {
        self.credentials.snapshots.get().await
    }
}
