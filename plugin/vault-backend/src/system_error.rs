//! Why Vault did not answer a question about itself.

use crate::fault::Fault;

/// Why Vault did not answer a question about itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// Vault answered with an error.
    #[error("vault's system view: {0}")]
    Failed(String),
    /// Vault could not be reached.
    #[error("vault's system view is out of reach: {0}")]
    OutOfReach(String),
}

impl From<SystemError> for Fault {
    fn from(error: SystemError) -> Fault {
        Fault::later(error.to_string())
    }
}
