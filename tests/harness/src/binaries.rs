//! Where the programs under test are. The one owner of the environment in this crate.
//!
//! | program | looked for |
//! | --- | --- |
//! | Vault | `HARNESS_VAULT`; `vault` on `PATH` from 1.16 on; `target/tools/vault` (`make tools`) |
//! | promtool | `HARNESS_PROMTOOL`; `target/tools/promtool` (`make promtool`) |
//! | Helm, kustomize | `HARNESS_HELM`, `HARNESS_KUSTOMIZE`; `target/tools/bin` (`make helm`) |
//! | the node agent | `HARNESS_NODE_AGENT`; built by the cargo that built the test |
//! | the plugin | `HARNESS_PLUGIN`; `target/plugin/…`, the static release (`make release`): the shipped binary is the tested one |

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// The name of the plugin's binary, under which it is also registered.
pub const PLUGIN: &str = "vault-plugin-secrets-iamra";

/// The stories were written for the catalog and the answers of Vault 1.16 and later.
const OLDEST_VAULT: (u32, u32) = (1, 16);

/// The Vault binary: server and CLI.
///
/// # Panics
/// When there is none; the message names the make verb.
pub fn vault() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        from_environment("HARNESS_VAULT")
            .or_else(vault_on_path)
            .or_else(|| existing(workspace().join("target/tools/vault")))
            .expect("no vault 1.16 or newer on PATH and none built: run `make tools`")
    })
}

/// The plugin's release binary.
///
/// # Panics
/// When there is none; the message names the make verb.
pub fn plugin() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        from_environment("HARNESS_PLUGIN")
            .or_else(|| existing(workspace().join("target/plugin").join(PLUGIN)))
            .expect("the plugin is not built: run `make release`")
    })
}

/// Prometheus' own checker of metrics, rules and queries.
///
/// # Panics
/// When there is none; the message names the make verb.
pub fn promtool() -> PathBuf {
    from_environment("HARNESS_PROMTOOL")
        .or_else(|| existing(workspace().join("target/tools/promtool")))
        .expect("promtool is not built: run `make promtool`")
}

/// Helm, for the chart of the node agent.
///
/// # Panics
/// When there is none; the message names the make verb.
pub fn helm() -> PathBuf {
    from_environment("HARNESS_HELM")
        .or_else(|| existing(workspace().join("target/tools/bin/helm")))
        .expect("helm is not built: run `make helm`")
}

/// kustomize, for the manifests that a cluster gets by `kubectl apply -k`.
///
/// # Panics
/// When there is none; the message names the make verb.
pub fn kustomize() -> PathBuf {
    from_environment("HARNESS_KUSTOMIZE")
        .or_else(|| existing(workspace().join("target/tools/bin/kustomize")))
        .expect("kustomize is not built: run `make helm`")
}

/// The node agent.
///
/// # Panics
/// When it does not build.
pub fn node_agent() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        from_environment("HARNESS_NODE_AGENT").unwrap_or_else(|| built("--bin", "iamra-node-agent"))
    })
}

/// A program of a test, such as a caller of an SDK, built with the cargo that built this test.
///
/// # Panics
/// When it does not build.
pub fn program(name: &str) -> PathBuf {
    built("--bin", name)
}

/// Builds an example with the cargo that built this test, and returns its path.
///
/// # Panics
/// When it does not build.
pub fn example(name: &str) -> PathBuf {
    built("--example", name)
}

/// Builds a program of the workspace. It builds the whole workspace, as `make test` does, because for one package alone cargo builds
/// many dependencies again, with other features.
fn built(kind: &str, name: &str) -> PathBuf {
    let build = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["build", "--locked", "--workspace", kind, name, "--message-format=json"])
        .output()
        .expect("cargo runs");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    String::from_utf8_lossy(&build.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable it built")
}

/// The root of the workspace.
///
/// # Panics
/// When the crate's folder is in no other folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace is around this crate")
}

fn from_environment(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(variable(name)?);
    assert!(path.is_file(), "{name}={} is no file", path.display());
    Some(path)
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.is_file().then_some(path)
}

fn vault_on_path() -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("vault"))
        .find(|vault| vault.is_file() && is_new_enough(vault))
}

fn is_new_enough(vault: &Path) -> bool {
    let Ok(run) = Command::new(vault).arg("version").output() else { return false };
    major_minor(&String::from_utf8_lossy(&run.stdout)).is_some_and(|version| version >= OLDEST_VAULT)
}

/// The major and minor number in the output of `vault version`: `Vault v1.21.1 (…), built …`.
fn major_minor(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.split_once('v')?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[expect(clippy::disallowed_methods, reason = "the owner of the environment in the harness")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_line_of_vault_is_understood() {
        assert_eq!(major_minor("Vault v1.21.1 ('0d8e'), built 2025-11-18T13:04:32Z"), Some((1, 21)));
        assert!(major_minor("Vault v1.9.3").unwrap() < OLDEST_VAULT);
        assert_eq!(major_minor("something else"), None);
    }
}
