//! Rules that the repository keeps, and the harness's own programs, one subject a module.

mod architecture;
mod k8s_rules;
mod lifecycle;
mod signed_calls;
mod whoami;
