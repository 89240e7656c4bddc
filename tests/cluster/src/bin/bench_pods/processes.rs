//! Memory and processor time of processes, from `/proc`.

use std::fs;
use std::time::Duration;

/// The unit of processor times in `/proc/<pid>/stat`: `USER_HZ`, which is 100 on Linux.
const TICKS_PER_SECOND: u64 = 100;

/// What a set of processes has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// How many there are.
    pub(crate) processes: usize,
    /// Memory that each has for itself, in bytes.
    pub(crate) private: u64,
    /// Processor time in user and kernel mode.
    pub(crate) processor: Duration,
}

/// The usage of every live process whose first arguments are these, the program without its folder.
pub(crate) fn usage(arguments: [&str; 2]) -> Usage {
    let mut usage = Usage::default();
    let mut ticks = 0;
    let entries = fs::read_dir("/proc").expect("Linux has /proc");
    for pid in entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()) {
        if !is_called(pid, arguments) {
            continue;
        }
        // a process that has ended in between counts no more
        if let (Some(private), Some(time)) = (private(pid), processor(pid)) {
            usage.processes += 1;
            usage.private += private;
            ticks += time;
        }
    }
    usage.processor = Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
    usage
}

fn is_called(pid: u32, [program, command]: [&str; 2]) -> bool {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split('\0');
    let name = words.next().and_then(|path| path.rsplit('/').next());
    name == Some(program) && words.next() == Some(command)
}

/// Pages that no other process maps, in bytes.
fn private(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let lines =
        text.lines().filter(|line| line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:"));
    let kilobytes: u64 = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum();
    Some(kilobytes * 1024)
}

/// User and kernel time in ticks.
fn processor(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name before is in brackets, and may hold spaces
    let (_, fields) = text.rsplit_once(") ")?;
    let times: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    (times.len() == 2).then(|| times.iter().sum())
}
