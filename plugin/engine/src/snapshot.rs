//! Config, issuers and the AWS client as one value that changes as a whole.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rolesanywhere::{Client, ClientError};
use tokio::sync::Mutex;
use vault_backend::Fault;

use crate::ground::faults;
use crate::identity::clusters::Clusters;
use crate::issuers::Issuers;
use crate::records::config::Config;
use crate::store::Store;

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

/// The current snapshot of one mount, made on first use.
pub(crate) struct Snapshots {
    latest: ArcSwapOption<Snapshot>,
    /// Taken while loading, one at a time.
    outlet: Mutex<Option<Outlet>>,
    connect: Box<Connect>,
}

/// How a client for this config is had: [`Client::new`], but where a test stands in for AWS.
pub(crate) type Connect = dyn Fn(&Config) -> Result<Client, ClientError> + Send + Sync;

/// What serves on as long as the config does: the client, warm connections and all.
struct Outlet {
    config: Config,
    version: u64,
    client: Client,
}

impl Snapshots {
    pub(crate) fn new(connect: Box<Connect>) -> Self {
        Self { latest: ArcSwapOption::empty(), outlet: Mutex::new(None), connect }
    }

    /// The latest snapshot, if nothing it was made of has changed since.
    pub(crate) fn current(&self, store: &Store) -> Option<Arc<Snapshot>> {
        self.latest.load_full().filter(|latest| latest.generation == store.generation())
    }

    /// The current snapshot, read from storage and shown to `fresh` when there is none.
    pub(crate) async fn get(
        &self,
        store: &Store,
        fresh: impl FnOnce(&Snapshot),
    ) -> Result<Arc<Snapshot>, Fault> {
        if let Some(current) = self.current(store) {
            return Ok(current);
        }
        let mut outlet = self.outlet.lock().await;
        if let Some(current) = self.current(store) {
            return Ok(current);
        }
        let loaded = Arc::new(Snapshot::load(store, &mut outlet, &self.connect).await?);
        fresh(&loaded);
        self.latest.store(Some(Arc::clone(&loaded)));
        Ok(loaded)
    }
}

impl Snapshot {
    async fn load(store: &Store, outlet: &mut Option<Outlet>, connect: &Connect) -> Result<Self, Fault> {
        let generation = store.generation();
        let config = store.config().await?.unwrap_or_default();
        let (config_version, client) = Outlet::of(&config, outlet, connect)?;
        let (issuers, clusters) = (Issuers::load(store).await?, Clusters::load(store).await?);
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
