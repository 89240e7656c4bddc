//! What comes into the cache and what goes out of it.

use std::time::Duration;

use crate::clock::Deadline;

/// One waiter of one cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId(pub(super) u64);

/// How a flight ended.
#[derive(Clone, Debug)]
pub enum Outcome<V, E> {
    /// There is an answer.
    Granted {
        /// The answer. It is cloned for each request, so use a shared pointer.
        value: V,
        /// Its size.
        bytes: usize,
        /// When it ends.
        ends: Deadline,
    },
    /// Refused until somebody changes something. What was kept before is dropped.
    Refused(E),
    /// It failed, and may not fail in `pause`. What was kept before may stand in.
    Failed {
        /// Why.
        why: E,
        /// How long to leave Vault alone.
        pause: Duration,
    },
    /// It failed, and may not fail in `pause`. What was kept before is worth nothing any more.
    Void {
        /// Why.
        why: E,
        /// How long to leave Vault alone.
        pause: Duration,
    },
}

/// Where an answer is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a flight that landed now.
    New,
    /// From one that landed less than [`FRESH`](super::FRESH) ago.
    Cached,
    /// From an older one, because a new one is not to be had.
    Stale {
        /// How long ago it was answered.
        age: Duration,
    },
}

/// What a request gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<V, E> {
    /// An answer that has not ended.
    Answer {
        /// The answer.
        value: V,
        /// Where it is from.
        origin: Origin,
    },
    /// A refusal.
    Refused {
        /// Why.
        why: E,
        /// Whether it is repeated from a moment ago.
        is_repeated: bool,
    },
    /// There is no answer yet. The flight goes on, and the next request may find what it brings.
    Late,
    /// It needs a flight and may not have one: its caller may start none, or too many are under way, or too many keys known.
    Full,
}

/// Whether a request may have a flight started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flights {
    /// It may.
    Open,
    /// It may not: it gets what is known, or joins a flight that is under way.
    Closed,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<V, E> {
    /// It is answered.
    Done(Reply<V, E>),
    /// It waits for the flight of its key.
    Wait {
        /// By this it is told apart.
        waiter: WaiterId,
        /// How long it may wait, before it gives up.
        patience: Duration,
        /// Whether the caller must start the flight, and say how it landed.
        starts: bool,
    },
}
