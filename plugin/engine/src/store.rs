//! The engine's part of Vault's storage: its keys, its records, and their cache.
//!
//! Vault's storage has no transactions, and requests run concurrently. Every write of what is configured therefore goes through a
//! [`Writer`], which holds the store's lock. Writes that depend on each other have one order: the key first, then the issuer, the pointer to it
//! last. A crash between two puts leaves a record unused, never a pointer to nothing; see `issuers::repair`.
//!
//! Records that every read of credentials needs are cached: roles here, the others in [`crate::snapshot`]. Every change is
//! announced by [`Store::changed`], which drops the cached value of a key. A read that began before the change is then not cached
//! after it.

mod ends;
mod format;
mod journal;
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
pub(crate) use journal::{ExpiryHour, OnSilence};
pub(crate) use writer::Writer;

pub(crate) const CONFIG: &str = "config";
pub(crate) const ISSUERS_CONFIG: &str = "config/issuers";
const ISSUER_PREFIX: &str = "issuer/";
const ROLE_PREFIX: &str = "role/";
const CLUSTER_PREFIX: &str = "cluster/";
/// By the name of a managed anchor, the certificates that this mount has put into it.
const ANCHOR_CERTIFICATES_PREFIX: &str = "trust-anchor-certificates/";
/// By account and IAM role, see [`Denials::name`].
const DENIALS_PREFIX: &str = "denials/";
/// By the issuer's id.
const COMPROMISE_PREFIX: &str = "compromise/";
/// By the operator's name of the anchor.
const MANAGED_ANCHOR_PREFIX: &str = "trust-anchor/";
/// The record of sessions, by the hour of their expiry and the segment's name.
pub(crate) const SESSION_PREFIX: &str = "session/";
/// Since when the mount keeps that record.
const SESSION_RECORD: &str = "session-record";
/// The private keys of issuers and of pending signing requests, by id. Vault wraps them with its seal too.
pub(crate) const KEY_PREFIX: &str = "key/";

/// Roles in memory, about 1 KB each. Beyond this number the roles that are read least are loaded from storage again.
const MAX_CACHED_ROLES: usize = 4096;

/// The certificates that this mount has put into a trust anchor, by which it knows them from foreign ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct AnchorCertificates {
    /// Their SHA-256 sums in lowercase hexadecimal.
    sha256: BTreeSet<String>,
}

/// The storage of one mount. Clones share its lock and its cache.
#[derive(Clone)]
pub(crate) struct Store {
    storage: Records,
    /// Held by a [`Writer`]. Reads do not take it.
    lock: Arc<Mutex<()>>,
    cache: Arc<RecordCache>,
    /// Drops cached sessions.
    ended: Arc<Ended>,
}

/// Is called after each change with the sessions that it ends.
type Ended = dyn Fn(Ends<'_>) + Send + Sync;

/// The cached roles, and a counter by which snapshots learn that they are out of date.
struct RecordCache {
    /// A load has a placeholder in it. A change removes that as well, so a value that was read before the change is not cached
    /// after it.
    roles: Cache<String, Arc<Role>>,
    /// The number of changes of all records but roles.
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

    /// Another node changed the record under `key`. Its cached value and the sessions made from it are dropped.
    pub(crate) fn invalidate(&self, key: &str) {
        // no cached value is made of the record of sessions, and each session writes to it
        if key.starts_with(SESSION_PREFIX) {
            return;
        }
        self.changed(key);
        // after the cached record: a session that is made between the two lines is made from the new record
        (self.ended)(ends_by_key(key));
    }

    /// Announces that the record under `key` has changed, or may have. No value that was read before this call is used again.
    pub(crate) fn changed(&self, key: &str) {
        match key.strip_prefix(ROLE_PREFIX) {
            Some(name) => drop(self.cache.roles.remove(name)),
            None => drop(self.cache.others.fetch_add(1, Ordering::SeqCst)),
        }
    }

    /// Returns a number that differs after each change of any record but a role.
    pub(crate) fn generation(&self) -> u64 {
        self.cache.others.load(Ordering::SeqCst)
    }

    /// The config; `None` before the first write.
    pub(crate) async fn config(&self) -> Result<Option<Config>, Fault> {
        self.storage.get_json(CONFIG).await
    }

    /// Returns a role from memory, or else from storage; for reads of credentials.
    ///
    /// Callers that miss the same role wait for one load. The absence of a role is not cached, because callers could otherwise
    /// fill the memory with names.
    pub(crate) async fn cached_role(&self, name: &str) -> Result<Option<Arc<Role>>, Fault> {
        let placeholder = match self.cache.roles.get_value_or_guard_async(name).await {
            Ok(role) => return Ok(Some(role)),
            Err(placeholder) => placeholder,
        };
        // after the placeholder: a change during this read removes it, and the insert below then caches nothing
        let role = self.role(name).await?.map(Arc::new);
        if let Some(role) = &role {
            let _changed_meanwhile = placeholder.insert(Arc::clone(role));
        }
        Ok(role)
    }

    /// Returns a role as it is stored now, for checks of a write.
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

    /// Returns all clusters of the mount, by the accessors of their auth mounts. It costs one read for each.
    pub(crate) async fn clusters(&self) -> Result<Clusters, Fault> {
        let mut clusters = Vec::new();
        for name in self.cluster_names().await? {
            if let Some(cluster) = self.cluster(&name).await? {
                clusters.push((cluster.accessor, name));
            }
        }
        Ok(clusters.into_iter().collect())
    }

    /// Returns every role with its name, in one read each: up to thousands. Not for reads of credentials.
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

    /// Returns all managed anchors with the operator's names, by name.
    pub(crate) async fn managed_anchors(&self) -> Result<Vec<(String, ManagedAnchor)>, Fault> {
        let mut anchors = Vec::new();
        for name in self.storage.list(MANAGED_ANCHOR_PREFIX).await? {
            if let Some(anchor) = self.managed_anchor(&name).await? {
                anchors.push((name, anchor));
            }
        }
        Ok(anchors)
    }

    /// Returns the SHA-256 sums of the certificates that this mount has put into the anchor `name`; an empty set for an unknown
    /// anchor.
    pub(crate) async fn anchor_certificates(&self, name: &str) -> Result<BTreeSet<String>, Fault> {
        let key = format!("{ANCHOR_CERTIFICATES_PREFIX}{name}");
        let known: Option<AnchorCertificates> = self.storage.get_json(&key).await?;
        Ok(known.map(|known| known.sha256).unwrap_or_default())
    }

    pub(crate) async fn compromise(&self, issuer_id: &str) -> Result<Option<Compromise>, Fault> {
        self.storage.get_json(&format!("{COMPROMISE_PREFIX}{issuer_id}")).await
    }

    /// Returns the compromise of the issuer's key, whichever of its certificates was reported; `None` where the key is good.
    pub(crate) async fn compromise_of(&self, issuer: &Issuer) -> Result<Option<Compromise>, Fault> {
        let key = issuer.key_sha256();
        Ok(self.compromises().await?.into_iter().map(|(_, known)| known).find(|known| known.is_of(&key)))
    }

    /// Returns all compromises by the issuers' ids. Issuers that were deleted since are among them.
    pub(crate) async fn compromises(&self) -> Result<Vec<(String, Compromise)>, Fault> {
        let mut all = Vec::new();
        for id in self.storage.list(COMPROMISE_PREFIX).await? {
            if let Some(known) = self.compromise(&id).await? {
                all.push((id, known));
            }
        }
        Ok(all)
    }

    /// Returns every IAM role that holds a denial of this mount.
    pub(crate) async fn denials(&self) -> Result<Vec<Denials>, Fault> {
        let mut all = Vec::new();
        for name in self.storage.list(DENIALS_PREFIX).await? {
            all.extend(self.storage.get_json(&format!("{DENIALS_PREFIX}{name}")).await?);
        }
        Ok(all)
    }

    /// Returns the ids of all issuers, those that are marked as deleted included.
    pub(crate) async fn issuer_ids(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(ISSUER_PREFIX).await?)
    }

    pub(crate) async fn issuer(&self, id: &str) -> Result<Option<IssuerRecord>, Fault> {
        self.storage.get_json(&issuer_key(id)).await
    }

    /// Returns the pointer to the default issuer; without a default where none was ever stored.
    pub(crate) async fn issuers_config(&self) -> Result<IssuersConfig, Fault> {
        Ok(self.written_issuers_config().await?.unwrap_or_default())
    }

    /// Returns the stored pointer; `None` until an issuer becomes the default for the first time. A repair must distinguish that
    /// from a default that was removed.
    pub(crate) async fn written_issuers_config(&self) -> Result<Option<IssuersConfig>, Fault> {
        self.storage.get_json(ISSUERS_CONFIG).await
    }

    /// Returns the ids of all keys, also of those that no issuer has yet.
    pub(crate) async fn key_ids(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(KEY_PREFIX).await?)
    }

    /// Returns the PKCS#8 DER of a key.
    pub(crate) async fn key(&self, id: &str) -> Result<Option<ca::SecretSlice<u8>>, Fault> {
        let bytes = self.storage.get(&format!("{KEY_PREFIX}{id}")).await?;
        Ok(bytes.map(ca::SecretSlice::from))
    }
}

/// Returns the sessions that end when another node changes the record under `key`. The change itself is unknown, so all that may
/// depend on the record end.
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
