//! Rules that the repository keeps, and the harness's own programs, one subject a module.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod architecture;
mod charts;
mod k8s_rules;
mod lifecycle;
mod signed_calls;
mod whoami;
