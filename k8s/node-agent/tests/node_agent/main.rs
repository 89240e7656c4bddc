//! The node agent from outside: its cache under random schedules, the whole of it between clients and a Vault that misbehaves, and its
//! binary under signals and load.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod attacks;
mod binary;
mod cache;
mod client;
mod crowd;
mod ecr;
mod fake_vault;
mod link;
mod refusals;
mod replacement;
mod secrecy;
mod several_vaults;
mod tls;
mod unwell_vault;
mod world;
