//! The desk in its own time and the service on tokio, one subject a module.

mod bounds;
mod clocks;
mod failing;
mod schedules;
mod service;
mod serving;
mod turns;
mod world;
