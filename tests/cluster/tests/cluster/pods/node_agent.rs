//! Pods that have nothing but the node agent: two variables, and a service-account token for it.

mod admission;
mod chart;
mod expiry;
mod flood;
mod identities;
mod overlays;
mod refusals;
mod sdks;
mod tokens;
mod vault_away;
