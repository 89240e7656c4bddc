//! A strict stand-in for AWS: IAM Roles Anywhere `CreateSession`, its management API, STS `GetCallerIdentity` and
//! `AssumeRole`, the part of IAM for a role's inline policies, and ECR `GetAuthorizationToken`.
//!
//! ```text
//!            server.rs ── route.rs ──┬─ create_session/  parameters → anchor → leaf → chain → CRL → signature →
//!   TCP/TLS    │                     │                   profile → role → session name → STS → session
//!              │                     │  caller.rs → access.rs: SigV4 with a session issued here or a management
//!              │                     │  key → do its policies allow it?
//!              │                     ├─ sts.rs           who is it? and AssumeRole, also into another account
//!              │                     ├─ iam.rs           a role and its inline policies
//!              │                     ├─ ecr.rs           a registry's user and password
//!              │                     ├─ management/      trust anchors, profiles, CRLs, tags
//!              └─ knobs.rs           └─ admin.rs         state, knobs, log, CloudTrail's events, sessions and calls in flight, for tests
//!   world.rs: the account that a call is for, seen from the call's region
//! ```
//!
//! A [`State`] is one account: its roles, and its anchors and profiles in one region or several ([`Region`]). A call is of the region that its
//! signature names; [`Emulator::open`] gives a region an address of its own, and [`RegionKnobs`] make one dead, slow or refusing. Several
//! accounts stand behind one address with [`Emulator::join`], and `AssumeRole` leads from one into another.
//!
//! Start reading at [`Emulator`] (how a test uses it) and [`Rule`] (the table of every refusal: its status, its text,
//! and whether AWS was seen to say so). The emulator shares no code and no X.509 or crypto crate with the plugin, so a
//! mistake in one is not repeated in the other. Where AWS leaves something open, a seed makes it vary
//! ([`Knobs::seed`]); where AWS is laxer than its documentation, the emulator follows the documentation and the rule's
//! text says `STRICTER`. One difference is deliberate: `GetCallerIdentity` obeys a Deny in the caller's policies, which
//! AWS's never does, so that a test sees a revoked session refused.

mod access;
mod admin;
mod arn;
mod caller;
mod clock;
mod cloudtrail;
mod create_session;
mod ecr;
mod emulator;
mod flights;
mod http;
mod iam;
mod knobs;
mod log;
mod management;
mod pki;
mod policy;
mod query;
mod route;
mod rules;
mod server;
mod sigv4;
mod state;
mod sts;
mod tls;
mod variation;
mod world;

pub use emulator::{Emulator, Launch, Options, StartError};
pub use knobs::{AnswerKind, FailNext, Knobs, RegionKnobs};
pub use log::LogEntry;
pub use policy::PolicyError;
pub use rules::{Evidence, Kind, Row, Rule};
pub use state::{
    AttributeMappings, Boundary, Crl, ManagementKey, NotificationSetting, Profile, Region, Role, State,
    StateError, TrustAnchor,
};
pub use world::IssuedSession;
