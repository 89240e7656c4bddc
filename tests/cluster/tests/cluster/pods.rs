//! Pods on a real Kubernetes, with the real injector, Agents, Vault and SDKs. These stories leave the cluster alone, so they run
//! side by side, each in a namespace of its own.

mod crowd;
mod ecr;
mod expiry;
mod manifests;
mod node_agent;
mod outage;
mod refusals;
mod register_job;
mod retries;
mod rolling_update;
mod variants;
pub(crate) mod ways;
