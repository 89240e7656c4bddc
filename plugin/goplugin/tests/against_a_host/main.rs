//! The greeter example, started and used by a host as go-plugin's is.

mod attacks;
mod broker;
mod frames;
mod host;
mod hostile;
mod lifecycle;
