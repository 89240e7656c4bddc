//! The stored issuers, and the pointer to the default one.

use serde::{Deserialize, Serialize};

/// The `issuer_ref` of a role that follows the mount's default issuer. No issuer can have this name.
pub(crate) const DEFAULT_ISSUER: &str = "default";

/// An issuer without its key, stored as `issuer/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuerRecord {
    /// A UUID, which never changes. Cached sessions and log lines name the issuer by it.
    pub(crate) id: String,
    /// The operator's name for the issuer, unique in the mount.
    pub(crate) name: Option<String>,
    /// The id of its private key, stored as `key/<id>`. Two issuers may share a key.
    pub(crate) key_id: String,
    pub(crate) certificate_pem: String,
    /// The certificates of its parent CAs, nearest first; empty for a root.
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
    /// The issuer signs nothing, and trust anchors need not hold it.
    Disabled,
    /// Its key is deleted or about to be. Only a repair sees the issuer: for everything else it does not exist.
    Deleted,
}

/// The ids of the issuer that signs when a role names none, and of the one before it. Stored as `config/issuers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuersConfig {
    /// `None` before the first issuer, and after the default issuer was deleted.
    pub(crate) default: Option<String>,
    /// The default before the current one. It may still sign for the roles that name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
}

impl IssuersConfig {
    /// Returns the same pointers, without those to issuers for which `is_there` is false.
    pub(crate) fn retaining(self, is_there: impl Fn(&String) -> bool) -> Self {
        Self { default: self.default.filter(&is_there), previous: self.previous.filter(&is_there) }
    }
}

impl IssuerRecord {
    /// Returns whether `wanted` is the issuer's id or name.
    pub(crate) fn is_called(&self, wanted: &str) -> bool {
        self.id == wanted || self.name.as_deref() == Some(wanted)
    }

    /// Returns the name by which operators know the issuer, or its id where it has no name.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}
