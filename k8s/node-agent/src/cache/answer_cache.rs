//! The decisions: who is answered with what, when a flight starts, and what is kept.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use time::OffsetDateTime;

use super::entry::{Entry, Kept, Rest};
use super::limits::{Limits, MAX_REST, MIN_REST, REFUSED_REST, STALE_REST};
use super::outcome::{Flights, Origin, Outcome, Reply, Step, WaiterId};
use super::recency::Recency;
use crate::clock::Moment;

/// Answers of type `V` and refusals of type `E`, by keys of type `K`. A key has one flight at a time.
#[derive(Debug)]
pub struct AnswerCache<K, V, E> {
    limits: Limits,
    entries: HashMap<K, Entry<V, E>>,
    recency: Recency<K>,
    bytes: usize,
    flights: usize,
    last_waiter: u64,
    evicted: u64,
}

/// Totals and gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys that are known.
    pub entries: usize,
    /// Those with an answer.
    pub answers: usize,
    /// The bytes of the answers.
    pub bytes: usize,
    /// Flights under way.
    pub flights: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Answers that were dropped to make room, since the process began.
    pub evicted: u64,
    /// The age of the oldest answer that was served stale and has not been replaced since.
    pub oldest_stale: Option<Duration>,
}

/// The reply of each waiter of a flight that landed.
type Replies<V, E> = Vec<(WaiterId, Reply<V, E>)>;

impl<K: Clone + Eq + Hash + Ord, V: Clone, E: Clone> AnswerCache<K, V, E> {
    /// An empty cache.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: HashMap::new(),
            recency: Recency::new(),
            bytes: 0,
            flights: 0,
            last_waiter: 0,
            evicted: 0,
        }
    }

    /// A request for `key`, whose token says that it ends at `token_ends`. Nothing that was kept is served after that.
    pub fn ask(
        &mut self,
        now: Moment,
        key: &K,
        token_ends: Option<OffsetDateTime>,
        flights: Flights,
    ) -> Step<V, E> {
        if !self.make_room(key) {
            return Step::Done(Reply::Full);
        }
        let entry = self.entries.entry(key.clone()).or_insert_with(Entry::new);
        entry.ask(now, token_ends);
        let at_once = at_once(entry, now);
        let step = match at_once {
            Some(reply) => Step::Done(reply),
            None => self.wait(now, key, flights),
        };
        self.settle(key);
        step
    }

    /// Joins the flight of a key, or begins one.
    fn wait(&mut self, now: Moment, key: &K, flights: Flights) -> Step<V, E> {
        let may_start = flights == Flights::Open && self.flights < self.limits.max_flights;
        let Some(entry) = self.entries.get_mut(key) else { return Step::Done(Reply::Full) };
        let starts = entry.flight.is_none();
        if starts && !may_start {
            return Step::Done(entry.stale(now).unwrap_or(Reply::Full));
        }
        let Limits { answer_within, stale_within, .. } = self.limits;
        let patience = if entry.has_stale(now) { stale_within } else { answer_within };
        self.last_waiter += 1;
        let waiter = WaiterId(self.last_waiter);
        entry.flight.get_or_insert_default().push(waiter);
        self.flights += usize::from(starts);
        Step::Wait { waiter, patience, starts }
    }

    /// The flight of `key` ended. Returns the reply of each of its waiters.
    pub fn landed(&mut self, now: Moment, key: &K, outcome: Outcome<V, E>) -> Replies<V, E> {
        let Some(entry) = self.entries.get_mut(key) else { return Vec::new() };
        let Some(waiters) = entry.flight.take() else { return Vec::new() };
        self.flights -= 1;
        self.bytes -= entry.bytes();
        let reply = land(entry, now, outcome);
        self.bytes += entry.bytes();
        self.settle(key);
        self.keep_bounds();
        waiters.into_iter().map(|waiter| (waiter, reply.clone())).collect()
    }

    /// A waiter can wait no longer, or its caller has left. The flight goes on.
    pub fn give_up(&mut self, now: Moment, key: &K, waiter: WaiterId) -> Reply<V, E> {
        let Some(entry) = self.entries.get_mut(key) else { return Reply::Late };
        if let Some(waiters) = &mut entry.flight {
            waiters.retain(|other| *other != waiter);
        }
        entry.stale(now).unwrap_or(Reply::Late)
    }

    /// Forgets what nobody has asked for in an hour, and what can be served to nobody any more.
    pub fn sweep(&mut self, now: Moment) {
        let done: Vec<K> =
            self.entries.iter().filter(|(_, entry)| entry.is_done(now)).map(|(key, _)| key.clone()).collect();
        for key in done {
            self.remove(&key);
        }
    }

    /// Totals and gauges.
    pub fn counts(&self) -> Counts {
        let entries = self.entries.values();
        Counts {
            entries: self.entries.len(),
            answers: entries.clone().filter(|entry| entry.kept.is_some()).count(),
            bytes: self.bytes,
            flights: self.flights,
            waiting: entries.clone().filter_map(|entry| entry.flight.as_ref()).map(Vec::len).sum(),
            evicted: self.evicted,
            oldest_stale: entries.filter_map(|entry| entry.stale_age).max(),
        }
    }

    /// Whether there is room for a key. Drops another one if need be.
    fn make_room(&mut self, key: &K) -> bool {
        while !self.entries.contains_key(key) && self.entries.len() >= self.limits.max_entries {
            if !self.evict() {
                return false;
            }
        }
        true
    }

    fn keep_bounds(&mut self) {
        while self.bytes > self.limits.max_bytes && self.evict() {}
    }

    /// Drops the key that goes first. False if every key has a flight.
    fn evict(&mut self) -> bool {
        let Some(key) = self.recency.first().cloned() else { return false };
        let had_answer = self.remove(&key).is_some_and(|entry| entry.kept.is_some());
        self.evicted += u64::from(had_answer);
        true
    }

    fn remove(&mut self, key: &K) -> Option<Entry<V, E>> {
        let entry = self.entries.remove(key)?;
        self.recency.take(key, entry.place);
        self.bytes -= entry.bytes();
        Some(entry)
    }

    /// Puts a key where it belongs among those that may be dropped: nowhere while it has a flight.
    fn settle(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let old = entry.place.take();
        if entry.flight.is_some() {
            self.recency.take(key, old);
        } else {
            entry.place = Some(self.recency.put(key, entry.worth(), old));
        }
    }
}

/// What a request gets without waiting.
fn at_once<V: Clone, E: Clone>(entry: &mut Entry<V, E>, now: Moment) -> Option<Reply<V, E>> {
    if let Some(reply) = entry.cached(now) {
        return Some(reply);
    }
    let why = entry.resting(now)?;
    let stale = entry.stale(now);
    Some(stale.unwrap_or(Reply::Refused { why, is_repeated: true }))
}

/// Takes in how a flight ended, and returns what its waiters get.
fn land<V: Clone, E: Clone>(entry: &mut Entry<V, E>, now: Moment, outcome: Outcome<V, E>) -> Reply<V, E> {
    match outcome {
        Outcome::Granted { ends, .. } if ends.left(now).is_zero() => Reply::Late,
        Outcome::Granted { value, bytes, ends } => {
            entry.kept = Some(Kept::new(value.clone(), bytes, ends, now));
            (entry.rest, entry.stale_age) = (None, None);
            Reply::Answer { value, origin: Origin::New }
        }
        Outcome::Refused(why) => {
            (entry.kept, entry.stale_age) = (None, None);
            rest(entry, now, why, REFUSED_REST)
        }
        Outcome::Void { why, pause } => {
            (entry.kept, entry.stale_age) = (None, None);
            rest(entry, now, why, pause.clamp(MIN_REST, MAX_REST))
        }
        Outcome::Failed { why, pause } => {
            let pause = pause.clamp(MIN_REST, MAX_REST);
            let pause = if entry.has_stale(now) { pause.max(STALE_REST) } else { pause };
            let refused = rest(entry, now, why, pause);
            entry.stale(now).unwrap_or(refused)
        }
    }
}

fn rest<V: Clone, E: Clone>(entry: &mut Entry<V, E>, now: Moment, why: E, pause: Duration) -> Reply<V, E> {
    entry.rest = Some(Rest { until: now.monotonic.saturating_add(pause), why: why.clone() });
    Reply::Refused { why, is_repeated: false }
}
