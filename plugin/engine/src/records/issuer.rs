//! An issuer as it is stored, and which one is the default.

use serde::{Deserialize, Serialize};

/// The name by which a role follows the mount's default issuer.
pub(crate) const DEFAULT_ISSUER: &str = "default";

/// An issuer without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuerRecord {
    /// A UUID, which never changes.
    pub(crate) id: String,
    /// The operator's name for it, unique in the mount.
    pub(crate) name: Option<String>,
    /// The record of its key, under `key/`.
    pub(crate) key_id: String,
    pub(crate) certificate_pem: String,
    /// Its parents, nearest first.
    pub(crate) chain_pem: Vec<String>,
    #[serde(default)]
    pub(crate) state: IssuerState,
}

/// Whether an issuer may sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IssuerState {
    #[default]
    Enabled,
    /// It signs nothing and no trust anchor has to hold it.
    Disabled,
    /// Its key is gone, or about to go; for everyone but a repair it is not there.
    Deleted,
}

/// Which issuer signs when a role names none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuersConfig {
    pub(crate) default: Option<String>,
    /// The one that was the default before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
}

impl IssuerRecord {
    pub(crate) fn is_called(&self, wanted: &str) -> bool {
        self.id == wanted || self.name.as_deref() == Some(wanted)
    }

    /// What operators call it: its name, or its id where it has none.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}
