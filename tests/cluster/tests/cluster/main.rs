//! The stories of a real cluster, which `tests/cluster/stories` runs: those of `pods` side by side, then those of `disturbances` one by one.

mod disturbances;
mod pods;
