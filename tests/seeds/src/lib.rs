//! What the fuzzer keeps, as ordinary tests: each input of `fuzz/seeds/<target>/` goes through the claim of its target.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness reports by panicking, everywhere")]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Holds every input of `target` against `claim`, as `make fuzz` does with millions of others.
///
/// # Panics
///
/// Where an input breaks the claim, with the input's path, and where there is none.
pub fn replay(target: &str, claim: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut replayed = 0;
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let input = fs::read(&path).expect("a readable input");
        assert!(catch_unwind(|| claim(&input)).is_ok(), "{} breaks the claim of {target}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}
