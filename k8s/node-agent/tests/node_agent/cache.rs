//! The cache's decisions, one by one and under random schedules.

mod decisions;
mod schedules;

use std::time::Duration;

use node_agent::cache::{AnswerCache, Outcome, Reply, Step, WaiterId};
use node_agent::clock::{Deadline, Moment};
use time::OffsetDateTime;
use time::macros::datetime;

const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);

/// A point in time in a run whose clocks agree.
fn at(seconds: u64) -> Moment {
    let since = Duration::from_secs(seconds);
    Moment { monotonic: since, wall: NOON + since }
}

/// An answer of 100 bytes that ends `seconds` after noon.
fn granted<V, E>(value: V, seconds: u64, now: Moment) -> Outcome<V, E> {
    Outcome::Granted { value, bytes: 100, ends: Deadline::at(NOON + Duration::from_secs(seconds), now) }
}

/// The id of a request that waits, and whether it starts the flight.
#[track_caller]
fn waits<V: std::fmt::Debug, E: std::fmt::Debug>(step: Step<V, E>) -> (WaiterId, bool) {
    match step {
        Step::Wait { waiter, starts, .. } => (waiter, starts),
        Step::Done(reply) => panic!("answered: {reply:?}"),
    }
}

/// The reply to a request that does not wait.
#[track_caller]
fn done<V, E>(step: Step<V, E>) -> Reply<V, E> {
    match step {
        Step::Done(reply) => reply,
        Step::Wait { .. } => panic!("waits"),
    }
}

/// A cache of numbers by letters, whose refusals are words.
type Letters = AnswerCache<char, u32, &'static str>;
