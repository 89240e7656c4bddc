//! The commands of `README.md`, which are run as they stand there.

use std::fs;

use harness::binaries::workspace;

/// The `vault` commands of the section with this title, without what is said behind them: what follows `vault`, in order.
///
/// # Panics
/// When there is no such section.
pub fn commands(title: &str) -> Vec<String> {
    let text = fs::read_to_string(workspace().join("README.md")).expect("README.md can be read");
    let (_, section) = text.split_once(&format!("\n## {title}\n")).expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    vault "));
    lines.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned()).collect()
}
