//! The documents as they are committed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod book;
mod links;
mod pictures;
