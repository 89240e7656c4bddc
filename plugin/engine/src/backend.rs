//! The engine as a Vault backend: its state, its routes on one screen, and what Vault tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rolesanywhere::{Client, ClientError, ProxyVariables, Settings};
use scopeguard::guard;
use tokio::sync::watch;
use tracing::Instrument as _;
use vault_backend::{Backend, Blame, Fault, LeaseEnd, Mount, Route, SpecialPaths};

use crate::credentials::counters::Metrics;
use crate::credentials::key::SessionKey;
use crate::credentials::ledger::Ledger;
use crate::credentials::service::{self, Service};
use crate::ground::clock;
use crate::ground::looks::Looks;
use crate::incident::compromise;
use crate::issuers;
use crate::management::denial_policy::{Lately, Owner};
use crate::management::prune;
use crate::management::trust_anchors::{self, Anchors};
use crate::paths::{
    path_ca, path_check, path_clusters, path_config, path_config_issuers, path_container, path_creds,
    path_intermediate, path_issuer_compromised, path_issuers, path_issuers_import, path_metrics,
    path_preview, path_revoke, path_revoke_sessions, path_roles, path_root, path_rotation,
    path_trust_anchor_sync, path_trust_anchors,
};
use crate::snapshot::{Snapshot, Snapshots};
use crate::store::{self, Store};

/// One mount of the engine.
pub struct Engine {
    pub(crate) store: Store,
    /// Vault's, as they were when the mount began.
    pub(crate) proxy_variables: ProxyVariables,
    snapshots: Snapshots,
    pub(crate) sessions: Service,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) anchors: Anchors,
    pub(crate) ledger: Ledger,
    pub(crate) checks: Looks,
    /// One change of an inline policy at a time: each is read, changed and written back.
    pub(crate) revoking: tokio::sync::Mutex<Lately>,
    /// When what is over was last taken out of IAM roles.
    pub(crate) tidied: tokio::sync::Mutex<Option<tokio::time::Instant>>,
    /// One response to a compromise at a time: what it did is noted, and read by the next one.
    pub(crate) responding: tokio::sync::Mutex<()>,
    /// A performance standby must forward what takes a lease or a session, or N nodes would breach AWS's quota N times.
    standby: AtomicBool,
    closing: watch::Sender<bool>,
}

impl Backend for Engine {
    const HELP: &'static str = "\
The iamra engine hands out AWS credentials through IAM Roles Anywhere. It holds a certificate authority of its own; for a read
of creds/<role> it issues a certificate, calls CreateSession with it, forgets certificate and key, and returns the session's
credentials under a lease that is shorter than the session. Callers who are the same at AWS share a session until its half-life.
container/<role> gives the same to AWS SDKs that fetch their credentials themselves, without a lease.";

    fn new(mount: Mount) -> Self {
        Self::connecting(mount, Client::new)
    }

    fn routes() -> Vec<Route<Self>> {
        vec![
            path_config::route(),
            path_root::route(),
            path_intermediate::generate_route(),
            path_intermediate::set_signed_route(),
            path_issuers_import::route(),
            path_issuers::list_route(),
            path_issuers::route(),
            path_issuer_compromised::route(),
            path_config_issuers::route(),
            path_rotation::route(),
            path_ca::pem_route(),
            path_ca::chain_route(),
            path_ca::trust_bundle_route(),
            path_clusters::list_route(),
            path_clusters::route(),
            path_roles::list_route(),
            path_roles::route(),
            path_revoke_sessions::route(),
            path_revoke::route(),
            path_creds::route("creds/{role}"),
            path_creds::route("sts/{role}"),
            path_container::route(),
            path_preview::route(),
            path_check::route(),
            path_metrics::route(),
            path_trust_anchors::list_route(),
            path_trust_anchor_sync::route(),
            path_trust_anchors::route(),
        ]
    }

    fn special_paths() -> SpecialPaths {
        SpecialPaths {
            root: vec![
                "root/generate/internal",
                "intermediate/generate/internal",
                "intermediate/set-signed",
                "issuers/import/bundle",
                "revoke",
            ],
            unauthenticated: vec!["ca/pem", "ca_chain", "trust-bundle"],
            seal_wrap_storage: vec![store::KEY_PREFIX],
            ..SpecialPaths::default()
        }
    }

    async fn initialize(self: Arc<Self>, mount: Mount) -> Result<(), Fault> {
        let state = mount.system.replication_state().await?;
        let standby = state.is_performance_standby();
        self.standby.store(standby, Ordering::Relaxed);
        if standby {
            return Ok(());
        }
        let _lock = self.store.lock().await;
        match issuers::repair(&self.store).await {
            // A record of a later version. The mount still serves: each request says what has to be done.
            Err(fault) if fault.blame() == Blame::Operator => {
                tracing::error!("nothing was mended: {fault}");
                Ok(())
            }
            done => done,
        }
    }

    /// What is looked after here is AWS's side; each mount's turn comes each minute, and once more when it is taken away.
    async fn tick(self: Arc<Self>, mount: Mount) -> Result<(), Fault> {
        if self.standby.load(Ordering::Relaxed) || mount.system.tainted().await? {
            return Ok(());
        }
        let owner = Owner { mount_id: &mount.uuid, mount_point: "<mount>/" };
        self.until_closed(Box::pin(trust_anchors::keep_in_step(&self, owner.mount_point))).await?;
        self.until_closed(Box::pin(compromise::settle(&self, owner, clock::now()))).await?;
        self.until_closed(Box::pin(prune::tidy(&self, owner))).await
    }

    fn invalidate(&self, key: &str) {
        self.store.changed(key);
        if key == store::CONFIG || key == store::ISSUERS_CONFIG {
            self.sessions.forget(|_| true);
        } else if let Some(id) = key.strip_prefix(store::ISSUER_PREFIX) {
            self.sessions.forget(of_issuer(id));
        } else if let Some(name) = key.strip_prefix(store::CLUSTER_PREFIX) {
            self.sessions.forget(of_cluster(name));
        } else if let Some(name) = key.strip_prefix(store::ROLE_PREFIX) {
            self.sessions.forget(of_role(name));
        }
    }

    fn clean_up(&self) {
        self.closing.send_replace(true);
        self.sessions.close();
    }

    /// Always succeeds and does nothing at AWS: Vault cannot tell a revoke from a lease's natural end.
    async fn revoke(self: Arc<Self>, _mount: Mount, lease: LeaseEnd) -> Result<(), Fault> {
        tracing::debug!(
            serial = lease.internal.get("serial").and_then(|serial| serial.as_str()),
            "a lease ended"
        );
        Ok(())
    }
}

impl Engine {
    /// An engine whose clients `connect` makes.
    pub(crate) fn connecting(
        mount: Mount,
        connect: impl Fn(&Settings) -> Result<Client, ClientError> + Send + Sync + 'static,
    ) -> Self {
        let proxy_variables = ProxyVariables::read(vault_backend::variable);
        let variables = proxy_variables.clone();
        Self {
            store: Store::new(mount.storage),
            proxy_variables,
            snapshots: Snapshots::new(Box::new(move |config| connect(&config.settings(&variables)))),
            sessions: service::service(),
            metrics: Arc::default(),
            anchors: Anchors::new(),
            ledger: Ledger::new(clock::now()),
            checks: Looks::new("checks"),
            revoking: tokio::sync::Mutex::default(),
            tidied: tokio::sync::Mutex::default(),
            responding: tokio::sync::Mutex::default(),
            standby: AtomicBool::new(false),
            closing: watch::Sender::new(false),
        }
    }

    /// Config, issuers and client as they stand.
    ///
    /// A load goes on when its caller leaves. Callers have little patience (1.8 s of `container`), and after a failover storage may
    /// be slower than that: loads that end with their callers would then begin over and over, and none would come to an end.
    pub(crate) async fn snapshot(self: &Arc<Self>) -> Result<Arc<Snapshot>, Fault> {
        if let Some(current) = self.snapshots.current(&self.store) {
            return Ok(current);
        }
        let engine = Arc::clone(self);
        let load = async move {
            let limit = |fresh: &Snapshot| engine.sessions.set_limits(fresh.config.limits());
            engine.snapshots.get(&engine.store, limit).await
        };
        tokio::spawn(load.in_current_span()).await.map_err(Fault::bug)?
    }

    /// On drop, ends the sessions of which `doomed` says so: what they were made from was written in between.
    ///
    /// It is made before the write, so that the sessions end however that ends: a Put that errs may have landed.
    pub(crate) fn ends_sessions(
        &self,
        doomed: impl Fn(&SessionKey) -> bool + Send + Sync + 'static,
    ) -> impl Drop {
        guard((), move |()| self.sessions.forget(doomed))
    }

    /// As [`Self::ends_sessions`], of one role.
    pub(crate) fn ends_role(&self, name: &str) -> impl Drop {
        self.ends_sessions(of_role(name))
    }

    /// As [`Self::ends_sessions`], of callers from one cluster.
    pub(crate) fn ends_cluster(&self, name: &str) -> impl Drop {
        self.ends_sessions(of_cluster(name))
    }

    /// As [`Self::ends_sessions`], made with one issuer.
    pub(crate) fn ends_issuer(&self, id: &str) -> impl Drop {
        self.ends_sessions(of_issuer(id))
    }

    /// Refuses with the error that makes Vault forward the request to the active node.
    pub(crate) fn active_only(&self) -> Result<(), Fault> {
        if self.standby.load(Ordering::Relaxed) { Err(Fault::read_only()) } else { Ok(()) }
    }

    /// Runs `work` until it ends or the mount closes, whichever is first: a seal waits for requests in flight.
    pub(crate) async fn until_closed<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            done = work => done,
            _ = closing.wait_for(|closed| *closed) => Err(Fault::later("the mount is closing; ask again")),
        }
    }
}

fn of_role(name: &str) -> impl Fn(&SessionKey) -> bool + use<> {
    let name = name.to_owned();
    move |session| session.role() == name
}

fn of_cluster(name: &str) -> impl Fn(&SessionKey) -> bool + use<> {
    let name = name.to_owned();
    move |session| session.is_of_cluster(&name)
}

fn of_issuer(id: &str) -> impl Fn(&SessionKey) -> bool + use<> {
    let id = id.to_owned();
    move |session| session.issuer() == id
}
