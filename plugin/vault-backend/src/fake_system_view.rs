//! A fake of the system view, for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::entity::{Entity, Group};
use crate::node::{PluginEnvironment, ReplicationState};

/// The answers of a [`crate::SystemView::fake`].
#[expect(clippy::struct_excessive_bools, reason = "one per question that Vault answers with yes or no")]
#[derive(Clone, Debug)]
pub struct FakeSystemView {
    /// See [`crate::SystemView::default_lease_ttl`].
    pub default_lease_ttl: Duration,
    /// See [`crate::SystemView::max_lease_ttl`].
    pub max_lease_ttl: Duration,
    /// See [`crate::SystemView::tainted`].
    pub tainted: bool,
    /// See [`crate::SystemView::replication_state`].
    pub replication_state: ReplicationState,
    /// See [`crate::SystemView::mlock_enabled`].
    pub mlock_enabled: bool,
    /// See [`crate::SystemView::local_mount`].
    pub local_mount: bool,
    /// See [`crate::SystemView::entity_info`].
    pub entities: Vec<Entity>,
    /// See [`crate::SystemView::groups_for_entity`]; by entity id.
    pub groups: BTreeMap<String, Vec<Group>>,
    /// See [`crate::SystemView::plugin_env`].
    pub environment: PluginEnvironment,
    /// Makes every question fail, as before `initialize`.
    pub out_of_reach: bool,
}

impl Default for FakeSystemView {
    /// A Community Edition server with Vault's default of 32 days for both ttls.
    fn default() -> FakeSystemView {
        let month = Duration::from_hours(32 * 24);
        FakeSystemView {
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
