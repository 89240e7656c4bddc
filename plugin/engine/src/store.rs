//! What the engine keeps in Vault's storage: the keys, the records, and nothing else.
//!
//! Logical storage has no transactions and requests run concurrently, so every write holds [`Store::lock`] and puts in one
//! order: key, issuer, pointer last. A crash between two puts leaves something unused, never something broken; see
//! `issuers::repair`.
//!
//! What the hot path needs is kept in memory: roles here, the rest in [`crate::snapshot`]. Every change goes through
//! [`Store::changed`], which drops what was kept of a key and keeps a read that began before from being kept after.

mod format;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ca::Issuer;
use quick_cache::sync::Cache;
use rolesanywhere::RoleArn;
use scopeguard::guard;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OwnedMutexGuard};
use vault_backend::{Fault, Storage};

use crate::identity::clusters::Cluster;
use crate::records::compromise::Compromise;
use crate::records::config::Config;
use crate::records::denials::{self, Denials};
use crate::records::issuer::{IssuerRecord, IssuersConfig};
use crate::records::managed_anchor::ManagedAnchor;
use crate::records::role::Role;
use crate::store::format::Records;

pub(crate) const CONFIG: &str = "config";
pub(crate) const ISSUERS_CONFIG: &str = "config/issuers";
pub(crate) const ISSUER_PREFIX: &str = "issuer/";
pub(crate) const ROLE_PREFIX: &str = "role/";
pub(crate) const CLUSTER_PREFIX: &str = "cluster/";
const ANCHOR_CERTIFICATES_PREFIX: &str = "trust-anchor-certificates/";
const DENIALS_PREFIX: &str = "denials/";
const COMPROMISE_PREFIX: &str = "compromise/";
const MANAGED_ANCHOR_PREFIX: &str = "trust-anchor/";
/// Seal-wrapped: private keys of issuers and of pending signing requests.
pub(crate) const KEY_PREFIX: &str = "key/";

/// Roles kept in memory, about 1 KB each; beyond so many, those that are read least are read from storage again.
const KEPT_ROLES: usize = 4096;

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
    kept: Arc<Kept>,
}

/// What is kept of storage, and what says that it is out of date.
struct Kept {
    /// A load is a placeholder in it. A change removes that too, so that what was read before a change is not kept after it.
    roles: Cache<String, Arc<Role>>,
    /// Counts the changes of everything but roles.
    others: AtomicU64,
}

impl Store {
    pub(crate) fn new(storage: Storage) -> Self {
        let kept = Kept { roles: Cache::new(KEPT_ROLES), others: AtomicU64::new(0) };
        Self { storage: Records::new(storage), lock: Arc::default(), kept: Arc::new(kept) }
    }

    /// Says that what is stored under `key` has changed, or may have: nothing that was read of it before is used again.
    pub(crate) fn changed(&self, key: &str) {
        match key.strip_prefix(ROLE_PREFIX) {
            Some(name) => drop(self.kept.roles.remove(name)),
            None => drop(self.kept.others.fetch_add(1, Ordering::SeqCst)),
        }
    }

    /// Another number after each change of anything but a role.
    pub(crate) fn generation(&self) -> u64 {
        self.kept.others.load(Ordering::SeqCst)
    }

    /// Held through every read-check-write, so that two operators at once cannot mix.
    pub(crate) async fn lock(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.lock).lock_owned().await
    }

    pub(crate) async fn config(&self) -> Result<Option<Config>, Fault> {
        self.storage.get_json(CONFIG).await
    }

    pub(crate) async fn put_config(&self, config: &Config) -> Result<(), Fault> {
        self.put(CONFIG, config).await
    }

    pub(crate) async fn delete_config(&self) -> Result<(), Fault> {
        self.delete(CONFIG).await
    }

    /// A role as it is kept in memory, or else stored; for reads of credentials.
    ///
    /// Callers who miss the same role wait for one load. That there is no such role is not kept: whoever may ask could otherwise
    /// fill the memory with names.
    pub(crate) async fn kept_role(&self, name: &str) -> Result<Option<Arc<Role>>, Fault> {
        let place = match self.kept.roles.get_value_or_guard_async(name).await {
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

    pub(crate) async fn put_role(&self, name: &str, role: &Role) -> Result<(), Fault> {
        self.put(&role_key(name), role).await
    }

    pub(crate) async fn delete_role(&self, name: &str) -> Result<(), Fault> {
        self.delete(&role_key(name)).await
    }

    pub(crate) async fn role_names(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(ROLE_PREFIX).await?)
    }

    pub(crate) async fn cluster(&self, name: &str) -> Result<Option<Cluster>, Fault> {
        self.storage.get_json(&cluster_key(name)).await
    }

    pub(crate) async fn put_cluster(&self, name: &str, cluster: &Cluster) -> Result<(), Fault> {
        self.put(&cluster_key(name), cluster).await
    }

    pub(crate) async fn delete_cluster(&self, name: &str) -> Result<(), Fault> {
        self.delete(&cluster_key(name)).await
    }

    pub(crate) async fn cluster_names(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(CLUSTER_PREFIX).await?)
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

    pub(crate) async fn put_managed_anchor(&self, name: &str, anchor: &ManagedAnchor) -> Result<(), Fault> {
        self.storage.put_json(&format!("{MANAGED_ANCHOR_PREFIX}{name}"), anchor).await
    }

    pub(crate) async fn delete_managed_anchor(&self, name: &str) -> Result<(), Fault> {
        Ok(self.storage.delete(&format!("{MANAGED_ANCHOR_PREFIX}{name}")).await?)
    }

    pub(crate) async fn anchor_certificates(&self, name: &str) -> Result<BTreeSet<String>, Fault> {
        let key = format!("{ANCHOR_CERTIFICATES_PREFIX}{name}");
        let known: Option<AnchorCertificates> = self.storage.get_json(&key).await?;
        Ok(known.map(|known| known.sha256).unwrap_or_default())
    }

    pub(crate) async fn put_anchor_certificates(
        &self,
        name: &str,
        sums: BTreeSet<String>,
    ) -> Result<(), Fault> {
        let key = format!("{ANCHOR_CERTIFICATES_PREFIX}{name}");
        self.storage.put_json(&key, &AnchorCertificates { sha256: sums }).await
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

    pub(crate) async fn put_compromise(&self, issuer_id: &str, known: &Compromise) -> Result<(), Fault> {
        self.put(&format!("{COMPROMISE_PREFIX}{issuer_id}"), known).await
    }

    /// Every IAM role that holds a denial of this mount.
    pub(crate) async fn denials(&self) -> Result<Vec<Denials>, Fault> {
        let mut all = Vec::new();
        for name in self.storage.list(DENIALS_PREFIX).await? {
            all.extend(self.storage.get_json(&format!("{DENIALS_PREFIX}{name}")).await?);
        }
        Ok(all)
    }

    pub(crate) async fn put_denials(&self, denials: &Denials) -> Result<(), Fault> {
        self.storage.put_json(&format!("{DENIALS_PREFIX}{}", denials.name()), denials).await
    }

    pub(crate) async fn delete_denials(&self, role: &RoleArn) -> Result<(), Fault> {
        Ok(self.storage.delete(&format!("{DENIALS_PREFIX}{}", denials::name_of(role))).await?)
    }

    pub(crate) async fn issuer_ids(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(ISSUER_PREFIX).await?)
    }

    pub(crate) async fn issuer(&self, id: &str) -> Result<Option<IssuerRecord>, Fault> {
        self.storage.get_json(&issuer_key(id)).await
    }

    pub(crate) async fn put_issuer(&self, record: &IssuerRecord) -> Result<(), Fault> {
        self.put(&issuer_key(&record.id), record).await
    }

    pub(crate) async fn delete_issuer(&self, id: &str) -> Result<(), Fault> {
        self.delete(&issuer_key(id)).await
    }

    pub(crate) async fn issuers_config(&self) -> Result<IssuersConfig, Fault> {
        Ok(self.written_issuers_config().await?.unwrap_or_default())
    }

    /// `None` as long as no issuer was ever the default.
    pub(crate) async fn written_issuers_config(&self) -> Result<Option<IssuersConfig>, Fault> {
        self.storage.get_json(ISSUERS_CONFIG).await
    }

    pub(crate) async fn put_issuers_config(&self, config: &IssuersConfig) -> Result<(), Fault> {
        self.put(ISSUERS_CONFIG, config).await
    }

    pub(crate) async fn key_ids(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(KEY_PREFIX).await?)
    }

    /// The PKCS#8 DER of a key.
    pub(crate) async fn key(&self, id: &str) -> Result<Option<ca::Secret>, Fault> {
        let bytes = self.storage.get(&format!("{KEY_PREFIX}{id}")).await?;
        Ok(bytes.map(ca::Secret::new))
    }

    pub(crate) async fn put_key(&self, id: &str, key: &ca::Secret) -> Result<(), Fault> {
        let place = format!("{KEY_PREFIX}{id}");
        let _after = self.changing(&place);
        Ok(self.storage.put_sealed(&place, key.expose().to_vec()).await?)
    }

    pub(crate) async fn delete_key(&self, id: &str) -> Result<(), Fault> {
        self.delete(&format!("{KEY_PREFIX}{id}")).await
    }

    async fn put(&self, key: &str, value: &impl Serialize) -> Result<(), Fault> {
        let _after = self.changing(key);
        self.storage.put_json(key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        let _after = self.changing(key);
        Ok(self.storage.delete(key).await?)
    }

    /// Says of a change that it begins, and on drop that it has ended: well, badly (it may have landed), or given up half-way.
    ///
    /// What errs now and lands later is seen after the next write of the same key, also one that changes nothing.
    fn changing<'a>(&'a self, key: &'a str) -> impl Drop {
        self.changed(key);
        guard((), move |()| self.changed(key))
    }
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
