//! A real Kubernetes of one node, made of released parts, that restores the host when it ends.
//!
//! ```text
//! host                       │ namespaces of the cluster's own: network, mounts, processes
//!                            │
//! cluster up ── unshare ─────┼─▶ supervise ─┬─ etcd, kube-apiserver, -controller-manager, -scheduler, -proxy, CoreDNS
//!   tests, kubectl ── link ──┼─▶ bridge     ├─ containerd, kubelet ─▶ pods: Vault with the plugin, the injector, applications
//!                            │              ├─ AWS (the emulator), which pods reach at the bridge's address
//!                            │              └─ a registry of images, in the place of ECR
//! ```
//! Start reading at [`main`], then `host.rs` (the outside) and `supervise.rs` (the inside). Ending the one process that
//! holds the namespaces ends all of it, in whatever state a test left it.

#![expect(clippy::missing_panics_doc, reason = "a harness reports by panicking, everywhere")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness reports by panicking, everywhere")]

mod account;
mod association;
mod call;
mod cluster;
mod command;
mod components;
mod host;
mod install;
mod layout;
mod manifests;
mod node_agent;
mod papers;
mod registry;
mod relay;
mod supervise;
mod team;
mod tools;
mod traces;

pub use account::{ANYBODY, CLUSTER, FOUR_MINUTES, MINUTE, PAYMENTS_API, PULLS, state};
pub use association::{Answered, Question};
pub use call::{Call, never_failed, once_logged_in, sessions, without_brinks};
pub use cluster::{Cluster, Run};
pub use command::main;
pub use install::VAULT;
pub use layout::{BRIDGE_ADDRESS, HOST_ADDRESS, NODE};
pub use manifests::Manifests;
pub use node_agent::{NODE_AGENT, NodeAgent, told};
pub use registry::IMAGE as ECR_IMAGE;
pub use relay::Relay;
pub use team::{Answer, Team, eventually};
