//! The engine in process, one subject a module: no Vault, no AWS.

#![expect(clippy::large_futures, reason = "a test polls one future, and its size is of no matter")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod aws;
mod chaining;
mod container;
mod identity;
mod metrics;
mod mounts;
mod paths;
mod reference;
mod rotation;
mod standby;
mod storage_versions;
