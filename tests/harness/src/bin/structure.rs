//! Prints the structure of every crate that ships, those under `plugin/` and the node agent: sizes, doc comments, circles.

#![expect(
    clippy::disallowed_macros,
    clippy::expect_used,
    reason = "a command that prints, or says what it misses"
)]

use std::fs;
use std::path::PathBuf;

use harness::binaries::workspace;
use harness::structure::{Crate, percentile};

fn main() {
    let mut crates = crates();
    crates.sort();
    let width = crates.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    println!("{:width$}  files  lines  longest file  functions  median  p90  longest  docs", "crate");
    let mut circles = Vec::new();
    for (name, folder) in crates {
        let read = Crate::read(&folder.join("src"));
        let measures = read.measures();
        let (files, functions) = (&measures.files, &measures.functions);
        println!(
            "{name:width$}  {:>5}  {:>5}  {:>12}  {:>9}  {:>6}  {:>3}  {:>7}  {:>3.0}%",
            files.len(),
            measures.lines(),
            percentile(files, 100),
            functions.len(),
            percentile(functions, 50),
            percentile(functions, 90),
            percentile(functions, 100),
            measures.doc_percent()
        );
        circles.extend(read.circles().into_iter().map(|circle| (name.clone(), circle)));
    }
    println!("\n{} circles", circles.len());
    for (name, circle) in circles {
        println!("{name}: {}", circle.into_iter().collect::<Vec<_>>().join(" "));
    }
}

/// Names and folders.
fn crates() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(workspace().join("plugin")).expect("the folder of the plugin's crates");
    let folders = entries.map(|entry| entry.expect("a readable folder").path());
    let with_sources =
        folders.chain([workspace().join("k8s/node-agent")]).filter(|folder| folder.join("src").is_dir());
    with_sources
        .filter_map(|folder| Some((folder.file_name()?.to_string_lossy().into_owned(), folder)))
        .collect()
}
