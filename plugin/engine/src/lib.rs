//! The iamra secrets engine: the one crate where Vault, the certificate authority and AWS meet.
//!
//! ```text
//! backend        the routes on one screen, and what Vault tells the mount
//! paths          one file for each Vault path
//! engine         one mount: its parts, and how they are put together
//! incident check      what is done when something leaked; why a read is refused
//! management credentials      what the engine does at AWS as itself; from role and caller to a session
//! snapshot       config, issuers, clusters and client as one value
//! issuers        which CAs there are, where each one stands, signing
//! store          what is stored, and in which format
//! records        what is stored, as types
//! ground         clock, faults, bounds, serial numbers
//! ```
//!
//! A floor uses those below it and none above. Below all of them is the crate `identity`: who asks, and what the certificate says
//! of the caller. Start reading in `backend.rs`, which holds the route table, then
//! `paths/path_creds.rs`, which is the main job, and `credentials/grant.rs`, which it shares with `paths/path_container.rs`.

mod backend;
mod check;
#[cfg(any(test, fuzzing))]
pub mod claims;
mod credentials;
mod engine;
mod ground;
mod incident;
mod issuers;
mod management;
mod paths;
mod records;
mod snapshot;
mod store;

pub use engine::Engine;
