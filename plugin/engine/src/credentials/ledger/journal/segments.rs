//! The segments that this process writes.
//!
//! A segment grows while it is short: the same key is Put again with one event more. So a bucket has few segments although the
//! first event of each is stored at once.

use std::collections::{BTreeMap, VecDeque};

use time::OffsetDateTime;
use vault_backend::Fault;

use crate::ground::clock;
use crate::records::session_event::{Began, EventSegment, SessionEvent};
use crate::store::{ExpiryHour, Store};

/// Events of one segment, at most: about 12 KB. Each Put writes the whole segment, so a larger one would cost more for each
/// session, and a smaller one more keys.
const MAX_EVENTS: usize = 32;
/// Buckets with an open segment, at most: sessions last 12 hours.
const MAX_OPEN: usize = 16;
const SECONDS_OF_BUCKET: i64 = 3600;

/// The segments that may still grow, by their bucket.
#[derive(Default)]
pub(super) struct Segments {
    open: BTreeMap<ExpiryHour, Open>,
    /// Storage says since when the record is kept.
    has_began: bool,
}

struct Open {
    name: String,
    segment: EventSegment,
}

/// The bucket of a session that expires then.
fn bucket(expiration: OffsetDateTime) -> ExpiryHour {
    expiration.unix_timestamp().div_euclid(SECONDS_OF_BUCKET)
}

/// When the last session of a bucket has expired.
pub(crate) fn end(bucket: ExpiryHour) -> OffsetDateTime {
    let end = bucket.saturating_add(1).saturating_mul(SECONDS_OF_BUCKET);
    OffsetDateTime::from_unix_timestamp(end).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

impl Segments {
    /// Stores the events, each with the expiration of its session, and takes those off `events` that are stored.
    ///
    /// # Errors
    /// Storage's. What was being stored may be stored, and is stored again by the next call, which does no harm.
    pub(super) async fn store(
        &mut self,
        store: &Store,
        events: &mut VecDeque<(OffsetDateTime, SessionEvent)>,
    ) -> Result<(), Fault> {
        if !self.has_began {
            if store.record_began().await?.is_none() {
                store.put_record_began(Began { began: clock::now().unix_timestamp() }).await?;
            }
            self.has_began = true;
        }
        while let Some((expiration, _)) = events.front() {
            self.append(store, bucket(*expiration), events).await?;
        }
        Ok(())
    }

    /// Stores the next events of one bucket, as many as its open segment takes.
    async fn append(
        &mut self,
        store: &Store,
        of: ExpiryHour,
        events: &mut VecDeque<(OffsetDateTime, SessionEvent)>,
    ) -> Result<(), Fault> {
        let open = self.open.entry(of).or_insert_with(Open::new);
        let room = MAX_EVENTS - open.segment.events.len();
        let is_next = |(expiration, _): &&(OffsetDateTime, SessionEvent)| bucket(*expiration) == of;
        let next: Vec<SessionEvent> =
            events.iter().filter(is_next).take(room).map(|(_, event)| event.clone()).collect();
        let grown = EventSegment { events: [open.segment.events.clone(), next.clone()].concat() };
        store.put_segment(of, &open.name, &grown).await?;
        let mut stored = next.len();
        events.retain(|(expiration, _)| {
            let goes = stored > 0 && bucket(*expiration) == of;
            stored -= usize::from(goes);
            !goes
        });
        open.segment = grown;
        if open.segment.events.len() >= MAX_EVENTS {
            self.open.remove(&of);
        }
        if self.open.len() > MAX_OPEN {
            self.open.pop_first();
        }
        Ok(())
    }
}

impl Open {
    /// An empty segment under a name that no other process uses.
    fn new() -> Self {
        Self { name: format!("{:016x}", fastrand::u64(..)), segment: EventSegment::default() }
    }
}
