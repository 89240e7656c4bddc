//! The client of Vault: a login with a pod's token, a read of an engine role's session, and which of Vault's addresses answers.
//!
//! ```text
//! Vault ── login    {role, jwt} to auth/<mount>/login          login
//!   │  └── session  <mount>/container/<role>                   session
//!   ├── upstreams   the addresses in order, the failing ones last; health says which of those are back
//!   ├── wire        one request, one bounded answer: TLS (roots), names (names)
//!   ├── answer      whose answer it is: Vault's, the engine's, or a stranger's
//!   └── explain     what a refusal means, and what cures it
//! ```

mod answer;
mod client;
mod explain;
mod health;
mod login;
mod names;
mod roots;
mod session;
mod stamp;
mod upstreams;
pub(crate) mod wire;

pub use client::Vault;
pub use login::Login;
pub use session::Session;
