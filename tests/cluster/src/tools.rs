//! The programs of a cluster, and those that are missing on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::binaries::workspace;

/// From Debian: the program, and the package that brings it.
const FROM_DEBIAN: [(&str, &str); 10] = [
    ("etcd", "etcd-server"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("docker-registry", "docker-registry"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("bash", "bash"),
];

/// Where Debian's package `containernetworking-plugins` has them.
pub(crate) const CNI_PLUGINS: &str = "/usr/lib/cni";

/// The folders in which programs are searched; `PATH` of an unprivileged shell may lack the latter half.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The `PATH` of everything in the cluster: our own programs first.
pub(crate) fn search_path() -> String {
    format!("{}:{}", built_folder().display(), FOLDERS.join(":"))
}

/// Runs a command to its end; the error holds its output.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", search_path())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// A program that `tests/tools/build-cluster` built.
pub(crate) fn built(name: &str) -> PathBuf {
    built_folder().join(name)
}

/// The archives that `tests/cluster/images/build` made.
pub(crate) fn image_archives() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(workspace().join("target/cluster-images"));
    let mut archives: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar"))
        .collect();
    archives.sort();
    archives
}

/// Everything that is missing, each with the command that cures it.
pub(crate) fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    for (program, package) in FROM_DEBIAN {
        if !FOLDERS.iter().any(|folder| Path::new(folder).join(program).is_file()) {
            missing.push(format!("{program}: apt-get install {package}"));
        }
    }
    if !Path::new(CNI_PLUGINS).join("bridge").is_file() {
        missing.push("the CNI plugins: apt-get install containernetworking-plugins".to_owned());
    }
    for program in ["kube-apiserver", "kubelet", "kubectl", "coredns"] {
        if !built(program).is_file() {
            missing.push(format!("{program}: make cluster-tools"));
        }
    }
    if image_archives().is_empty() {
        missing.push("the images: make cluster-tools".to_owned());
    }
    missing
}

fn built_folder() -> PathBuf {
    let workspace = workspace().canonicalize().unwrap_or_else(|_| workspace().to_owned());
    workspace.join("target/cluster-tools")
}
