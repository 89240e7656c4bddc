//! The node agent from outside: its cache under random schedules, and the whole of it between clients and a Vault that misbehaves.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod cache;
