//! The traces that a cluster could leave on the host, compared before and after it runs.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use tokio::time::sleep;

use crate::host::{KERNEL_SETTINGS, control_groups, setting};

/// One check per second.
const LOOKS: usize = 30;

/// One line for each mount, network link, route, control group of pods, kernel setting and entry of the folders that a
/// kubelet or a container runtime likes to write to.
pub(crate) fn of_host() -> BTreeSet<String> {
    let lines = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let entries = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path().display().to_string())).collect::<Vec<_>>()
    };
    let mounts = lines("/proc/self/mounts");
    let routes = lines("/proc/net/route");
    let folders = ["/sys/class/net", "/var/lib", "/var/lib/kubelet", "/run/netns", "/etc/cni/net.d"];
    mounts
        .lines()
        .map(|mount| format!("mount {mount}"))
        .chain(routes.lines().map(|route| format!("route {route}")))
        .chain(control_groups().iter().map(|group| group.display().to_string()))
        .chain(KERNEL_SETTINGS.iter().map(|name| format!("{name} = {}", read_setting(name))))
        .chain(folders.iter().flat_map(|folder| entries(folder)))
        .collect()
}

/// Whether the host is as it was `before`, or comes to be so: the kernel cleans up a moment later.
pub(crate) async fn vanished(before: &BTreeSet<String>) -> Result<(), String> {
    for _ in 1..LOOKS {
        if unchanged(before, &of_host()).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_secs(1)).await;
    }
    unchanged(before, &of_host())
}

/// Whether nothing was added and nothing removed.
fn unchanged(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Result<(), String> {
    let difference: Vec<&str> = before.symmetric_difference(after).map(String::as_str).collect();
    if difference.is_empty() {
        return Ok(());
    }
    Err(format!("the host is not as it was; what came or went:\n  {}", difference.join("\n  ")))
}

fn read_setting(name: &str) -> String {
    fs::read_to_string(setting(name)).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_stayed_is_named() {
        let before = BTreeSet::from(["/sys/class/net/lo".to_owned()]);
        let mut after = before.clone();
        after.insert("/sys/class/net/iamra0".to_owned());

        assert!(unchanged(&before, &after).unwrap_err().contains("iamra0"));
    }

    #[test]
    fn a_kernel_setting_that_changed_is_named_with_both_values() {
        let before = BTreeSet::from(["kernel/panic = 0".to_owned()]);
        let after = BTreeSet::from(["kernel/panic = 10".to_owned()]);

        let error = unchanged(&before, &after).unwrap_err();

        assert!(error.contains("kernel/panic = 0") && error.contains("kernel/panic = 10"));
    }

    #[tokio::test]
    async fn the_host_between_two_looks_is_unchanged() {
        let mut looks = of_host();
        // something else on this host may come or go between two checks, but not between every two
        for _ in 0..10 {
            let next = of_host();
            if unchanged(&looks, &next).is_ok() {
                return;
            }
            looks = next;
        }
        panic!("no two looks in a row are the same");
    }
}
