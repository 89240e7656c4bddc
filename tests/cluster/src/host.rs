//! The outside: makes the namespaces and the link, and restores the host.
//!
//! The traces of a running cluster on the host: one process tree, one link, its control groups, its folder, and the few
//! kernel settings that kubelet insists on and that no namespace holds. [`down`] removes each of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::{has_ended, kill, until};
use serde::{Deserialize, Serialize};

use crate::layout::{HOST_ADDRESS, LINK, Layout, ROUTED, UPLINK, UPLINK_ADDRESS};
use crate::tools::{self, run};

/// From nothing to a ready node on two busy cores, image import included.
const START: Duration = Duration::from_secs(420);
const END: Duration = Duration::from_secs(90);

/// kubelet sets these for the whole kernel.
pub(crate) const KERNEL_SETTINGS: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// The host's state before the cluster, on disk, so that another process can restore it.
#[derive(Serialize, Deserialize)]
struct Host {
    /// The process that holds the namespaces; killing it ends all of the cluster.
    holder: u32,
    /// The kernel settings as they were.
    settings: BTreeMap<String, String>,
}

/// Starts a bare cluster: a ready node with DNS and Services, and AWS beside it.
pub(crate) async fn up(layout: &Layout) -> Result<(), String> {
    check(layout)?;
    let outcome = start(layout).await;
    if outcome.is_err() {
        let _ = down(layout).await;
    }
    outcome
}

async fn start(layout: &Layout) -> Result<(), String> {
    let _ = fs::remove_dir_all(layout.root());
    fs::create_dir_all(layout.logs()).map_err(|error| format!("{}: {error}", layout.logs().display()))?;
    let mut holder = hold(layout)?;
    let host = Host { holder: holder.id(), settings: kernel_settings() };
    fs::write(layout.host(), serde_json::to_string(&host).unwrap_or_default())
        .map_err(|error| error.to_string())?;
    link(holder.id()).await?;
    until("the cluster", START, async || match holder.try_wait() {
        Ok(None) => layout.facts().is_file().then_some(Ok(())),
        _ => Some(Err(fs::read_to_string(layout.log("supervisor")).unwrap_or_default())),
    })
    .await
}

/// Ends the cluster if there is one. `Ok(false)` when there was none.
pub(crate) async fn down(layout: &Layout) -> Result<bool, String> {
    let Some(host) = read(layout) else { return Ok(false) };
    if is_holder(host.holder) {
        kill(host.holder);
        has_ended(host.holder, END).await;
    }
    for (name, value) in &host.settings {
        let file = setting(name);
        if fs::read_to_string(&file).is_ok_and(|now| now.trim() != value) {
            fs::write(&file, value).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    until("the end of the cluster's control groups", END, async || remove_control_groups().then_some(()))
        .await;
    // it would go with the namespace, which lingers while connections through it time out
    if link_exists() {
        run("ip", &["link", "delete", LINK])?;
    }
    for path in [layout.images(), layout.papers(), layout.config(""), layout.vault_data()] {
        let _ = fs::remove_dir_all(path);
    }
    for file in [layout.kubeconfig(), layout.facts(), layout.vault_keys(), layout.host()] {
        let _ = fs::remove_file(file);
    }
    Ok(true)
}

fn check(layout: &Layout) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("a cluster needs root: it makes namespaces, a bridge and control groups".to_owned());
    }
    if read(layout).is_some_and(|host| is_holder(host.holder)) {
        return Err("there is a cluster already; end it with `make cluster-down`".to_owned());
    }
    if let Some(group) = control_groups().first() {
        return Err(format!("{} exists: another kubelet runs on this host", group.display()));
    }
    if link_exists() {
        return Err(format!("there is a network link {LINK} that is not ours: ip link delete {LINK}"));
    }
    let missing = tools::missing();
    if missing.is_empty() { Ok(()) } else { Err(format!("missing:\n  {}", missing.join("\n  "))) }
}

/// bash is the first process inside because it collects the orphans of containers, which ours does not.
fn hold(layout: &Layout) -> Result<Child, String> {
    let log = File::create(layout.log("supervisor")).map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"])
        .args(["bash", "-c", "\"$0\" supervise; exit"])
        .arg(this)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map_err(|error| format!("unshare: {error}"))
}

async fn link(holder: u32) -> Result<(), String> {
    let own = fs::read_link("/proc/self/ns/net").map_err(|error| error.to_string())?;
    until("the cluster's network namespace", END, async || {
        fs::read_link(format!("/proc/{holder}/ns/net")).ok().filter(|namespace| *namespace != own)
    })
    .await;
    let holder = holder.to_string();
    let host = format!("{HOST_ADDRESS}/30");
    let cluster = UPLINK_ADDRESS.to_string();
    run("ip", &["link", "add", LINK, "type", "veth", "peer", "name", UPLINK, "netns", &holder])?;
    run("ip", &["addr", "add", &host, "dev", LINK])?;
    run("ip", &["link", "set", LINK, "up"])?;
    run("ip", &["route", "add", ROUTED, "via", &cluster])
}

fn link_exists() -> bool {
    Path::new("/sys/class/net").join(LINK).exists()
}

fn read(layout: &Layout) -> Option<Host> {
    serde_json::from_str(&fs::read_to_string(layout.host()).ok()?).ok()
}

/// Whether the process is still the one that holds a cluster, because numbers are reused.
fn is_holder(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"unshare\0--net\0"))
}

fn kernel_settings() -> BTreeMap<String, String> {
    KERNEL_SETTINGS
        .iter()
        .filter_map(|name| {
            Some(((*name).to_owned(), fs::read_to_string(setting(name)).ok()?.trim().to_owned()))
        })
        .collect()
}

pub(crate) fn setting(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

/// The groups of pods, in each hierarchy of version 1 or in the one of version 2.
pub(crate) fn control_groups() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    std::iter::once(root.to_owned())
        .chain(hierarchies)
        .map(|hierarchy| hierarchy.join("kubepods"))
        .filter(|group| group.is_dir())
        .collect()
}

/// Removes them from the leaves up; false while a process is still in one.
fn remove_control_groups() -> bool {
    control_groups().iter().all(|group| remove_group(group))
}

fn remove_group(group: &Path) -> bool {
    let children = fs::read_dir(group).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for child in children.filter(|child| child.is_dir()) {
        remove_group(&child);
    }
    fs::remove_dir(group).is_ok()
}
