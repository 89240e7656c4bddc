//! Config, issuers and the AWS client as one value that changes as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use rolesanywhere::Client;
use tokio::sync::Mutex;
use vault_backend::Fault;

use crate::clusters::Clusters;
use crate::config::Config;
use crate::faults;
use crate::issuers::Issuers;
use crate::store::Store;

/// What a request needs beside its role. Requests in flight keep the one they began with.
pub(crate) struct Snapshot {
    pub(crate) config: Config,
    /// Counts what made sessions of an earlier config void.
    pub(crate) config_version: u64,
    pub(crate) issuers: Issuers,
    pub(crate) clusters: Clusters,
    pub(crate) client: Client,
}

/// The current snapshot of one mount, made on first use.
pub(crate) struct Snapshots {
    current: ArcSwapOption<Snapshot>,
    /// Counts what made a snapshot stale, so that one read before a change is never published after it.
    changes: AtomicU64,
    config_version: AtomicU64,
    /// Taken while loading, one at a time: the last client, which serves on as long as its config does, warm connections and all.
    client: Mutex<Option<(Config, Client)>>,
}

impl Snapshots {
    pub(crate) fn new() -> Self {
        Self {
            current: ArcSwapOption::empty(),
            changes: AtomicU64::new(0),
            config_version: AtomicU64::new(0),
            client: Mutex::new(None),
        }
    }

    /// The current snapshot, if there is one.
    pub(crate) fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// The current snapshot, read from storage and shown to `fresh` when there is none.
    pub(crate) async fn get(
        &self,
        store: &Store,
        fresh: impl FnOnce(&Snapshot),
    ) -> Result<Arc<Snapshot>, Fault> {
        if let Some(current) = self.current.load_full() {
            return Ok(current);
        }
        let mut client = self.client.lock().await;
        if let Some(current) = self.current.load_full() {
            return Ok(current);
        }
        let before = self.changes.load(Ordering::SeqCst);
        let loaded =
            Arc::new(Snapshot::load(store, self.config_version.load(Ordering::SeqCst), &mut client).await?);
        fresh(&loaded);
        self.current.store(Some(Arc::clone(&loaded)));
        if self.changes.load(Ordering::SeqCst) != before {
            self.current.store(None);
        }
        Ok(loaded)
    }

    /// Says that sessions of the config before this moment are void; called when storage has the new one.
    pub(crate) fn void_config(&self) {
        self.config_version.fetch_add(1, Ordering::SeqCst);
        self.drop_current();
    }

    /// Says that what a snapshot holds has changed in storage.
    pub(crate) fn drop_current(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.current.store(None);
    }
}

impl Snapshot {
    /// The version is read before the config: an old one with a new config voids too much, never too little.
    async fn load(
        store: &Store,
        config_version: u64,
        known: &mut Option<(Config, Client)>,
    ) -> Result<Self, Fault> {
        let config = store.config().await?.unwrap_or_default();
        let client = match known {
            Some((same, client)) if *same == config => client.clone(),
            _ => Client::new(&config.settings()).map_err(faults::client)?,
        };
        *known = Some((config.clone(), client.clone()));
        let (issuers, clusters) = (Issuers::load(store).await?, Clusters::load(store).await?);
        Ok(Self { config, config_version, issuers, clusters, client })
    }
}
