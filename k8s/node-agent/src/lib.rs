//! AWS credentials for the pods of a node: the EKS Pod Identity agent's local protocol in front of Vault.
//!
//! ```text
//! SDK ── GET http://169.254.170.23/v1/credentials · Authorization: <token of the pod> ──▶ serve
//!           options   what the operator sets, by flag or variable
//!           link      the addresses on the node, made once by an init container
//! ```
//!
//! A subcommand is a variant of [`options::Command`], a module with a `run`, and a line in `main.rs`.

pub mod failure;
pub mod link;
pub mod options;
pub mod serve;
