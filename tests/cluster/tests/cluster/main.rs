//! The stories of a real cluster, which `tests/cluster/stories` runs: those of `pods` side by side, then those of `disturbances` one by one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod disturbances;
mod pods;
