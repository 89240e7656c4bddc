//! Callers as Vault knows them: entities, their aliases and groups.

use std::collections::BTreeMap;

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
