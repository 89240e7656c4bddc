//! What is known of one key: its answer, its refusal, its flight.

use std::time::Duration;

use time::OffsetDateTime;

use super::limits::{FORGOTTEN_AFTER, FRESH, MIN_LEFT};
use super::outcome::{Origin, Reply, WaiterId};
use super::recency::{Place, Worth};
use crate::clock::{Deadline, Moment};

#[derive(Debug)]
pub(super) struct Entry<V, E> {
    pub(super) kept: Option<Kept<V>>,
    pub(super) rest: Option<Rest<E>>,
    /// Those who wait for the flight; none if there is no flight.
    pub(super) flight: Option<Vec<WaiterId>>,
    /// When the key's token ends, as the token says.
    pub(super) token_ends: Option<Deadline>,
    /// When it was last asked for, on the monotonic clock.
    pub(super) seen: Duration,
    /// The age of the answer that was last served stale, since the last new one.
    pub(super) stale_age: Option<Duration>,
    /// Its place among the keys that may be dropped; none while it has a flight.
    pub(super) place: Option<Place>,
}

/// An answer that is kept.
#[derive(Debug)]
pub(super) struct Kept<V> {
    value: V,
    pub(super) bytes: usize,
    ends: Deadline,
    /// Its length when it came.
    whole: Duration,
    /// When it came, on the monotonic clock.
    came: Duration,
}

/// A time for which Vault is left alone.
#[derive(Debug)]
pub(super) struct Rest<E> {
    /// On the monotonic clock.
    pub(super) until: Duration,
    pub(super) why: E,
}

impl<V: Clone> Kept<V> {
    pub(super) fn new(value: V, bytes: usize, ends: Deadline, now: Moment) -> Kept<V> {
        Kept { value, bytes, ends, whole: ends.left(now), came: now.monotonic }
    }

    fn age(&self, now: Moment) -> Duration {
        now.monotonic.saturating_sub(self.came)
    }
}

impl<V: Clone, E: Clone> Entry<V, E> {
    pub(super) fn new() -> Entry<V, E> {
        Entry {
            kept: None,
            rest: None,
            flight: None,
            token_ends: None,
            seen: Duration::ZERO,
            stale_age: None,
            place: None,
        }
    }

    /// Notes a request with a token that ends at `token_ends`.
    pub(super) fn ask(&mut self, now: Moment, token_ends: Option<OffsetDateTime>) {
        self.seen = now.monotonic;
        if self.token_ends.is_none() {
            self.token_ends = token_ends.map(|end| Deadline::at(end, now));
        }
    }

    /// The answer, if it came within the last minute and still serves.
    pub(super) fn cached(&self, now: Moment) -> Option<Reply<V, E>> {
        let kept = self.serving(now).filter(|kept| kept.age(now) < FRESH)?;
        Some(Reply::Answer { value: kept.value.clone(), origin: Origin::Cached })
    }

    /// The answer, if it still serves, in place of a new one.
    pub(super) fn stale(&mut self, now: Moment) -> Option<Reply<V, E>> {
        let kept = self.serving(now)?;
        let (value, age) = (kept.value.clone(), kept.age(now));
        self.stale_age = Some(age);
        Some(Reply::Answer { value, origin: Origin::Stale { age } })
    }

    pub(super) fn has_stale(&self, now: Moment) -> bool {
        self.serving(now).is_some()
    }

    /// The answer, if it has enough time left, and the token has not ended.
    fn serving(&self, now: Moment) -> Option<&Kept<V>> {
        let token_lives = self.token_ends.is_none_or(|end| !end.left(now).is_zero());
        let least = |kept: &Kept<V>| MIN_LEFT.min(kept.whole / 3);
        self.kept.as_ref().filter(|kept| token_lives && kept.ends.left(now) > least(kept))
    }

    /// The refusal of a moment ago, while Vault is left alone.
    pub(super) fn resting(&self, now: Moment) -> Option<E> {
        self.rest.as_ref().filter(|rest| now.monotonic < rest.until).map(|rest| rest.why.clone())
    }

    pub(super) fn worth(&self) -> Worth {
        if self.kept.is_some() { Worth::Answer } else { Worth::Refusal }
    }

    pub(super) fn bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.bytes)
    }

    /// Whether it is of no use any more: nobody has asked for it in an hour, or there is nothing in it that could be served.
    pub(super) fn is_done(&self, now: Moment) -> bool {
        let is_forgotten = now.monotonic.saturating_sub(self.seen) >= FORGOTTEN_AFTER;
        let is_empty = self.serving(now).is_none() && self.resting(now).is_none();
        self.flight.is_none() && (is_forgotten || is_empty)
    }
}
