//! Sessions shared between many callers and made under a quota: who is served what, who waits, and what is asked of the issuer next.
//!
//! ```text
//! ask ──▶ Desk ──▶ a kept session, at once                    shelf, kept
//!          │  └──▶ wait for a flight, one per key             flight
//!          │            lanes: fair between callers, the refused apart, an incident first, spare work last
//!          │            bucket: the quota of one account and region
//!          ▼
//!        Start ──▶ Sessions (tokio) runs the flight ──▶ landed: every waiter is answered, the session is kept
//! ```
//!
//! [`Desk`] decides and does no I/O: the time and a seed are arguments, decisions come out as values. [`Sessions`] obeys it on
//! tokio. Neither knows Vault or AWS; a session is whatever the caller makes. Start reading in `desk.rs`.

mod ask;
mod bucket;
mod changes;
mod counts;
mod desk;
mod fair;
mod flight;
mod ids;
mod kept;
mod lanes;
mod limits;
mod moment;
mod refusals;
mod reply;
mod service;
mod shelf;
mod turnstile;

pub use ask::{Ask, Caller, Group, Mode, Order, Place, Rank, Sharing};
pub use changes::Epoch;
pub use counts::Counts;
pub use desk::{Decision, Desk, Step};
pub use flight::{Cause, Made, Outcome};
pub use ids::{FlightId, WaiterId};
pub use limits::{Limits, Rate, Renewal};
pub use moment::Moment;
pub use reply::{Freshness, Grant, Reply, Why};
pub use service::{Key, Sessions, Value, Work, work};
