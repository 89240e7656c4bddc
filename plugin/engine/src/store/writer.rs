//! The writer: a guard that holds the store's lock and owns every write, so a write without the lock does not compile.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use ca::ExposeSecret as _;
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

/// The store while nobody else writes. Hold it from the first read of a check to the last write, so two operators at once cannot
/// overwrite each other's change. It reads like the [`Store`] to which it derefs.
///
/// Never hold it across a call of AWS, because every other write of the mount would wait for AWS.
#[must_use]
pub(crate) struct Writer {
    store: Store,
    _turn: OwnedMutexGuard<()>,
}

impl Store {
    /// Waits until no other writer is left, and returns the only one. Writers get their turns in order.
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
    /// Stores the config. `ends` must be [`Ends::All`] unless the new config makes the same sessions.
    pub(crate) async fn put_config(&self, config: &Config, ends: Ends<'_>) -> Result<(), Fault> {
        self.put(CONFIG, config, ends).await
    }

    pub(crate) async fn delete_config(&self, ends: Ends<'_>) -> Result<(), Fault> {
        self.remove(CONFIG, ends).await
    }

    /// Stores a role. `ends` must be [`Ends::Role`] unless the new role makes the same sessions.
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

    /// Stores a managed anchor. No sessions end and no snapshot changes, because neither depends on it.
    pub(crate) async fn put_managed_anchor(&self, name: &str, anchor: &ManagedAnchor) -> Result<(), Fault> {
        self.store.storage.put_json(&format!("{MANAGED_ANCHOR_PREFIX}{name}"), anchor).await
    }

    pub(crate) async fn delete_managed_anchor(&self, name: &str) -> Result<(), Fault> {
        Ok(self.store.storage.delete(&format!("{MANAGED_ANCHOR_PREFIX}{name}")).await?)
    }

    /// Replaces the SHA-256 sums of the certificates that this mount has put into the anchor `name`.
    pub(crate) async fn put_anchor_certificates(
        &self,
        name: &str,
        sums: BTreeSet<String>,
    ) -> Result<(), Fault> {
        let key = format!("{ANCHOR_CERTIFICATES_PREFIX}{name}");
        self.store.storage.put_json(&key, &AnchorCertificates { sha256: sums }).await
    }

    /// Stores the record alone. The issuer stops signing by writes of its own.
    pub(crate) async fn put_compromise(&self, issuer_id: &str, known: &Compromise) -> Result<(), Fault> {
        // the writes of the switch to another issuer end the sessions
        self.put(&format!("{COMPROMISE_PREFIX}{issuer_id}"), known, Ends::Nothing).await
    }

    pub(crate) async fn put_denials(&self, denials: &Denials) -> Result<(), Fault> {
        self.store.storage.put_json(&format!("{DENIALS_PREFIX}{}", denials.name()), denials).await
    }

    pub(crate) async fn delete_denials(&self, role: &RoleArn) -> Result<(), Fault> {
        Ok(self.store.storage.delete(&format!("{DENIALS_PREFIX}{}", denials::name_of(role))).await?)
    }

    /// Stores an issuer. Its key must be stored before ([`Self::put_key`]), because a crash must not leave an issuer without a
    /// key.
    pub(crate) async fn put_issuer(&self, record: &IssuerRecord, ends: Ends<'_>) -> Result<(), Fault> {
        self.put(&issuer_key(&record.id), record, ends).await
    }

    /// Deletes an issuer's record. Its key must be deleted before, unless another issuer shares it: a key alone looks like a
    /// pending signing request, which no repair deletes.
    pub(crate) async fn delete_issuer(&self, id: &str) -> Result<(), Fault> {
        self.remove(&issuer_key(id), Ends::Issuer(id)).await
    }

    /// Stores the pointer to the default issuer. The issuers to which it points must be stored before.
    pub(crate) async fn put_issuers_config(
        &self,
        config: &IssuersConfig,
        ends: Ends<'_>,
    ) -> Result<(), Fault> {
        self.put(ISSUERS_CONFIG, config, ends).await
    }

    /// Stores the PKCS#8 DER of a key, wrapped with Vault's seal.
    pub(crate) async fn put_key(&self, id: &str, key: &ca::SecretSlice<u8>) -> Result<(), Fault> {
        let key_of = format!("{KEY_PREFIX}{id}");
        let _after = self.changing(&key_of, Ends::Nothing);
        Ok(self.store.storage.put_sealed(&key_of, key.expose_secret().to_vec()).await?)
    }

    pub(crate) async fn delete_key(&self, id: &str) -> Result<(), Fault> {
        self.remove(&format!("{KEY_PREFIX}{id}"), Ends::Nothing).await
    }

    /// Stores a record of which values are cached or sessions are made.
    async fn put(&self, key: &str, value: &impl Serialize, ends: Ends<'_>) -> Result<(), Fault> {
        let _after = self.changing(key, ends);
        self.store.storage.put_json(key, value).await
    }

    /// Deletes a record of which values are cached or sessions are made.
    async fn remove(&self, key: &str, ends: Ends<'_>) -> Result<(), Fault> {
        let _after = self.changing(key, ends);
        Ok(self.store.storage.delete(key).await?)
    }

    /// Announces that a change of `key` begins, and on drop that it has ended: in success, in error (it may have landed), or
    /// because its request was dropped midway. Bind it to a name before the Put; `let _ =` would drop it at once.
    ///
    /// A Put that fails now and lands later shows after the next write of the same key, even one that changes nothing.
    #[must_use]
    fn changing<'a>(&'a self, key: &'a str, ends: Ends<'a>) -> impl Drop + use<'a> {
        // before the Put: a load that began earlier must not be cached
        self.store.changed(key);
        guard((), move |()| {
            // after the Put: a load during it may have read either value
            self.store.changed(key);
            // last: a session that is made from here on is made from the new record
            (self.store.ended)(ends);
        })
    }
}
