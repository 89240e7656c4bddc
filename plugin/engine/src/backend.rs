//! The engine as a Vault backend: its routes on one screen, and Vault's calls to the mount.

use std::sync::Arc;

use rolesanywhere::Client;
use vault_backend::{Backend, Blame, Fault, LeaseEnd, Mount, Route, SpecialPaths};

use crate::engine::Engine;
use crate::ground::clock;
use crate::issuers;
use crate::management::denial_policy::Owner;
use crate::paths::{
    path_ca, path_check, path_clusters, path_config, path_config_issuers, path_container, path_creds,
    path_intermediate, path_issuer_compromised, path_issuers, path_issuers_import, path_metrics,
    path_preview, path_revoke, path_revoke_sessions, path_roles, path_root, path_rotation, path_sessions,
    path_trust_anchor_sync, path_trust_anchors,
};
use crate::store;

impl Backend for Engine {
    const HELP: &'static str = "\
The iamra engine hands out AWS credentials through IAM Roles Anywhere. It holds its own certificate authority. For a read
of creds/<role> it issues a certificate, calls CreateSession with it, forgets certificate and key, and returns the session's
credentials under a lease that is shorter than the session. Callers who are the same at AWS share a session until its half-life.
container/<role> gives the same, without a lease, to AWS SDKs that fetch their credentials themselves.";

    fn new(mount: Mount) -> Self {
        Self::connecting(mount, Client::new)
    }

    fn routes() -> Vec<Route<Self>> {
        vec![
            path_config::route(),
            path_root::route(),
            path_intermediate::generate_route(),
            path_intermediate::set_signed_route(),
            path_issuers_import::route(),
            path_issuers::list_route(),
            path_issuers::route(),
            path_issuer_compromised::route(),
            path_config_issuers::route(),
            path_rotation::route(),
            path_ca::pem_route(),
            path_ca::chain_route(),
            path_ca::trust_bundle_route(),
            path_clusters::list_route(),
            path_clusters::route(),
            path_roles::list_route(),
            path_roles::route(),
            path_revoke_sessions::route(),
            path_revoke::route(),
            path_sessions::list_route(),
            path_sessions::route(),
            path_creds::route("creds/{role}"),
            path_creds::route("sts/{role}"),
            path_container::route(),
            path_preview::route(),
            path_check::route(),
            path_metrics::route(),
            path_trust_anchors::list_route(),
            path_trust_anchor_sync::route(),
            path_trust_anchors::route(),
        ]
    }

    fn special_paths() -> SpecialPaths {
        SpecialPaths {
            root: vec![
                "root/generate/internal",
                "intermediate/generate/internal",
                "intermediate/set-signed",
                "issuers/import/bundle",
                "revoke",
            ],
            unauthenticated: vec!["ca/pem", "ca_chain", "trust-bundle"],
            seal_wrap_storage: vec![store::KEY_PREFIX],
            ..SpecialPaths::default()
        }
    }

    /// Learns whether this node is a performance standby. If it is not, repairs the issuers after a crash between two writes.
    ///
    /// # Errors
    /// If Vault does not tell the replication state, or if the repair fails by anything but an operator's fault. The mount then
    /// does not come up.
    async fn initialize(self: Arc<Self>, mount: Mount) -> Result<(), Fault> {
        self.lifecycle.set_standby(mount.system.replication_state().await?.is_performance_standby());
        if self.lifecycle.is_standby() {
            return Ok(());
        }
        match issuers::repair(&self.store().write().await).await {
            // A later version wrote a record. The mount must serve all the same: each request that needs the record names the
            // cure.
            Err(fault) if fault.blame() == Blame::Operator => {
                tracing::error!("the issuers were not repaired: {fault}");
                Ok(())
            }
            done => done,
        }
    }

    /// Maintains the AWS side of the mount: trust anchors, responses to a compromise, denials that are over. Vault calls this
    /// each minute, and once more when the mount is removed. A mount that is being removed (tainted) changes nothing at AWS any
    /// more.
    ///
    /// The work ends when the mount closes, because a seal waits for it.
    async fn periodic(self: Arc<Self>, mount: Mount) -> Result<(), Fault> {
        if self.lifecycle.is_standby() || mount.system.tainted().await? {
            return Ok(());
        }
        // A fault of it must not keep the rest from being done: the next tick goes on.
        let expired = self.lifecycle.until_closed(Box::pin(self.credentials.ledger.expire(clock::now())));
        if let Err(fault) = expired.await {
            tracing::warn!("the record of sessions that are over was not deleted: {fault}");
        }
        let owner = Owner { mount_id: &mount.uuid, mount_point: "<mount>/" };
        let anchors = self.store().managed_anchors().await?;
        let compromises = self.store().compromises().await?;
        // a mount without either makes no snapshot here: it may never need a client
        if anchors.is_empty() && compromises.is_empty() {
            self.anchors.keep(|_| false);
        } else {
            let snapshot = self.snapshot().await?;
            let issuers = &snapshot.issuers;
            let in_sync = Box::pin(self.anchors.keep_in_sync(&anchors, issuers, owner.mount_point));
            self.lifecycle.until_closed(in_sync).await?;
            let settling = async {
                self.incidents.settle(owner, &compromises, issuers, clock::now()).await;
                Ok(())
            };
            self.lifecycle.until_closed(Box::pin(settling)).await?;
        }
        self.lifecycle.until_closed(Box::pin(self.denials.prune(owner))).await
    }

    /// Drops the snapshot or the cached role that was read from the storage key `key`, because another node wrote it.
    fn invalidate(&self, key: &str) {
        self.store().invalidate(key);
    }

    /// Gives up all work of the mount. Sessions at AWS live on until they expire.
    fn cleanup(&self) {
        self.lifecycle.close();
        self.credentials.services().close();
    }

    /// Succeeds always and does nothing at AWS, because Vault does not say whether a lease was revoked or has expired.
    async fn revoke(self: Arc<Self>, _mount: Mount, lease: LeaseEnd) -> Result<(), Fault> {
        tracing::debug!(
            serial = lease.internal.get("serial").and_then(|serial| serial.as_str()),
            "a lease ended"
        );
        Ok(())
    }
}
