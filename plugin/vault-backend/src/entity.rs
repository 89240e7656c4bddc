//! Callers as Vault knows them: entities, their aliases and groups.

use std::collections::BTreeMap;

/// A client that Vault knows, by whichever auth method it logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// Vault's id.
    pub id: String,
    /// The entity's name.
    pub name: String,
    /// One for each auth mount through which the entity has logged in.
    pub aliases: Vec<Alias>,
    /// The metadata that an operator set on the entity.
    pub metadata: BTreeMap<String, String>,
    /// Whether its tokens are refused.
    pub disabled: bool,
    /// The Vault namespace it lives in.
    pub namespace_id: String,
}

/// The name of an entity on one auth mount.
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
    /// The metadata that the auth method set at the last login.
    pub metadata: BTreeMap<String, String>,
    /// The metadata that an operator set on the alias.
    pub custom_metadata: BTreeMap<String, String>,
    /// Whether the alias is known to this cluster only.
    pub local: bool,
    /// The Vault namespace it lives in.
    pub namespace_id: String,
}

/// A group that an entity is a member of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Vault's id.
    pub id: String,
    /// The group's name.
    pub name: String,
    /// The metadata that an operator set on the group.
    pub metadata: BTreeMap<String, String>,
    /// The Vault namespace it lives in.
    pub namespace_id: String,
}
