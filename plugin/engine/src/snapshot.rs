//! Config, issuers and the AWS client as one value that changes as a whole.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rolesanywhere::{Client, ClientError};
use tokio::sync::Mutex;
use tracing::Instrument as _;
use vault_backend::Fault;

use crate::ground::faults;
use crate::issuers::Issuers;
use crate::records::config::Config;
use crate::store::Store;
use identity::Clusters;

/// What a request needs beside its role. Requests in flight keep the one they began with.
pub(crate) struct Snapshot {
    pub(crate) config: Config,
    /// Counts what made sessions of an earlier config void.
    pub(crate) config_version: u64,
    pub(crate) issuers: Issuers,
    pub(crate) clusters: Clusters,
    pub(crate) client: Client,
    /// The store's generation before any of it was read.
    generation: u64,
}

/// The current snapshot of one mount, made on first use. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Snapshots(Arc<Inner>);

struct Inner {
    store: Store,
    latest: ArcSwapOption<Snapshot>,
    /// Taken while loading, one at a time.
    outlet: Mutex<Option<Outlet>>,
    connect: Box<Connect>,
    fresh: Box<Fresh>,
}

/// How a client for this config is had: [`Client::new`], but where a test stands in for AWS.
pub(crate) type Connect = dyn Fn(&Config) -> Result<Client, ClientError> + Send + Sync;

/// Told of each snapshot that was loaded, before anybody gets it.
pub(crate) type Fresh = dyn Fn(&Snapshot) + Send + Sync;

/// What serves on as long as the config does: the client, warm connections and all.
struct Outlet {
    config: Config,
    version: u64,
    client: Client,
}

impl Snapshots {
    pub(crate) fn new(store: Store, connect: Box<Connect>, fresh: Box<Fresh>) -> Self {
        let (latest, outlet) = (ArcSwapOption::empty(), Mutex::new(None));
        Self(Arc::new(Inner { store, latest, outlet, connect, fresh }))
    }

    /// The storage that snapshots are read from.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Config, issuers, clusters and client as they stand.
    ///
    /// A load goes on when its caller leaves. Callers leave early (after 1.8 s of `container`), and after a failover storage may be
    /// slower than that: loads that end with their callers would then begin over and over, and none would come to an end.
    pub(crate) async fn get(&self) -> Result<Arc<Snapshot>, Fault> {
        if let Some(current) = self.0.current() {
            return Ok(current);
        }
        let inner = Arc::clone(&self.0);
        let load = async move { inner.load().await };
        tokio::spawn(load.in_current_span()).await.map_err(Fault::bug)?
    }
}

impl Inner {
    /// The latest snapshot, if nothing it was made of has changed since.
    fn current(&self) -> Option<Arc<Snapshot>> {
        self.latest.load_full().filter(|latest| latest.generation == self.store.generation())
    }

    async fn load(&self) -> Result<Arc<Snapshot>, Fault> {
        let mut outlet = self.outlet.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let loaded = Arc::new(Snapshot::load(&self.store, &mut outlet, &self.connect).await?);
        (self.fresh)(&loaded);
        self.latest.store(Some(Arc::clone(&loaded)));
        Ok(loaded)
    }
}

impl Snapshot {
    async fn load(store: &Store, outlet: &mut Option<Outlet>, connect: &Connect) -> Result<Self, Fault> {
        let generation = store.generation();
        let config = store.config().await?.unwrap_or_default();
        let (config_version, client) = Outlet::of(&config, outlet, connect)?;
        let (issuers, clusters) = (Issuers::load(store).await?, store.clusters().await?);
        Ok(Self { config, config_version, issuers, clusters, client, generation })
    }
}

impl Outlet {
    /// Version and client of `config`: the known ones where it says the same as the known one.
    fn of(config: &Config, known: &mut Option<Outlet>, connect: &Connect) -> Result<(u64, Client), Fault> {
        let version = match known {
            Some(known) if known.config == *config => return Ok((known.version, known.client.clone())),
            Some(known) if known.config.makes_the_same_as(config) => known.version,
            Some(known) => known.version + 1,
            None => 0,
        };
        let client = connect(config).map_err(faults::client)?;
        *known = Some(Self { config: config.clone(), version, client: client.clone() });
        Ok((version, client))
    }
}
