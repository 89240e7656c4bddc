//! Every write: a guard that holds the store's lock, so that a write without it does not compile.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use rolesanywhere::RoleArn;
use scopeguard::guard;
use serde::Serialize;
use tokio::sync::OwnedMutexGuard;
use vault_backend::Fault;

use crate::records::compromise::Compromise;
use crate::records::config::Config;
use crate::records::denials::{self, Denials};
use crate::records::issuer::{IssuerRecord, IssuersConfig};
use crate::records::managed_anchor::ManagedAnchor;
use crate::records::role::Role;
use crate::store::{
    ANCHOR_CERTIFICATES_PREFIX, AnchorCertificates, COMPROMISE_PREFIX, CONFIG, DENIALS_PREFIX, Ends,
    ISSUERS_CONFIG, KEY_PREFIX, MANAGED_ANCHOR_PREFIX, Store, cluster_key, issuer_key, role_key,
};
use identity::Cluster;

/// The store while nobody else writes: held through every read-check-write, so that two operators at once cannot mix.
///
/// It is never held across a call of AWS.
#[must_use]
pub(crate) struct Writer {
    store: Store,
    _turn: OwnedMutexGuard<()>,
}

impl Store {
    /// Waits for the turn to write.
    pub(crate) async fn write(&self) -> Writer {
        let turn = Arc::clone(&self.lock).lock_owned().await;
        Writer { store: self.clone(), _turn: turn }
    }
}

impl Deref for Writer {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Writer {
    pub(crate) async fn put_config(&self, config: &Config, ends: Ends<'_>) -> Result<(), Fault> {
        self.put(CONFIG, config, ends).await
    }

    pub(crate) async fn delete_config(&self, ends: Ends<'_>) -> Result<(), Fault> {
        self.remove(CONFIG, ends).await
    }

    pub(crate) async fn put_role(&self, name: &str, role: &Role, ends: Ends<'_>) -> Result<(), Fault> {
        self.put(&role_key(name), role, ends).await
    }

    pub(crate) async fn delete_role(&self, name: &str) -> Result<(), Fault> {
        self.remove(&role_key(name), Ends::Role(name)).await
    }

    pub(crate) async fn put_cluster(&self, name: &str, cluster: &Cluster) -> Result<(), Fault> {
        self.put(&cluster_key(name), cluster, Ends::Cluster(name)).await
    }

    pub(crate) async fn delete_cluster(&self, name: &str) -> Result<(), Fault> {
        self.remove(&cluster_key(name), Ends::Cluster(name)).await
    }

    pub(crate) async fn put_managed_anchor(&self, name: &str, anchor: &ManagedAnchor) -> Result<(), Fault> {
        self.store.storage.put_json(&format!("{MANAGED_ANCHOR_PREFIX}{name}"), anchor).await
    }

    pub(crate) async fn delete_managed_anchor(&self, name: &str) -> Result<(), Fault> {
        Ok(self.store.storage.delete(&format!("{MANAGED_ANCHOR_PREFIX}{name}")).await?)
    }

    pub(crate) async fn put_anchor_certificates(
        &self,
        name: &str,
        sums: BTreeSet<String>,
    ) -> Result<(), Fault> {
        let key = format!("{ANCHOR_CERTIFICATES_PREFIX}{name}");
        self.store.storage.put_json(&key, &AnchorCertificates { sha256: sums }).await
    }

    pub(crate) async fn put_compromise(&self, issuer_id: &str, known: &Compromise) -> Result<(), Fault> {
        // the sessions end by the writes of the switch
        self.put(&format!("{COMPROMISE_PREFIX}{issuer_id}"), known, Ends::Nothing).await
    }

    pub(crate) async fn put_denials(&self, denials: &Denials) -> Result<(), Fault> {
        self.store.storage.put_json(&format!("{DENIALS_PREFIX}{}", denials.name()), denials).await
    }

    pub(crate) async fn delete_denials(&self, role: &RoleArn) -> Result<(), Fault> {
        Ok(self.store.storage.delete(&format!("{DENIALS_PREFIX}{}", denials::name_of(role))).await?)
    }

    pub(crate) async fn put_issuer(&self, record: &IssuerRecord, ends: Ends<'_>) -> Result<(), Fault> {
        self.put(&issuer_key(&record.id), record, ends).await
    }

    pub(crate) async fn delete_issuer(&self, id: &str) -> Result<(), Fault> {
        self.remove(&issuer_key(id), Ends::Issuer(id)).await
    }

    pub(crate) async fn put_issuers_config(
        &self,
        config: &IssuersConfig,
        ends: Ends<'_>,
    ) -> Result<(), Fault> {
        self.put(ISSUERS_CONFIG, config, ends).await
    }

    pub(crate) async fn put_key(&self, id: &str, key: &ca::Secret) -> Result<(), Fault> {
        let key_of = format!("{KEY_PREFIX}{id}");
        let _after = self.changing(&key_of, Ends::Nothing);
        Ok(self.store.storage.put_sealed(&key_of, key.expose().to_vec()).await?)
    }

    pub(crate) async fn delete_key(&self, id: &str) -> Result<(), Fault> {
        self.remove(&format!("{KEY_PREFIX}{id}"), Ends::Nothing).await
    }

    async fn put(&self, key: &str, value: &impl Serialize, ends: Ends<'_>) -> Result<(), Fault> {
        let _after = self.changing(key, ends);
        self.store.storage.put_json(key, value).await
    }

    async fn remove(&self, key: &str, ends: Ends<'_>) -> Result<(), Fault> {
        let _after = self.changing(key, ends);
        Ok(self.store.storage.delete(key).await?)
    }

    /// Says of a change that it begins, and on drop that it has ended: well, badly (it may have landed), or given up half-way.
    ///
    /// What errs now and lands later is seen after the next write of the same key, also one that changes nothing.
    #[must_use]
    fn changing<'a>(&'a self, key: &'a str, ends: Ends<'a>) -> impl Drop + use<'a> {
        self.store.changed(key);
        guard((), move |()| {
            self.store.changed(key);
            (self.store.ended)(ends);
        })
    }
}
