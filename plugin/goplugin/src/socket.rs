//! The unix socket that the host connects to: made where and for whom the host says, and removed when the plugin ends.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use thiserror::Error;
use tokio::net::UnixListener;

/// Where group names are looked up. A static binary has no other source, and go-plugin without cgo reads the same file.
const GROUPS: &str = "/etc/group";

/// The number that means "unchanged" to the system.
const NO_GROUP: u32 = u32::MAX;

/// Why the socket could not be made.
#[derive(Debug, Error)]
pub enum SocketError {
    /// No socket could be made in the directory.
    #[error("cannot make a unix socket in {dir}", dir = dir.display())]
    Bind {
        /// `PLUGIN_UNIX_SOCKET_DIR`, or the temporary directory.
        dir: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system does not know the group.
    #[error("PLUGIN_UNIX_SOCKET_GROUP {group:?} is neither a number nor a group of {GROUPS}")]
    UnknownGroup {
        /// As given by the host.
        group: String,
    },
    /// The socket cannot be given to the group, or its mode not set.
    #[error("cannot set group and mode of {path}", path = path.display())]
    Permissions {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A bound socket and its file, which is removed on drop.
pub(crate) struct Socket {
    /// Accepts connections.
    pub(crate) listener: UnixListener,
    /// Removes the file when dropped.
    pub(crate) path: TempPath,
}

impl Socket {
    /// Binds a socket of a fresh name in `dir`: for the owner alone, or for owner and `group` (a name or a number).
    pub(crate) fn bind(dir: &Path, group: Option<&str>) -> Result<Self, SocketError> {
        let group = group.map(gid).transpose()?;
        let (listener, path) = tempfile::Builder::new()
            .prefix("plugin")
            .make_in(dir, |path| UnixListener::bind(path))
            .map_err(|source| SocketError::Bind { dir: dir.to_owned(), source })?
            .into_parts();
        admit(&path, group)
            .map_err(|source| SocketError::Permissions { path: path.to_path_buf(), source })?;
        Ok(Self { listener, path })
    }
}

fn admit(path: &Path, group: Option<u32>) -> io::Result<()> {
    let Some(group) = group else {
        return fs::set_permissions(path, Permissions::from_mode(0o600));
    };
    chown(path, None, Some(group))?;
    fs::set_permissions(path, Permissions::from_mode(0o660))
}

fn gid(group: &str) -> Result<u32, SocketError> {
    let unknown = || SocketError::UnknownGroup { group: group.to_owned() };
    match group.parse() {
        Ok(NO_GROUP) => return Err(unknown()),
        Ok(number) => return Ok(number),
        Err(_) => {}
    }
    let groups = fs::read_to_string(GROUPS).map_err(|_| unknown())?;
    gid_in(&groups, group).ok_or_else(unknown)
}

/// The number of the group called `name` in the text of a group file, `name:password:number:members` a line.
fn gid_in(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\nvault-admins:x:7:a\nvault:x:1000:a,b\nbroken:x\n";

        assert_eq!(gid_in(groups, "vault"), Some(1000));
        assert_eq!(gid_in(groups, "vaul"), None);
        assert_eq!(gid_in(groups, "broken"), None);
    }

    #[tokio::test]
    async fn the_socket_is_for_its_owner_alone_and_goes_when_dropped() {
        let dir = tempfile::tempdir().unwrap();

        let socket = Socket::bind(dir.path(), None).unwrap();
        let mode = fs::metadata(&socket.path).unwrap().mode();
        drop(socket);

        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_group_by_number_may_use_the_socket() {
        let dir = tempfile::tempdir().unwrap();
        let own = fs::metadata(dir.path()).unwrap().gid();

        let socket = Socket::bind(dir.path(), Some(&own.to_string())).unwrap();

        let metadata = fs::metadata(&socket.path).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.gid()), (0o660, own));
    }

    #[tokio::test]
    async fn an_unknown_group_leaves_no_socket_behind() {
        let dir = tempfile::tempdir().unwrap();

        for group in ["no-such-group", "4294967295"] {
            let error = Socket::bind(dir.path(), Some(group)).err().unwrap();

            assert!(matches!(error, SocketError::UnknownGroup { .. }), "{error}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn a_missing_directory_is_named() {
        let error = Socket::bind(Path::new("/nonexistent/run"), None).err().unwrap();

        assert_eq!(error.to_string(), "cannot make a unix socket in /nonexistent/run");
    }
}
