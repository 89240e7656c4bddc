//! The Vault node that runs the plugin.

/// A set of bits, never to be compared for equality: a Community Edition node has 12288.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicationState(pub u32);

impl ReplicationState {
    const PERFORMANCE_SECONDARY: u32 = 1 << 6;
    const PERFORMANCE_STANDBY: u32 = 1 << 14;

    /// Serves reads only. A write must be answered with [`crate::Fault::read_only`], so that Vault forwards it.
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

/// The version of the Vault that runs the plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginEnvironment {
    /// Such as `1.21.1`.
    pub vault_version: String,
    /// Such as `rc1`; empty for a release.
    pub vault_version_prerelease: String,
    /// Such as `ent`.
    pub vault_version_metadata: String,
}
