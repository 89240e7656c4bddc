//! The greeter example, started and used by a host as go-plugin's is.

mod broker;
mod host;
mod lifecycle;
