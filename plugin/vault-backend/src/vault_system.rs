//! Vault's own system view, over gRPC.

use std::sync::Arc;
use std::time::Duration;

use goplugin::MESSAGE_LIMIT;
use proto::logical;
use proto::pb::system_view_client::SystemViewClient;
use proto::pb::{Empty, EntityInfoArgs};
use tonic::Status;
use tonic::transport::Channel;

use crate::entity::{Alias, Entity, Group};
use crate::host_connection::HostConnection;
use crate::node::{PluginEnvironment, ReplicationState};
use crate::system_error::SystemError;

/// The questions of one mount to Vault.
#[derive(Clone, Debug)]
pub(crate) struct VaultSystem(pub(crate) Arc<HostConnection>);

impl VaultSystem {
    pub(crate) async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
        let reply =
            self.client().await?.default_lease_ttl(Empty {}).await.map_err(|status| failed(&status))?;
        Ok(span(reply.into_inner().ttl))
    }

    pub(crate) async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
        let reply = self.client().await?.max_lease_ttl(Empty {}).await.map_err(|status| failed(&status))?;
        Ok(span(reply.into_inner().ttl))
    }

    pub(crate) async fn tainted(&self) -> Result<bool, SystemError> {
        let reply = self.client().await?.tainted(Empty {}).await.map_err(|status| failed(&status))?;
        Ok(reply.into_inner().tainted)
    }

    pub(crate) async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
        let reply =
            self.client().await?.replication_state(Empty {}).await.map_err(|status| failed(&status))?;
        Ok(ReplicationState(reply.into_inner().state.cast_unsigned()))
    }

    pub(crate) async fn mlock_enabled(&self) -> Result<bool, SystemError> {
        let reply = self.client().await?.mlock_enabled(Empty {}).await.map_err(|status| failed(&status))?;
        Ok(reply.into_inner().enabled)
    }

    pub(crate) async fn local_mount(&self) -> Result<bool, SystemError> {
        let reply = self.client().await?.local_mount(Empty {}).await.map_err(|status| failed(&status))?;
        Ok(reply.into_inner().local)
    }

    pub(crate) async fn entity_info(&self, id: &str) -> Result<Option<Entity>, SystemError> {
        let asked = EntityInfoArgs { entity_id: id.to_owned() };
        let reply =
            self.client().await?.entity_info(asked).await.map_err(|status| failed(&status))?.into_inner();
        check_error(&reply.err)?;
        Ok(reply.entity.map(entity))
    }

    pub(crate) async fn groups_for_entity(&self, id: &str) -> Result<Vec<Group>, SystemError> {
        let asked = EntityInfoArgs { entity_id: id.to_owned() };
        let reply = self
            .client()
            .await?
            .groups_for_entity(asked)
            .await
            .map_err(|status| failed(&status))?
            .into_inner();
        check_error(&reply.err)?;
        Ok(reply.groups.into_iter().map(group).collect())
    }

    pub(crate) async fn plugin_env(&self) -> Result<PluginEnvironment, SystemError> {
        let reply =
            self.client().await?.plugin_env(Empty {}).await.map_err(|status| failed(&status))?.into_inner();
        check_error(&reply.err)?;
        let env = reply.plugin_environment.unwrap_or_default();
        Ok(PluginEnvironment {
            vault_version: env.vault_version,
            vault_version_prerelease: env.vault_version_prerelease,
            vault_version_metadata: env.vault_version_metadata,
        })
    }

    async fn client(&self) -> Result<SystemViewClient<Channel>, SystemError> {
        let channel = self.0.channel().await.map_err(SystemError::OutOfReach)?;
        Ok(SystemViewClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT))
    }
}

fn check_error(error: &str) -> Result<(), SystemError> {
    if error.is_empty() { Ok(()) } else { Err(SystemError::Failed(error.to_owned())) }
}

fn failed(status: &Status) -> SystemError {
    SystemError::OutOfReach(format!("{:?}: {}", status.code(), status.message()))
}

/// Go's `time.Duration`: nanoseconds.
fn span(nanoseconds: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

fn entity(wire: logical::Entity) -> Entity {
    Entity {
        id: wire.id,
        name: wire.name,
        aliases: wire.aliases.into_iter().map(alias).collect(),
        metadata: wire.metadata.into_iter().collect(),
        disabled: wire.disabled,
        namespace_id: wire.namespace_id,
    }
}

fn alias(wire: logical::Alias) -> Alias {
    Alias {
        id: wire.id,
        mount_type: wire.mount_type,
        mount_accessor: wire.mount_accessor,
        name: wire.name,
        metadata: wire.metadata.into_iter().collect(),
        custom_metadata: wire.custom_metadata.into_iter().collect(),
        local: wire.local,
        namespace_id: wire.namespace_id,
    }
}

fn group(wire: logical::Group) -> Group {
    Group {
        id: wire.id,
        name: wire.name,
        metadata: wire.metadata.into_iter().collect(),
        namespace_id: wire.namespace_id,
    }
}
