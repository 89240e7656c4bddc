//! A strict stand-in for AWS: IAM Roles Anywhere `CreateSession`, its management API, and STS `GetCallerIdentity`
//! and `AssumeRole`.
//!
//! ```text
//!            server.rs ── route.rs ──┬─ create_session/  parameters → anchor → leaf → chain → CRL → signature →
//!   TCP/TLS    │                     │                   profile → role → session name → STS → session
//!              │                     ├─ sts.rs           SigV4 with a session issued here → who is it?
//!                                  SigV4 with a long-lived key → AssumeRole
//!              │                     ├─ management/      trust anchors, profiles, CRLs, signed with management keys
//!              └─ knobs.rs           └─ admin.rs         state, knobs, log and sessions, for tests
//! ```
//!
//! Start reading at [`Emulator`] (how a test uses it) and [`Rule`] (the table of every refusal: its status, its text,
//! and whether AWS was seen to say so). The emulator shares no code and no X.509 or crypto crate with the plugin, so a
//! mistake in one is not repeated in the other. Where AWS leaves something open, a seed makes it vary
//! ([`Knobs::seed`]); where AWS is laxer than its documentation, the emulator follows the documentation and the rule's
//! text says `STRICTER`.

mod admin;
mod arn;
mod clock;
mod create_session;
mod emulator;
mod http;
mod knobs;
mod log;
mod management;
mod pki;
mod route;
mod rules;
mod server;
mod sigv4;
mod state;
mod sts;
mod tls;
mod variation;
mod world;

pub use create_session::policy::PolicyError;
pub use emulator::{Emulator, Launch, Options, StartError};
pub use knobs::{AnswerKind, FailNext, Knobs};
pub use log::LogEntry;
pub use rules::{Evidence, Kind, Row, Rule};
pub use state::{AttributeMappings, Crl, ManagementKey, Profile, Role, State, StateError, TrustAnchor};
pub use world::IssuedSession;
