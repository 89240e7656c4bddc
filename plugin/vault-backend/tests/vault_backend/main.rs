//! A backend as Vault meets it, one subject a module.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod dispatch;
mod failures;
mod fields;
