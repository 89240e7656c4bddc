//! Why a storage call failed.

use crate::fault::{Fault, READ_ONLY};

/// Why a storage call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// This node may not write. The text is Vault's own, and must reach Vault unchanged.
    #[error("{READ_ONLY}")]
    ReadOnly,
    /// Vault's storage answered with an error.
    #[error("storage: {0}")]
    Failed(String),
    /// Vault could not be reached.
    #[error("storage is out of reach: {0}")]
    OutOfReach(String),
    /// The entry under `key` cannot be read.
    #[error("stored entry {key} cannot be read: {reason}")]
    Unreadable {
        /// The entry's key.
        key: String,
        /// Line and column, without the content.
        reason: String,
    },
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Fault {
        match error {
            StorageError::ReadOnly => Fault::read_only(),
            StorageError::Failed(_) | StorageError::OutOfReach(_) => Fault::later(error.to_string()),
            StorageError::Unreadable { .. } => Fault::bug(error),
        }
    }
}

/// Keeps line and column only, because serde's own text may quote the content.
pub(crate) fn unreadable(key: &str, error: &serde_json::Error) -> StorageError {
    let reason = format!("{:?} error in line {}, column {}", error.classify(), error.line(), error.column());
    StorageError::Unreadable { key: key.to_owned(), reason }
}
