//! A client for AWS IAM Roles Anywhere. It exchanges a certificate and its key for a temporary session. With such a session it
//! makes the calls that keep trust anchors in sync and end sessions early.
//!
//! ```text
//! CreateSession + Identity ──▶ sign.rs ──▶ http::Request ──▶ transport.rs ──▶ AWS
//!   ARNs, duration      canonical request → string to sign        │
//! Session ◀── answer.rs ◀─────────── http::Response ◀─────────────┘
//!                └─▶ Error: its remedy, and explain.rs: the meaning of AWS's words
//! ```
//!
//! [`SignedClient`] (`signed_client/`) signs with a session's credentials instead and asks STS, Roles Anywhere's own API and IAM over the same
//! transport. [`revocation`] and [`trust_policy`] are IAM's documents as values: one denies sessions, the other admits them.
//!
//! The crate knows nothing of the program that calls it, and makes no certificates. Everything but `transport/` is free of I/O, and the clock is an
//! argument. Start reading at [`Client::create_session`] in `client.rs`.

mod answer;
mod arn;
mod attempts;
mod canonical;
mod channel;
#[cfg(any(test, fuzzing))]
pub mod claims;
mod client;
mod clock_skew;
mod create_session;
mod duration;
mod endpoint;
mod error;
mod explain;
mod identity;
mod override_url;
mod partition;
mod probe;
mod proxy;
mod proxy_variables;
mod rate_limiter;
pub mod revocation;
mod service;
mod session;
mod settings;
mod shown;
mod sign;
mod signed_client;
mod transport;
pub mod trust_policy;
mod wildcards;

pub use arn::{ArnError, ProfileArn, RoleArn, TrustAnchorArn};
pub use attempts::RetryBudget;
pub use canonical::{Authorization, CanonicalRequest, CredentialScope, StringToSign};
pub use client::{Client, ClientError};
pub use clock_skew::ClockSkew;
pub use create_session::{CreateSession, RequestError};
pub use duration::{DurationError, SessionDuration};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Error, LocalError, Remedy};
pub use explain::explain;
pub use http::HeaderValue;
pub use identity::{Identity, IdentityError, SigningError};
pub use partition::{Partition, Region, RegionError, UnknownPartition};
pub use probe::{ProbeError, Reached};
pub use proxy_variables::ProxyVariables;
pub use rate_limiter::RateLimiter;
pub use secrecy::{ExposeSecret, SecretString};
pub use session::Session;
pub use settings::{Settings, SettingsError};
pub use sign::signed_request;
pub use signed_client::{
    AnchorSource, ApiOperation, AssumeRole, AttributeMapping, CallError, CallerIdentity, Credentials,
    HopRefusal, IamRole, MissingPermission, Profile, SignedClient, TrustAnchor,
};
pub use transport::{HttpsTransport, SetupError, Transport, TransportError, TransportErrorKind};
pub use url::Url;
pub use wildcards::Wildcards;
