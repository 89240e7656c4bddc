//! AWS credentials for the pods of a node: the EKS Pod Identity agent's local protocol in front of Vault.
//!
//! ```text
//! SDK ── GET http://169.254.170.23/v1/credentials · Authorization: <token of the pod> ──▶ serve
//!           options   what the operator sets, by flag or variable
//!           token     the pod's token and its claims, which are a hint
//!           role      which engine role it asks for
//!           cache     which answer it gets: a new one, one of a moment ago, or an old one while Vault is away
//!           vault     the login and the read
//!           refusal   what the SDK is told in place of credentials
//!           link      the addresses on the node, made once by an init container
//! ```
//!
//! A subcommand is a variant of [`options::Command`], a module with a `run`, and a line in `main.rs`.

pub mod cache;
pub mod clock;
pub mod failure;
pub mod link;
pub mod metrics;
pub mod options;
pub mod refusal;
pub mod role;
pub mod serve;
pub mod token;
pub mod vault;
