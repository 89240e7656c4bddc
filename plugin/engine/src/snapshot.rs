//! Config, issuers, clusters and the AWS client as one value that changes as a whole: a request never combines an old config with
//! new issuers.

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

/// Everything that a request needs besides its role. A request in flight keeps the one with which it began.
pub(crate) struct Snapshot {
    pub(crate) config: Config,
    /// Rises by one with each config under which earlier sessions are void, see [`Config::makes_the_same_as`]. Cached sessions
    /// have it in their key. The first config that the mount loads has version 0.
    pub(crate) config_version: u64,
    pub(crate) issuers: Issuers,
    pub(crate) clusters: Clusters,
    pub(crate) client: Client,
    /// The store's generation before the first read of this snapshot. The snapshot is current while the store still has it.
    generation: u64,
}

/// The current snapshot of one mount, loaded on first use and after each change. Clones share it.
#[derive(Clone)]
pub(crate) struct Snapshots(Arc<Inner>);

struct Inner {
    store: Store,
    /// The last one loaded, perhaps out of date. Requests read it without a lock.
    latest: ArcSwapOption<Snapshot>,
    /// The lock of a load, which only one task at a time runs. It is held across reads of storage.
    outlet: Mutex<Option<Outlet>>,
    /// Makes the client of a config.
    connect: Box<Connect>,
    /// Learns of each snapshot that was loaded.
    fresh: Box<Fresh>,
}

/// Makes the AWS client for a config: [`Client::new`], or one over the transport of a test.
pub(crate) type Connect = dyn Fn(&Config) -> Result<Client, ClientError> + Send + Sync;

/// Is called with each loaded snapshot before any request gets it.
pub(crate) type Fresh = dyn Fn(&Snapshot) + Send + Sync;

/// The client of the last config. It outlives snapshots while the config stays the same, with its warm connections.
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

    /// The storage from which snapshots are loaded.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Returns config, issuers, clusters and client as they are now; loads them where storage has changed.
    ///
    /// A load continues when its caller leaves. Callers leave early (`container` after 1.8 s), and after a failover storage may
    /// be slower than that. A load that ended with its caller would begin over and over, and none would finish.
    ///
    /// # Errors
    /// Storage does not answer or holds a record of a later version, or no client can be made from the config.
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
    /// The latest snapshot, if no record of it has changed since it was loaded.
    fn current(&self) -> Option<Arc<Snapshot>> {
        self.latest.load_full().filter(|latest| latest.generation == self.store.generation())
    }

    /// Loads a snapshot, or returns the one that another task loaded while this one waited for the lock.
    async fn load(&self) -> Result<Arc<Snapshot>, Fault> {
        let mut outlet = self.outlet.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let loaded = Arc::new(Snapshot::load(&self.store, &mut outlet, &self.connect).await?);
        // before it is current: no request may run under the limits of an earlier config
        (self.fresh)(&loaded);
        self.latest.store(Some(Arc::clone(&loaded)));
        Ok(loaded)
    }
}

impl Snapshot {
    /// Reads the parts one after the other. A change between two reads makes the snapshot out of date, not wrong for good.
    async fn load(store: &Store, outlet: &mut Option<Outlet>, connect: &Connect) -> Result<Self, Fault> {
        // before the first read: a change during the load must leave this snapshot out of date
        let generation = store.generation();
        let config = store.config().await?.unwrap_or_default();
        let (config_version, client) = Outlet::of(&config, outlet, connect)?;
        let (issuers, clusters) = (Issuers::load(store).await?, store.clusters().await?);
        Ok(Self { config, config_version, issuers, clusters, client, generation })
    }
}

impl Outlet {
    /// Returns version and client for `config`. `known` keeps its client while the config is equal, and its version while
    /// sessions stay valid. It changes only when a client was made.
    ///
    /// # Errors
    /// The operator's: no client can be made from this config.
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
