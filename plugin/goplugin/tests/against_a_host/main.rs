//! The greeter example, started and used by a host as go-plugin's is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod attacks;
mod broker;
mod frames;
mod host;
mod hostile;
mod lifecycle;
