//! A file audit device of a server, read back.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// An enabled audit device that writes JSON lines to a file in the server's folder.
pub struct AuditDevice {
    pub(crate) file: PathBuf,
}

impl AuditDevice {
    /// Everything that was written so far.
    ///
    /// # Panics
    /// When the file cannot be read.
    pub fn text(&self) -> String {
        fs::read_to_string(&self.file).expect("Vault created the audit file")
    }

    /// The entries so far: requests and responses in the order of writing.
    ///
    /// # Panics
    /// When a line is not JSON.
    pub fn entries(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("an audit line is JSON")).collect()
    }
}
