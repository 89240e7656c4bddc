//! Stories that disturb Vault or the node agent under running pods. All pods of the cluster feel them, so they run one after another.

mod node_agent;
mod plugin_killed;
mod vault_restarted;
