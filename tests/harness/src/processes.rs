//! Processes by id, as `/proc` shows them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// Ids of all live processes that were started as a program in `folder`. A server's plugin folder is its own, so these
/// are the plugin processes it started, orphans included. A zombie has no command line, and counts as ended.
pub fn running_from(folder: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut pids: Vec<u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| program_of(*pid).is_some_and(|program| program.starts_with(folder)))
        .collect();
    pids.sort_unstable();
    pids
}

/// The program that a process was started as. Its command line stays readable if `/proc/<pid>/exe` is not, because a plugin that
/// allows no core dump hides that from other users.
fn program_of(pid: u32) -> Option<PathBuf> {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    line.split('\0').next().filter(|program| !program.is_empty()).map(PathBuf::from)
}

/// Sends SIGKILL to a process, which may have ended already.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Sends SIGTERM to a process, as service managers and container runtimes do. It may have ended already.
pub fn terminate(pid: u32) {
    signal(pid, Signal::TERM);
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // it may have ended between the check and the call
        let _ = kill_process(pid, signal);
    }
}

/// Whether a process is gone, or a zombie that no parent collects.
fn is_gone(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_or(true, |stat| stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with('Z')))
}

/// Waits until a process has ended.
///
/// # Panics
/// When it still runs after `within`.
pub async fn has_ended(pid: u32, within: Duration) {
    until(&format!("the end of process {pid}"), within, async || is_gone(pid).then_some(())).await;
}

/// The unix socket files that a process holds open, each once: a plugin listens on them.
pub fn sockets_of(pid: u32) -> Vec<PathBuf> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let inodes: BTreeSet<String> = descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let paths: BTreeSet<PathBuf> = table
        .lines()
        .map(|line| line.split_whitespace().skip(6).collect::<Vec<_>>())
        .filter_map(|columns| {
            matches!(columns[..], [inode, _] if inodes.contains(inode)).then(|| columns[1].into())
        })
        .collect();
    paths.into_iter().collect()
}

/// The memory of a process, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All resident memory, with the mapped parts of its binary.
    pub resident: u64,
    /// The peak of the resident memory since the process began, or since [`Memory::forget_peak`].
    pub peak: u64,
    /// Its private memory: heap and stacks.
    pub anonymous: u64,
}

impl Memory {
    /// The memory of a process; none if it has ended.
    pub fn of(pid: u32) -> Option<Memory> {
        Memory::in_status(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    /// Sets the peak of a process to its present resident memory, as `5` does in `/proc/<pid>/clear_refs` (proc(5)).
    ///
    /// # Errors
    /// The process has ended, or belongs to another user.
    pub fn forget_peak(pid: u32) -> io::Result<()> {
        fs::write(format!("/proc/{pid}/clear_refs"), "5")
    }

    fn in_status(status: &str) -> Option<Memory> {
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Memory { resident: of("VmRSS:")?, peak: of("VmHWM:")?, anonymous: of("RssAnon:")? })
    }
}

/// The number of files, sockets and pipes that a process holds open; none if it has ended.
pub fn descriptors_of(pid: u32) -> Option<usize> {
    fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_kibibytes() {
        let status = "Name:\tx\nVmHWM:\t   12399 kB\nVmRSS:\t   12345 kB\nRssAnon:\t    2345 kB\n";

        assert_eq!(Memory::in_status(status), Some(Memory { resident: 12345, peak: 12399, anonymous: 2345 }));
    }

    #[test]
    fn an_open_file_is_counted() {
        let pid = std::process::id();
        let open: Vec<_> = (0..100).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();

        assert!(descriptors_of(pid).unwrap() > open.len());
    }

    #[test]
    fn this_very_process_is_not_gone() {
        assert!(!is_gone(std::process::id()));
    }

    #[test]
    fn a_process_is_found_by_the_folder_of_its_program() {
        let program = program_of(std::process::id()).unwrap();

        let found = running_from(program.parent().unwrap());

        assert!(found.contains(&std::process::id()));
    }

    #[test]
    fn a_bound_socket_is_found_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");

        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();

        assert!(sockets_of(std::process::id()).contains(&path));
    }

    #[tokio::test]
    async fn a_killed_child_has_ended_even_as_a_zombie() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();

        kill(child.id());

        has_ended(child.id(), Duration::from_secs(5)).await;
        child.wait().unwrap();
    }
}
