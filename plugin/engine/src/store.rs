//! What the engine keeps in Vault's storage: the keys, the records, and nothing else.
//!
//! Logical storage has no transactions and requests run concurrently, so every write goes through a [`Writer`], which holds the
//! store's lock, and puts in one order: key, issuer, pointer last. A crash between two puts leaves something unused, never
//! something broken; see `issuers::repair`.
//!
//! The hot path's records are cached: roles here, the rest in [`crate::snapshot`]. Every change goes through [`Store::changed`],
//! which drops the cached value of a key and keeps a read that began before from being cached after.

mod ends;
mod format;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ca::Issuer;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use vault_backend::{Fault, Storage};

use crate::records::compromise::Compromise;
use crate::records::config::Config;
use crate::records::denials::Denials;
use crate::records::issuer::{IssuerRecord, IssuersConfig};
use crate::records::managed_anchor::ManagedAnchor;
use crate::records::role::Role;
use crate::store::format::Records;
use identity::{Cluster, Clusters};

pub(crate) use ends::Ends;
pub(crate) use writer::Writer;

pub(crate) const CONFIG: &str = "config";
pub(crate) const ISSUERS_CONFIG: &str = "config/issuers";
const ISSUER_PREFIX: &str = "issuer/";
const ROLE_PREFIX: &str = "role/";
const CLUSTER_PREFIX: &str = "cluster/";
const ANCHOR_CERTIFICATES_PREFIX: &str = "trust-anchor-certificates/";
const DENIALS_PREFIX: &str = "denials/";
const COMPROMISE_PREFIX: &str = "compromise/";
const MANAGED_ANCHOR_PREFIX: &str = "trust-anchor/";
/// Seal-wrapped: private keys of issuers and of pending signing requests.
pub(crate) const KEY_PREFIX: &str = "key/";

/// Roles cache in memory, about 1 KB each; beyond so many, those that are read least are read from storage again.
const MAX_CACHED_ROLES: usize = 4096;

/// The certificates that this mount has put into a trust anchor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct AnchorCertificates {
    /// Their SHA-256 sums in lowercase hexadecimal.
    sha256: BTreeSet<String>,
}

/// The engine's view of one mount's storage.
#[derive(Clone)]
pub(crate) struct Store {
    storage: Records,
    lock: Arc<Mutex<()>>,
    cache: Arc<RecordCache>,
    ended: Arc<Ended>,
}

/// Called for the sessions that a change ends.
type Ended = dyn Fn(Ends<'_>) + Send + Sync;

/// What is cache of storage, and what says that it is out of date.
struct RecordCache {
    /// A load is a placeholder in it. A change removes that too, so that what was read before a change is not cache after it.
    roles: Cache<String, Arc<Role>>,
    /// Counts the changes of everything but roles.
    others: AtomicU64,
}

impl Store {
    /// A store that calls `ended` when a change ends cached sessions.
    pub(crate) fn new(storage: Storage, ended: impl Fn(Ends<'_>) + Send + Sync + 'static) -> Self {
        let cache = RecordCache { roles: Cache::new(MAX_CACHED_ROLES), others: AtomicU64::new(0) };
        Self {
            storage: Records::new(storage),
            lock: Arc::default(),
            cache: Arc::new(cache),
            ended: Arc::new(ended),
        }
    }

    /// Another node changed what is stored under `key`: what was cached of it, and sessions made from it, end.
    pub(crate) fn invalidate(&self, key: &str) {
        self.changed(key);
        (self.ended)(ends_by_key(key));
    }

    /// Says that what is stored under `key` has changed, or may have: nothing that was read of it before is used again.
    pub(crate) fn changed(&self, key: &str) {
        match key.strip_prefix(ROLE_PREFIX) {
            Some(name) => drop(self.cache.roles.remove(name)),
            None => drop(self.cache.others.fetch_add(1, Ordering::SeqCst)),
        }
    }

    /// Another number after each change of anything but a role.
    pub(crate) fn generation(&self) -> u64 {
        self.cache.others.load(Ordering::SeqCst)
    }

    pub(crate) async fn config(&self) -> Result<Option<Config>, Fault> {
        self.storage.get_json(CONFIG).await
    }

    /// A role as it is cache in memory, or else stored; for reads of credentials.
    ///
    /// Callers who miss the same role wait for one load. That there is no such role is not cache: whoever may ask could otherwise
    /// fill the memory with names.
    pub(crate) async fn cached_role(&self, name: &str) -> Result<Option<Arc<Role>>, Fault> {
        let place = match self.cache.roles.get_value_or_guard_async(name).await {
            Ok(role) => return Ok(Some(role)),
            Err(place) => place,
        };
        let role = self.role(name).await?.map(Arc::new);
        if let Some(role) = &role {
            let _changed_meanwhile = place.insert(Arc::clone(role));
        }
        Ok(role)
    }

    /// A role as it is stored.
    pub(crate) async fn role(&self, name: &str) -> Result<Option<Role>, Fault> {
        self.storage.get_json(&role_key(name)).await
    }

    pub(crate) async fn role_names(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(ROLE_PREFIX).await?)
    }

    pub(crate) async fn cluster(&self, name: &str) -> Result<Option<Cluster>, Fault> {
        self.storage.get_json(&cluster_key(name)).await
    }

    pub(crate) async fn cluster_names(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(CLUSTER_PREFIX).await?)
    }

    /// All clusters of the mount, by the accessors of their auth mounts.
    pub(crate) async fn clusters(&self) -> Result<Clusters, Fault> {
        let mut clusters = Vec::new();
        for name in self.cluster_names().await? {
            if let Some(cluster) = self.cluster(&name).await? {
                clusters.push((cluster.accessor, name));
            }
        }
        Ok(clusters.into_iter().collect())
    }

    /// Every role with its name.
    pub(crate) async fn roles(&self) -> Result<Vec<(String, Role)>, Fault> {
        let mut roles = Vec::new();
        for name in self.role_names().await? {
            if let Some(role) = self.role(&name).await? {
                roles.push((name, role));
            }
        }
        Ok(roles)
    }

    pub(crate) async fn managed_anchor(&self, name: &str) -> Result<Option<ManagedAnchor>, Fault> {
        self.storage.get_json(&format!("{MANAGED_ANCHOR_PREFIX}{name}")).await
    }

    /// All of them with the operator's names, by name.
    pub(crate) async fn managed_anchors(&self) -> Result<Vec<(String, ManagedAnchor)>, Fault> {
        let mut anchors = Vec::new();
        for name in self.storage.list(MANAGED_ANCHOR_PREFIX).await? {
            if let Some(anchor) = self.managed_anchor(&name).await? {
                anchors.push((name, anchor));
            }
        }
        Ok(anchors)
    }

    pub(crate) async fn anchor_certificates(&self, name: &str) -> Result<BTreeSet<String>, Fault> {
        let key = format!("{ANCHOR_CERTIFICATES_PREFIX}{name}");
        let known: Option<AnchorCertificates> = self.storage.get_json(&key).await?;
        Ok(known.map(|known| known.sha256).unwrap_or_default())
    }

    pub(crate) async fn compromise(&self, issuer_id: &str) -> Result<Option<Compromise>, Fault> {
        self.storage.get_json(&format!("{COMPROMISE_PREFIX}{issuer_id}")).await
    }

    /// What is known of a compromise of the issuer's key, by whichever certificate of it that was told.
    pub(crate) async fn compromise_of(&self, issuer: &Issuer) -> Result<Option<Compromise>, Fault> {
        let key = issuer.key_sha256();
        Ok(self.compromises().await?.into_iter().map(|(_, known)| known).find(|known| known.is_of(&key)))
    }

    /// All of them, by the issuers' ids.
    pub(crate) async fn compromises(&self) -> Result<Vec<(String, Compromise)>, Fault> {
        let mut all = Vec::new();
        for id in self.storage.list(COMPROMISE_PREFIX).await? {
            if let Some(known) = self.compromise(&id).await? {
                all.push((id, known));
            }
        }
        Ok(all)
    }

    /// Every IAM role that holds a denial of this mount.
    pub(crate) async fn denials(&self) -> Result<Vec<Denials>, Fault> {
        let mut all = Vec::new();
        for name in self.storage.list(DENIALS_PREFIX).await? {
            all.extend(self.storage.get_json(&format!("{DENIALS_PREFIX}{name}")).await?);
        }
        Ok(all)
    }

    pub(crate) async fn issuer_ids(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(ISSUER_PREFIX).await?)
    }

    pub(crate) async fn issuer(&self, id: &str) -> Result<Option<IssuerRecord>, Fault> {
        self.storage.get_json(&issuer_key(id)).await
    }

    pub(crate) async fn issuers_config(&self) -> Result<IssuersConfig, Fault> {
        Ok(self.written_issuers_config().await?.unwrap_or_default())
    }

    /// `None` as long as no issuer was ever the default.
    pub(crate) async fn written_issuers_config(&self) -> Result<Option<IssuersConfig>, Fault> {
        self.storage.get_json(ISSUERS_CONFIG).await
    }

    pub(crate) async fn key_ids(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(KEY_PREFIX).await?)
    }

    /// The PKCS#8 DER of a key.
    pub(crate) async fn key(&self, id: &str) -> Result<Option<ca::Secret>, Fault> {
        let bytes = self.storage.get(&format!("{KEY_PREFIX}{id}")).await?;
        Ok(bytes.map(ca::Secret::new))
    }
}

/// Which sessions end when the record under `key` changes.
fn ends_by_key(key: &str) -> Ends<'_> {
    if key == CONFIG || key == ISSUERS_CONFIG {
        return Ends::All;
    }
    let issuer = || key.strip_prefix(ISSUER_PREFIX).map(Ends::Issuer);
    let cluster = || key.strip_prefix(CLUSTER_PREFIX).map(Ends::Cluster);
    let role = || key.strip_prefix(ROLE_PREFIX).map(Ends::Role);
    issuer().or_else(cluster).or_else(role).unwrap_or(Ends::Nothing)
}

pub(crate) fn role_key(name: &str) -> String {
    format!("{ROLE_PREFIX}{name}")
}

pub(crate) fn issuer_key(id: &str) -> String {
    format!("{ISSUER_PREFIX}{id}")
}

pub(crate) fn cluster_key(name: &str) -> String {
    format!("{CLUSTER_PREFIX}{name}")
}

#[cfg(test)]
mod tests;
