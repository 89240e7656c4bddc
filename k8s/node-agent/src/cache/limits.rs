//! The bounds of the cache, in time and memory.

use std::time::Duration;

/// How long an answer is handed out without asking again. What was revoked or changed is so seen within a minute; the engine answers
/// from memory, and SDKs ask only at their start and near the end of a session.
pub const FRESH: Duration = Duration::from_mins(1);

/// An older answer stands in while Vault is away if it has more time left than this, or than a third of its length where that is
/// less. SDKs come back five minutes before the end.
pub const MIN_LEFT: Duration = Duration::from_mins(5);

/// How long a refusal is repeated without asking again: short, because its cure is one command.
pub const REFUSED_REST: Duration = Duration::from_secs(5);

/// The shortest and the longest time for which Vault is left alone after a failure that may pass; the refusal itself says how long.
pub const MIN_REST: Duration = Duration::from_secs(1);
/// See [`MIN_REST`].
pub const MAX_REST: Duration = Duration::from_secs(30);

/// How long Vault is left alone for a key after such a failure, while an old answer stands in.
pub const STALE_REST: Duration = Duration::from_secs(5);

/// An answer that nobody has asked for in this time is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// The bounds of one cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of keys that are known: with an answer, a refusal or a flight.
    pub max_entries: usize,
    /// The bytes of all answers together.
    pub max_bytes: usize,
    /// The number of flights at one time.
    pub max_flights: usize,
    /// How long a request waits that has nothing to fall back on.
    pub answer_within: Duration,
    /// How long a request waits that has an old answer to fall back on. JavaScript and Java give up after a second.
    pub stale_within: Duration,
}

impl Default for Limits {
    /// Four tokens for each of 500 pods, at about 2.5 KiB an answer. All of them may ask at once, as after a restart of the node.
    fn default() -> Limits {
        Limits {
            max_entries: 2048,
            max_bytes: 8 * 1024 * 1024,
            max_flights: 1024,
            answer_within: Duration::from_secs(3),
            stale_within: Duration::from_millis(700),
        }
    }
}
