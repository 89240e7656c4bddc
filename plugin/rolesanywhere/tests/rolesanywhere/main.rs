//! From certificate and key to session, one subject a module.

mod calls;
mod client;
mod network;
mod parties;
mod script;
mod secrecy;
mod tls;
mod vectors;
