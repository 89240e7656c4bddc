//! What criterion measured before: the engine's own work for a session, beside the P-256 operations that it needs.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A benchmark of `plugin/engine/benches/uncached_session.rs`.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// Microseconds, criterion's median.
    pub(crate) micros: f64,
}

/// What is read, in the order of the table; the last two are compared.
const BENCHMARKS: [(&str, &str); 7] = [
    ("P-256/key", "a P-256 key"),
    ("P-256/sign", "a P-256 signature"),
    ("P-256/verify", "a P-256 verification"),
    ("engine/leaf", "the engine: a leaf, issued and checked"),
    ("engine/request", "the engine: a CreateSession request, signed"),
    ("P-256/needed", "bare P-256 that a session needs: a key, two signatures, a verification"),
    ("engine/whole", "the engine: all of it"),
];

/// The medians in criterion's folder.
///
/// # Panics
/// When one is missing.
pub(crate) fn read(folder: &Path) -> Vec<Work> {
    BENCHMARKS
        .map(|(id, name)| Work { name, micros: median(&folder.join(id).join("new/estimates.json")) })
        .into()
}

fn median(file: &Path) -> f64 {
    let json = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}; run `make bench`", file.display()));
    let estimates: Value = serde_json::from_slice(&json).unwrap_or_default();
    let nanos = estimates["median"]["point_estimate"].as_f64();
    nanos.unwrap_or_else(|| panic!("{}: no median", file.display())) / 1000.0
}
