//! What the engine keeps in Vault's storage: the keys, the records, and nothing else.
//!
//! Logical storage has no transactions and requests run concurrently, so every write holds [`Store::lock`] and puts in one
//! order: key, issuer, pointer last. A crash between two puts leaves something unused, never something broken; see
//! `issuers::repair`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OwnedMutexGuard};
use vault_backend::{Fault, Storage};

use crate::clusters::Cluster;
use crate::config::Config;
use crate::managed_anchor::ManagedAnchor;
use crate::records::Records;
use crate::role::Role;

pub(crate) const CONFIG: &str = "config";
pub(crate) const ISSUERS_CONFIG: &str = "config/issuers";
pub(crate) const ISSUER_PREFIX: &str = "issuer/";
pub(crate) const ROLE_PREFIX: &str = "role/";
pub(crate) const CLUSTER_PREFIX: &str = "cluster/";
const ANCHOR_CERTIFICATES_PREFIX: &str = "trust-anchor-certificates/";
const MANAGED_ANCHOR_PREFIX: &str = "trust-anchor/";
/// Seal-wrapped: private keys of issuers and of pending signing requests.
pub(crate) const KEY_PREFIX: &str = "key/";

/// An issuer without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuerRecord {
    /// A UUID, which never changes.
    pub(crate) id: String,
    /// The operator's name for it, unique in the mount.
    pub(crate) name: Option<String>,
    /// The record of its key, under [`KEY_PREFIX`].
    pub(crate) key_id: String,
    pub(crate) certificate_pem: String,
    /// Its parents, nearest first.
    pub(crate) chain_pem: Vec<String>,
    #[serde(default)]
    pub(crate) state: IssuerState,
}

/// Whether an issuer may sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IssuerState {
    #[default]
    Enabled,
    /// It signs nothing and no trust anchor has to hold it.
    Disabled,
    /// Its key is gone, or about to go; for everyone but a repair it is not there.
    Deleted,
}

/// Which issuer signs when a role names none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuersConfig {
    pub(crate) default: Option<String>,
    /// The one that was the default before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
}

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
}

impl Store {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage: Records::new(storage), lock: Arc::default() }
    }

    /// Held through every read-check-write, so that two operators at once cannot mix.
    pub(crate) async fn lock(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.lock).lock_owned().await
    }

    pub(crate) async fn config(&self) -> Result<Option<Config>, Fault> {
        self.storage.get_json(CONFIG).await
    }

    pub(crate) async fn put_config(&self, config: &Config) -> Result<(), Fault> {
        Ok(self.storage.put_json(CONFIG, config).await?)
    }

    pub(crate) async fn delete_config(&self) -> Result<(), Fault> {
        Ok(self.storage.delete(CONFIG).await?)
    }

    pub(crate) async fn role(&self, name: &str) -> Result<Option<Role>, Fault> {
        self.storage.get_json(&format!("{ROLE_PREFIX}{name}")).await
    }

    pub(crate) async fn put_role(&self, name: &str, role: &Role) -> Result<(), Fault> {
        Ok(self.storage.put_json(&format!("{ROLE_PREFIX}{name}"), role).await?)
    }

    pub(crate) async fn delete_role(&self, name: &str) -> Result<(), Fault> {
        Ok(self.storage.delete(&format!("{ROLE_PREFIX}{name}")).await?)
    }

    pub(crate) async fn role_names(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(ROLE_PREFIX).await?)
    }

    pub(crate) async fn cluster(&self, name: &str) -> Result<Option<Cluster>, Fault> {
        self.storage.get_json(&format!("{CLUSTER_PREFIX}{name}")).await
    }

    pub(crate) async fn put_cluster(&self, name: &str, cluster: &Cluster) -> Result<(), Fault> {
        Ok(self.storage.put_json(&format!("{CLUSTER_PREFIX}{name}"), cluster).await?)
    }

    pub(crate) async fn delete_cluster(&self, name: &str) -> Result<(), Fault> {
        Ok(self.storage.delete(&format!("{CLUSTER_PREFIX}{name}")).await?)
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
        Ok(self.storage.put_json(&format!("{MANAGED_ANCHOR_PREFIX}{name}"), anchor).await?)
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
        Ok(self.storage.put_json(&key, &AnchorCertificates { sha256: sums }).await?)
    }

    pub(crate) async fn issuer_ids(&self) -> Result<Vec<String>, Fault> {
        Ok(self.storage.list(ISSUER_PREFIX).await?)
    }

    pub(crate) async fn issuer(&self, id: &str) -> Result<Option<IssuerRecord>, Fault> {
        self.storage.get_json(&format!("{ISSUER_PREFIX}{id}")).await
    }

    pub(crate) async fn put_issuer(&self, record: &IssuerRecord) -> Result<(), Fault> {
        Ok(self.storage.put_json(&format!("{ISSUER_PREFIX}{}", record.id), record).await?)
    }

    pub(crate) async fn delete_issuer(&self, id: &str) -> Result<(), Fault> {
        Ok(self.storage.delete(&format!("{ISSUER_PREFIX}{id}")).await?)
    }

    pub(crate) async fn issuers_config(&self) -> Result<IssuersConfig, Fault> {
        Ok(self.written_issuers_config().await?.unwrap_or_default())
    }

    /// `None` as long as no issuer was ever the default.
    pub(crate) async fn written_issuers_config(&self) -> Result<Option<IssuersConfig>, Fault> {
        self.storage.get_json(ISSUERS_CONFIG).await
    }

    pub(crate) async fn put_issuers_config(&self, config: &IssuersConfig) -> Result<(), Fault> {
        Ok(self.storage.put_json(ISSUERS_CONFIG, config).await?)
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
        Ok(self.storage.put_sealed(&format!("{KEY_PREFIX}{id}"), key.expose().to_vec()).await?)
    }

    pub(crate) async fn delete_key(&self, id: &str) -> Result<(), Fault> {
        Ok(self.storage.delete(&format!("{KEY_PREFIX}{id}")).await?)
    }
}
