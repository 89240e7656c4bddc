//! Sessions that many callers share, made under a quota: who is served which session, who waits, and which one is made next.
//!
//! ```text
//! SessionRequest ──▶ Scheduler ──▶ a cached session, at once                  session_cache, cached_session
//!                     │  └──▶ wait for a flight, one per key                  flight
//!                     │            priority_queue: fair between requesters, penalized domains apart,
//!                     │                            an incident first, spare work last
//!                     │            bucket: the quota of one account and region
//!                     ▼
//!                   Start ──▶ Sessions (tokio) runs the flight ──▶ landed: every waiter is answered, the session is cached
//! ```
//!
//! [`Scheduler`] decides and does no I/O: the time and a seed are arguments, and decisions are values. [`Sessions`] carries
//! them out on tokio. Neither knows Vault or AWS; a session is any value that the caller makes. Start reading in
//! `scheduler.rs`.

mod bucket;
mod cached_session;
mod counts;
mod flight;
mod health;
mod ids;
mod invalidations;
mod key;
mod limits;
mod negative_cache;
mod now;
mod priority_queue;
mod quota_queue;
mod reply;
mod request;
mod round_robin;
mod scheduler;
mod service;
mod session_cache;

pub use counts::Counts;
pub use flight::{Cause, Departure, FlightOutcome, Made};
pub use ids::{FlightId, WaiterId};
pub use invalidations::Epoch;
pub use key::Key;
pub use limits::{Limits, Rate, Renewal};
pub use now::Now;
pub use reply::{CacheStatus, Grant, Reply, Why};
pub use request::{
    FailureDomain, FlightSpec, Freshness, QuotaScope, Rank, Requester, SessionRequest, Sharing,
};
pub use scheduler::{Decision, Scheduler, Step};
pub use service::{FlightWork, Sessions, Value, work};
