//! `install <folder>`: this binary copied into a folder of Vault's, as an init container does it.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aws_lc_rs::digest::{SHA256, digest};
use tempfile::NamedTempFile;
use vault_backend::Plugin;

/// The running program, even where its file has been replaced since it started.
const OWN_BINARY: &str = "/proc/self/exe";
/// Vault may run as another user than the one who installs.
const MODE: u32 = 0o755;

/// Installs, and says on stdout what is where, or on stderr why not.
pub(crate) fn run(plugin: Plugin, folders: Vec<OsString>) -> ExitCode {
    let installed = the_folder(plugin, folders).and_then(|folder| copy_to(&folder.join(plugin.name)));
    let (said, code) = match installed {
        Ok(installed) => (io::stdout().write_all(report(plugin, &installed).as_bytes()), ExitCode::SUCCESS),
        Err(text) => (writeln!(io::stderr(), "{} install: {text}", plugin.name), ExitCode::FAILURE),
    };
    said.map_or(ExitCode::FAILURE, |()| code)
}

/// A binary in its place.
struct Installed {
    path: PathBuf,
    sha256: String,
}

/// A line for each thing that registering the plugin needs.
fn report(plugin: Plugin, installed: &Installed) -> String {
    let Installed { path, sha256 } = installed;
    format!("path={}\nversion={}\nsha256={sha256}\n", path.display(), plugin.version)
}

fn the_folder(plugin: Plugin, folders: Vec<OsString>) -> Result<PathBuf, String> {
    let [folder] = <[OsString; 1]>::try_from(folders).map_err(|_| {
        let name = plugin.name;
        format!(
            "takes one folder, the plugin_directory of Vault's configuration\nusage: {name} install <folder>"
        )
    })?;
    let folder = PathBuf::from(folder);
    match fs::metadata(&folder) {
        Ok(found) if found.is_dir() => Ok(folder),
        Ok(_) => Err(format!("{} is not a folder", folder.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("there is no folder {}; create it or mount it first", folder.display()))
        }
        Err(error) => Err(format!("{}: {error}", folder.display())),
    }
}

/// Writes beside `target` and renames: Vault sees the old binary or the new one, and a running one is left alone.
fn copy_to(target: &Path) -> Result<Installed, String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", target.display());
    let binary = fs::read(OWN_BINARY).map_err(|error| format!("cannot read {OWN_BINARY}: {error}"))?;
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(&binary).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(MODE)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(target).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(Installed { path: target.to_owned(), sha256: hex::encode(digest(&SHA256, &binary)) })
}
