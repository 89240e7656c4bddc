//! Which answer a request gets: one of a moment ago, a new one, an old one while Vault is away, or a refusal.
//!
//! ```text
//! ask ──▶ AnswerCache ──▶ Done    an answer younger than a minute, or the refusal of a moment ago
//!            │  └──────▶ Wait    for the one flight of the key; the caller starts it if it is the first
//!            ▼
//!         landed ──▶ each waiter's reply; the answer is kept, the refusal for seconds
//!         give_up ─▶ a waiter that can wait no longer: the old answer, if that still serves
//!         sweep  ──▶ what nobody has asked for in an hour is forgotten
//! ```
//!
//! [`AnswerCache`] decides and does no I/O: the time is an argument, and decisions are values. It knows no Vault and no AWS; an
//! answer is any value with an end. Start reading in `answer_cache.rs`.

mod answer_cache;
mod entry;
mod limits;
mod outcome;
mod recency;

pub use answer_cache::{AnswerCache, Counts};
pub use limits::{FORGOTTEN_AFTER, FRESH, Limits, MAX_REST, MIN_LEFT, MIN_REST, REFUSED_REST, STALE_REST};
pub use outcome::{Flights, Origin, Outcome, Reply, Step, WaiterId};
