//! The scheduler in its own time and the service on tokio, one subject a module.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod bounds;
mod clocks;
mod failing;
mod places;
mod schedules;
mod service;
mod serving;
mod turns;
mod world;
