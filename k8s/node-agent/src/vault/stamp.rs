//! Whether a file has changed since it was read.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// What tells two contents of a file apart without reading it. The kubelet replaces a mounted file by another with another inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl FileStamp {
    /// None if the file does not exist.
    pub(super) fn of(path: &Path) -> Option<FileStamp> {
        let seen = fs::metadata(path).ok()?;
        Some(FileStamp { modified: seen.modified().ok(), size: seen.len(), inode: seen.ino() })
    }
}
