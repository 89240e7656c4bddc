//! Real Vault servers, with the plugin registered by its SHA-256, as values that clean up when they are dropped.
//!
//! ```text
//! test ──▶ Stage ─┬─▶ Vault ──▶ vault server (a child process) ──▶ plugin process
//!                 │     ├─ Api: HTTP with a token      ├─ its log, parsed line by line
//!                 │     └─ cli(): the real vault CLI   └─ a temporary folder that holds all of it
//!                 └─▶ Emulator (in this process) ◀── the plugin's CreateSession, and sts::caller_identity
//! ```
//! Start reading at [`Vault`], then [`Stage`]; [`RaftCluster`] is three of the first. Everything listens on loopback; everything started is ended by its process
//! id on drop. A missing binary panics with the make verb that builds it; nothing is ever skipped.

#![expect(clippy::missing_panics_doc, reason = "a harness reports by panicking, everywhere")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness reports by panicking, everywhere")]

mod anchor;
mod api;
mod audit;
mod aws;
pub mod binaries;
mod cli;
mod log;
mod management;
mod ports;
mod processes;
mod raft;
mod second_account;
mod settings;
mod stage;
pub mod structure;
pub mod sts;
mod vault;
mod wait;

pub use aws_emulator::Emulator;

pub use api::{Api, Reply};
pub use audit::AuditDevice;
pub use aws::admin;
pub use cli::CliRun;
pub use log::LogLine;
pub use management::{
    CHECK_ROLE_ARN, MANAGEMENT_PROFILE_ARN, MANAGEMENT_ROLE_ARN, REVOCATION_ROLE_ARN, WEST, add_management,
    add_second_region, both_regions, in_the_west, managed_anchor, managed_anchor_in_the_west,
};
pub use ports::free_pair;
pub use processes::{Memory, descriptors_of, has_ended, kill, running_from, sockets_of, terminate};
pub use raft::RaftCluster;
pub use second_account::{TARGET_ACCOUNT, TARGET_ROLE_ARN, second_account};
pub use settings::{Member, Settings, Storage, TlsListener};
pub use stage::{
    ACCOUNT, PROFILE_ARN, REGION, ROLE_ARN, Stage, TRUST_ANCHOR_ARN, account, caller, emulated_aws,
    manage_anchor, set_up,
};
pub use vault::{Keys, Plugin, Vault, sha256_of};
pub use wait::{until, until_at_once};
