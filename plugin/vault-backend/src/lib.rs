//! A Vault secrets backend: routes, fields, responses, leases, faults, storage, the system view and help.
//!
//! ```text
//! Vault ──gRPC──▶ service ──▶ wire ──▶ dispatch ──▶ Route ──▶ your handler(Arc<B>, Request, Params)
//!                  │ an instance per mount              │ schema: parser, path-help and OpenAPI come from it
//!                  ▼                                    ▼
//!              storage, system (dialled back)       Response | Fault ──▶ wire ──▶ Vault
//! ```
//!
//! Implement [`Backend`], list its [`Route`]s, and hand it to [`main`]. `examples/hello.rs` is a whole engine. Start reading at
//! [`Backend`], then `route.rs` and `field.rs`. The protobuf stops in `wire.rs` and in the two files that call back to Vault,
//! `vault_storage.rs` and `vault_system.rs`.

mod backend;
mod bounds;
mod change;
mod dispatch;
mod entity;
mod fake_system_view;
mod fault;
mod field;
mod help;
mod host_connection;
mod key_page;
mod memory;
mod node;
mod openapi;
mod params;
mod parse;
mod pattern;
pub mod reference;
mod request;
mod response;
mod route;
mod run;
mod service;
mod storage;
mod storage_error;
mod system;
mod system_error;
pub mod testing;
mod unknown;
mod values;
mod vault_storage;
mod vault_system;
mod wire;

pub use backend::{Backend, Plugin, SpecialPaths};
pub use change::Change;
pub use entity::{Alias, Entity, Group};
pub use fake_system_view::FakeSystemView;
pub use fault::{Blame, Fault, READ_ONLY, Uncured};
pub use field::{Field, FieldKind};
pub use goplugin::variable;
pub use node::{PluginEnvironment, ReplicationState};
pub use params::Params;
pub use parse::quote;
pub use pattern::is_name_with_at_signs;
pub use request::{Mount, Operation, Request};
pub use response::{Lease, LeaseEnd, Raw, Response};
pub use route::Route;
pub use run::main;
pub use storage::Storage;
pub use storage_error::StorageError;
pub use system::SystemView;
pub use system_error::SystemError;
pub use values::Values;
