//! Stories that disturb Vault under running pods. All pods of the cluster feel them, so they run one after another.

mod plugin_killed;
mod vault_restarted;
