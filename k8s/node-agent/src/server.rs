//! The local protocol: one request a connection, `GET /v1/credentials[/<role>]`, bounded before anything is read.
//!
//! ```text
//! listener ──▶ gate         how many connections and requests one source, and all together, may have
//!    └──▶ connection        one connection from its first byte to its last
//!           ├── head        the head of the request: 16 KiB, 64 lines, 5 s
//!           ├── request     which request it is: host, method, path, token
//!           ├── agent       the answer
//!           └── respond     the answer as an SDK reads it
//! ```
//!
//! Connections are closed after one answer: an SDK asks once in an hour, and an idle connection would cost memory for nothing and break
//! when the agent is replaced.

mod connection;
mod gate;
mod head;
mod listener;
mod request;
mod respond;

pub use gate::{Gate, GateLimits, Refused};
pub use listener::{Listener, Serving};
pub(crate) use listener::{bind, unbound};
