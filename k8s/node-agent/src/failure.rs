//! Why a subcommand ended.

use std::io::{self, Write as _};

/// A subcommand could not do its work. The text is for the operator: lower case, with the flag or the command that cures it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure with its text.
    pub fn new(text: impl Into<String>) -> Failure {
        Failure(text.into())
    }

    /// Writes the text to stderr, which the kubelet keeps as the container's log.
    pub fn report(&self) {
        // a process without a stderr has nobody to tell
        let _lost = writeln!(io::stderr(), "iamra-node-agent: {self}");
    }
}
