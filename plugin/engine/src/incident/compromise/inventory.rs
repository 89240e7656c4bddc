//! The mount as it stood when a response began.

use rolesanywhere::TrustAnchorArn;
use vault_backend::Fault;

use crate::issuers::{Issuers, Loaded};
use crate::management::trust_anchors::in_use;
use crate::records::config::Config;
use crate::records::managed_anchor::ManagedAnchor;
use crate::records::role::Role;
use crate::store::Store;

/// What a response goes by. It is read once, because a mount may have thousands of roles, and each pass reads all of them.
///
/// A role that is written meanwhile is not in it; its sessions are, because the ledger knows them.
pub(super) struct Inventory {
    pub(super) config: Config,
    pub(super) issuers: Issuers,
    pub(super) roles: Vec<(String, Role)>,
    /// The managed trust anchors, by name.
    pub(super) anchors: Vec<(String, ManagedAnchor)>,
}

impl Inventory {
    pub(super) async fn read(store: &Store) -> Result<Self, Fault> {
        Ok(Self {
            config: store.config().await?.unwrap_or_default(),
            issuers: Issuers::load(store).await?,
            roles: store.roles().await?,
            anchors: store.managed_anchors().await?,
        })
    }

    /// The issuers whose certificates are of the same key as `issuer`, itself among them.
    pub(super) fn of_the_key(&self, issuer: &Loaded) -> Vec<&Loaded> {
        self.issuers.all.iter().filter(|one| one.issuer.key_sha256() == issuer.issuer.key_sha256()).collect()
    }

    /// The trust anchors in use that the engine does not manage.
    pub(super) fn unmanaged(&self, mount_point: &str) -> Vec<TrustAnchorArn> {
        let mut arns = in_use(&self.config, &self.roles, mount_point);
        arns.retain(|arn| !self.anchors.iter().any(|(_, anchor)| anchor.trust_anchor_arn == *arn));
        arns
    }
}
