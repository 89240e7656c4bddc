//! The iamra secrets engine: the one crate where Vault, the certificate authority and AWS meet.
//!
//! ```text
//! backend                  the routes on one screen, and Vault's calls to the mount
//! paths                    one file for each Vault path
//! engine                   one mount: its parts, and how they are assembled
//! incident, check          the response to a leak; the reason why a read is refused
//! management, credentials  the engine's own calls to AWS; from a role and a caller to a session
//! snapshot                 config, issuers, clusters and AWS client as one value
//! issuers                  the CAs, the rotation phase of each, signing
//! store                    storage keys, the format of each record, and the only writer
//! records                  the stored records as types, without I/O
//! ground                   clock, faults, bounds, serial numbers
//! ```
//!
//! A floor uses the floors below it and none above. Below all of them is the crate `identity`, which identifies the caller and
//! resolves the fields of its certificate.
//!
//! Start reading in `backend.rs`, which holds the route table. Then read `paths/path_creds.rs`, which is the main job, and
//! `credentials/grant.rs`, which it shares with `paths/path_container.rs`.

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
