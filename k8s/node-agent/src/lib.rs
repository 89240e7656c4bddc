//! AWS credentials for the pods of a node: the EKS Pod Identity agent's local protocol in front of Vault.
//!
//! ```text
//! SDK ── GET http://169.254.170.23/v1/credentials · Authorization: <token of the pod> ──▶ serve
//!   server    one connection: its bounds, its head, which request it is        gate, head, request
//!   agent     token and role to an answer
//!     token     the pod's token and its claims, which are a hint
//!     role      which engine role it asks for
//!     answers   one flight a token, on tokio
//!       cache     which answer: a new one, one of a moment ago, an old one while Vault is away
//!     fetch     one flight: a login, a read
//!       vault     the client of Vault
//!   pages     metrics and health for the operator
//! link      the addresses on the node, made once by an init container
//! ready     whether the agent in this container is ready, for a startup probe
//! ecr       a credential provider of the kubelet, for images in private registries of ECR
//! ```
//!
//! A subcommand is a variant of [`options::Command`], a module with a `run`, and a line in `main.rs`. Start reading in `serve.rs`.

pub mod agent;
pub mod answers;
pub mod cache;
pub mod clock;
pub mod ecr;
pub mod failure;
pub mod fetch;
pub mod link;
mod logs;
pub mod metrics;
pub mod options;
mod pages;
mod process;
pub mod reachability;
pub mod ready;
pub mod refusal;
pub mod role;
pub mod serve;
pub mod server;
pub mod token;
pub mod vault;
