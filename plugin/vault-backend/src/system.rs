//! What Vault tells about itself and about callers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::fault::Fault;
use crate::vault_system::VaultSystem;

/// Why Vault did not tell.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// Vault answered with an error.
    #[error("vault's system view: {0}")]
    Failed(String),
    /// Vault could not be reached.
    #[error("vault's system view is out of reach: {0}")]
    OutOfReach(String),
}

impl From<SystemError> for Fault {
    fn from(error: SystemError) -> Fault {
        Fault::later(error.to_string())
    }
}

/// Someone Vault knows, however they logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// Vault's id.
    pub id: String,
    /// The entity's name.
    pub name: String,
    /// One for each auth mount through which the entity has logged in.
    pub aliases: Vec<Alias>,
    /// What an operator wrote on the entity.
    pub metadata: BTreeMap<String, String>,
    /// Whether its tokens are refused.
    pub disabled: bool,
    /// The Vault namespace it lives in.
    pub namespace_id: String,
}

/// How an entity is known to one auth mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alias {
    /// Vault's id.
    pub id: String,
    /// The kind of auth method, such as `kubernetes`.
    pub mount_type: String,
    /// The auth mount's accessor.
    pub mount_accessor: String,
    /// The name there; for Kubernetes the service account's UID by default.
    pub name: String,
    /// What the auth method said at the last login.
    pub metadata: BTreeMap<String, String>,
    /// What an operator wrote on the alias.
    pub custom_metadata: BTreeMap<String, String>,
    /// Whether the alias is known to this cluster only.
    pub local: bool,
    /// The Vault namespace it lives in.
    pub namespace_id: String,
}

/// A group an entity is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Vault's id.
    pub id: String,
    /// The group's name.
    pub name: String,
    /// What an operator wrote on the group.
    pub metadata: BTreeMap<String, String>,
    /// The Vault namespace it lives in.
    pub namespace_id: String,
}

/// A set of bits, never to be compared for equality: a Community Edition node has 12288.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicationState(pub u32);

impl ReplicationState {
    const PERFORMANCE_SECONDARY: u32 = 1 << 6;
    const PERFORMANCE_STANDBY: u32 = 1 << 14;

    /// Serves reads only; a write has to be answered with [`Fault::read_only`] for Vault to forward it.
    #[must_use]
    pub fn is_performance_standby(self) -> bool {
        self.0 & Self::PERFORMANCE_STANDBY != 0
    }

    /// Belongs to a cluster that replicates another one.
    #[must_use]
    pub fn is_performance_secondary(self) -> bool {
        self.0 & Self::PERFORMANCE_SECONDARY != 0
    }
}

/// Which Vault runs us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginEnvironment {
    /// Such as `1.21.1`.
    pub vault_version: String,
    /// Such as `rc1`; empty for a release.
    pub vault_version_prerelease: String,
    /// Such as `ent`.
    pub vault_version_metadata: String,
}

/// What a [`SystemView::fixed`] answers.
#[expect(clippy::struct_excessive_bools, reason = "one per question that Vault answers with yes or no")]
#[derive(Clone, Debug)]
pub struct Fixed {
    /// See [`SystemView::default_lease_ttl`].
    pub default_lease_ttl: Duration,
    /// See [`SystemView::max_lease_ttl`].
    pub max_lease_ttl: Duration,
    /// See [`SystemView::tainted`].
    pub tainted: bool,
    /// See [`SystemView::replication_state`].
    pub replication_state: ReplicationState,
    /// See [`SystemView::mlock_enabled`].
    pub mlock_enabled: bool,
    /// See [`SystemView::local_mount`].
    pub local_mount: bool,
    /// See [`SystemView::entity_info`].
    pub entities: Vec<Entity>,
    /// See [`SystemView::groups_for_entity`]; by entity id.
    pub groups: BTreeMap<String, Vec<Group>>,
    /// See [`SystemView::plugin_env`].
    pub environment: PluginEnvironment,
    /// Has every question fail, as before `initialize`.
    pub out_of_reach: bool,
}

impl Default for Fixed {
    /// A Community Edition server with Vault's default of 32 days for both ttls.
    fn default() -> Fixed {
        let month = Duration::from_hours(32 * 24);
        Fixed {
            default_lease_ttl: month,
            max_lease_ttl: month,
            tainted: false,
            replication_state: ReplicationState(12_288),
            mlock_enabled: false,
            local_mount: false,
            entities: Vec::new(),
            groups: BTreeMap::new(),
            environment: PluginEnvironment {
                vault_version: "1.21.1".to_owned(),
                ..PluginEnvironment::default()
            },
            out_of_reach: false,
        }
    }
}

/// The questions Vault answers. Clones are handles to the same view.
#[derive(Clone, Debug)]
pub struct SystemView(pub(crate) Inner);

#[derive(Clone, Debug)]
pub(crate) enum Inner {
    Fixed(Arc<Mutex<Fixed>>),
    Vault(VaultSystem),
}

impl SystemView {
    /// A view that answers `fixed`, for tests.
    #[must_use]
    pub fn fixed(fixed: Fixed) -> SystemView {
        SystemView(Inner::Fixed(Arc::new(Mutex::new(fixed))))
    }

    /// Changes what a fixed view answers. Has no effect on Vault's.
    pub fn change(&self, change: impl FnOnce(&mut Fixed)) {
        if let Inner::Fixed(fixed) = &self.0 {
            change(&mut lock(fixed));
        }
    }

    /// The mount's ttl for leases that have none. Never zero.
    pub async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => answer(fixed, |fixed| fixed.default_lease_ttl),
            Inner::Vault(vault) => vault.default_lease_ttl().await,
        }
    }

    /// The mount's longest ttl: Vault cuts leases to it, with a warning.
    pub async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => answer(fixed, |fixed| fixed.max_lease_ttl),
            Inner::Vault(vault) => vault.max_lease_ttl().await,
        }
    }

    /// Whether the mount is being removed.
    pub async fn tainted(&self) -> Result<bool, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => answer(fixed, |fixed| fixed.tainted),
            Inner::Vault(vault) => vault.tainted().await,
        }
    }

    /// This node's part in replication.
    pub async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => answer(fixed, |fixed| fixed.replication_state),
            Inner::Vault(vault) => vault.replication_state().await,
        }
    }

    /// Whether Vault locks its memory.
    pub async fn mlock_enabled(&self) -> Result<bool, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => answer(fixed, |fixed| fixed.mlock_enabled),
            Inner::Vault(vault) => vault.mlock_enabled().await,
        }
    }

    /// Whether the mount stays out of replication.
    pub async fn local_mount(&self) -> Result<bool, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => answer(fixed, |fixed| fixed.local_mount),
            Inner::Vault(vault) => vault.local_mount().await,
        }
    }

    /// The entity, where the mount's Vault namespace knows it.
    pub async fn entity_info(&self, id: &str) -> Result<Option<Entity>, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => {
                answer(fixed, |fixed| fixed.entities.iter().find(|entity| entity.id == id).cloned())
            }
            Inner::Vault(vault) => vault.entity_info(id).await,
        }
    }

    /// The groups an entity is in, inherited ones too.
    pub async fn groups_for_entity(&self, id: &str) -> Result<Vec<Group>, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => answer(fixed, |fixed| fixed.groups.get(id).cloned().unwrap_or_default()),
            Inner::Vault(vault) => vault.groups_for_entity(id).await,
        }
    }

    /// Which Vault runs us.
    pub async fn plugin_env(&self) -> Result<PluginEnvironment, SystemError> {
        match &self.0 {
            Inner::Fixed(fixed) => answer(fixed, |fixed| fixed.environment.clone()),
            Inner::Vault(vault) => vault.plugin_env().await,
        }
    }
}

fn lock(fixed: &Mutex<Fixed>) -> MutexGuard<'_, Fixed> {
    fixed.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer<T>(fixed: &Mutex<Fixed>, take: impl FnOnce(&Fixed) -> T) -> Result<T, SystemError> {
    let fixed = lock(fixed);
    if fixed.out_of_reach {
        Err(SystemError::OutOfReach("nothing is behind the broker".to_owned()))
    } else {
        Ok(take(&fixed))
    }
}
