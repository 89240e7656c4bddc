//! From certificate and key to session, one subject a module.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod calls;
mod client;
mod network;
mod parties;
mod script;
mod secrecy;
mod server;
mod tls;
mod vectors;
