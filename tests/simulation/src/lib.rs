//! Fleets of pods in virtual time, over the real scheduler of the plugin.
//!
//! ```text
//! scenario ──▶ run ──▶ pod asks ──▶ sessions::Scheduler ──▶ issuer (quota, latency, absences)
//!                │        └──▶ hop ──▶ sessions::Scheduler of hubs ──▶ issuer; then STS, another issuer
//!                └──▶ measure ──▶ table, plot
//! ```
//!
//! Nothing sleeps and nothing is random that a seed does not fix. Start reading in `scenario.rs`, then `run.rs`.

pub mod hop;
pub mod issuer;
pub mod measure;
pub mod plot;
pub mod pod;
pub mod run;
pub mod scenario;
pub mod table;
