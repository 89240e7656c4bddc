//! The fuzzer tries what ships, and tests replay what it found.

use std::collections::BTreeSet;
use std::fs;

use harness::binaries::workspace;

use super::files_under;

#[test]
fn every_target_of_the_fuzzer_has_seeds_that_a_test_replays() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(workspace().join(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect()
    };
    let targets = names("fuzz/fuzz_targets");
    let manifest = fs::read_to_string(workspace().join("fuzz/Cargo.toml")).unwrap();
    let sources = files_under(&workspace().join("plugin"));
    let code: String = sources.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();

    assert_eq!(names("fuzz/seeds"), targets);
    for target in targets {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "fuzz/Cargo.toml does not build {target}"
        );
        assert!(code.contains(&format!("seeds::replay(\"{target}\"")), "no test replays fuzz/seeds/{target}");
    }
}

/// `cargo-fuzz` resolves a workspace of its own: it tries the shipped versions only while both lock files agree.
#[test]
fn the_fuzzer_builds_the_versions_that_ship() {
    let locked = |file: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(workspace().join(file)).unwrap();
        let packages = text.split("[[package]]").skip(1).filter(|package| package.contains("source = "));
        packages.filter_map(|package| Some(package.split_once("source = ")?.0.trim().to_owned())).collect()
    };

    let (fuzzed, ours) = (locked("fuzz/Cargo.lock"), locked("Cargo.lock"));
    let others: Vec<_> = fuzzed.difference(&ours).filter(|one| !only_fuzzed(one)).collect();

    assert!(others.is_empty(), "update fuzz/Cargo.lock to the versions of Cargo.lock: {others:?}");
    assert!(fuzzed.len() > 100, "this test looks at the wrong file");
}

fn only_fuzzed(package: &str) -> bool {
    ["libfuzzer-sys", "arbitrary"].iter().any(|name| package.contains(&format!("name = \"{name}\"")))
}
