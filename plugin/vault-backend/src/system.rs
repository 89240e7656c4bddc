//! Vault's answers about itself and about callers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::entity::{Entity, Group};
use crate::fake_system_view::FakeSystemView;
use crate::node::{PluginEnvironment, ReplicationState};
use crate::system_error::SystemError;
use crate::vault_system::VaultSystem;

/// Vault's answers to questions about itself. Clones are handles to the same view.
#[derive(Clone, Debug)]
pub struct SystemView(pub(crate) Inner);

#[derive(Clone, Debug)]
pub(crate) enum Inner {
    Fake(Arc<Mutex<FakeSystemView>>),
    Vault(VaultSystem),
}

impl SystemView {
    /// A view with the answers of `fake`, for tests.
    #[must_use]
    pub fn fake(fake: FakeSystemView) -> SystemView {
        SystemView(Inner::Fake(Arc::new(Mutex::new(fake))))
    }

    /// Changes the answers of a fake view. Has no effect on Vault's.
    pub fn change(&self, change: impl FnOnce(&mut FakeSystemView)) {
        if let Inner::Fake(fake) = &self.0 {
            change(&mut lock(fake));
        }
    }

    /// The mount's ttl for leases without one. Never zero.
    pub async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => answer(fake, |fake| fake.default_lease_ttl),
            Inner::Vault(vault) => vault.default_lease_ttl().await,
        }
    }

    /// The mount's longest ttl: Vault cuts leases to it, with a warning.
    pub async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => answer(fake, |fake| fake.max_lease_ttl),
            Inner::Vault(vault) => vault.max_lease_ttl().await,
        }
    }

    /// Whether the mount is being removed.
    pub async fn tainted(&self) -> Result<bool, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => answer(fake, |fake| fake.tainted),
            Inner::Vault(vault) => vault.tainted().await,
        }
    }

    /// This node's part in replication.
    pub async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => answer(fake, |fake| fake.replication_state),
            Inner::Vault(vault) => vault.replication_state().await,
        }
    }

    /// Whether Vault locks its memory.
    pub async fn mlock_enabled(&self) -> Result<bool, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => answer(fake, |fake| fake.mlock_enabled),
            Inner::Vault(vault) => vault.mlock_enabled().await,
        }
    }

    /// Whether the mount stays out of replication.
    pub async fn local_mount(&self) -> Result<bool, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => answer(fake, |fake| fake.local_mount),
            Inner::Vault(vault) => vault.local_mount().await,
        }
    }

    /// The entity, if the mount's Vault namespace knows it.
    pub async fn entity_info(&self, id: &str) -> Result<Option<Entity>, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => {
                answer(fake, |fake| fake.entities.iter().find(|entity| entity.id == id).cloned())
            }
            Inner::Vault(vault) => vault.entity_info(id).await,
        }
    }

    /// The groups that an entity is a member of, including inherited ones.
    pub async fn groups_for_entity(&self, id: &str) -> Result<Vec<Group>, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => answer(fake, |fake| fake.groups.get(id).cloned().unwrap_or_default()),
            Inner::Vault(vault) => vault.groups_for_entity(id).await,
        }
    }

    /// The version of the Vault that runs the plugin.
    pub async fn plugin_env(&self) -> Result<PluginEnvironment, SystemError> {
        match &self.0 {
            Inner::Fake(fake) => answer(fake, |fake| fake.environment.clone()),
            Inner::Vault(vault) => vault.plugin_env().await,
        }
    }
}

fn lock(fake: &Mutex<FakeSystemView>) -> MutexGuard<'_, FakeSystemView> {
    fake.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer<T>(
    fake: &Mutex<FakeSystemView>,
    take: impl FnOnce(&FakeSystemView) -> T,
) -> Result<T, SystemError> {
    let fake = lock(fake);
    if fake.out_of_reach {
        Err(SystemError::OutOfReach("nothing is behind the broker".to_owned()))
    } else {
        Ok(take(&fake))
    }
}
