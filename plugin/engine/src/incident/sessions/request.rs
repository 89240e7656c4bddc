//! What `revoke` is asked to end.

use rolesanywhere::RoleArn;

use crate::credentials::ledger::Selector;
use crate::management::denial_policy::Owner;

/// Which sessions must end.
pub(crate) struct RevocationRequest {
    /// The serial number, entity or cluster.
    pub(crate) which: Selector,
    /// Only sessions of this role of the engine. Required with a serial number that the record does not have.
    pub(crate) role: Option<String>,
    /// The IAM role in which an unknown session is denied. Default: the IAM role that `role` leads to now. Known sessions are
    /// denied where they were made.
    pub(crate) role_arn: Option<RoleArn>,
    /// Also ends sessions that other callers share, or that a denial by source identity reaches.
    pub(crate) force: bool,
}

impl RevocationRequest {
    /// Tells how to find the sessions of merged entities. Vault does not tell a plugin which entities were merged into one, so the
    /// operator must look. None unless an entity is selected.
    pub(super) fn former_ids(&self, owner: Owner<'_>) -> Option<String> {
        let Selector::Entity(id) = &self.which else { return None };
        Some(format!(
            "the sessions that an entity had before it was merged into this one are found only by its former id: vault read -field=merged_entity_ids identity/entity/id/{id}, then vault write {}revoke entity_id=<former id> for each",
            owner.mount_point
        ))
    }
}
