//! The engine in process beside the emulated AWS, one story a module.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod accounts;
mod check;
mod compromise;
mod moto;
mod revocation;
mod revocation_reach;
mod trust_anchors;
mod two_regions;
