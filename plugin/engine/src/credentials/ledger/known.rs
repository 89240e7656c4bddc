//! Reads the record: storage, and what is not in it yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rolesanywhere::{RoleArn, TrustAnchorArn};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use vault_backend::Fault;

use super::entry::Entry;
use super::journal::{self, Journal, Watch};
use super::selector::Selector;
use crate::records::session_event::{EventSegment, Holding, SessionEvent, SessionRecord};
use crate::store::{ExpiryHour, OnSilence, SESSION_PREFIX, Store};

/// A bucket stays for so long after its last session expired by this host's clock: AWS's may be behind.
const KEPT_AFTER: time::Duration = time::Duration::minutes(5);

/// Living sessions, as the record has them.
pub(crate) struct KnownSessions<'a> {
    entries: HashMap<String, Entry>,
    watch: Watch<'a>,
    now: OffsetDateTime,
    /// The storage keys of the parts that could not be read: damaged, or of a later version.
    pub(crate) unreadable: Vec<String>,
}

/// Which sessions a list has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) role: Option<String>,
    pub(crate) entity_id: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) service_account: Option<String>,
}

/// Living sessions in the order of their serial numbers.
pub(crate) struct SessionPage {
    pub(crate) entries: Vec<Entry>,
    /// Whether more follow the last one.
    pub(crate) has_more: bool,
    /// As of [`KnownSessions`].
    pub(crate) unreadable: Vec<String>,
}

impl<'a> KnownSessions<'a> {
    /// Reads the living sessions that `keep` takes. It reads the whole record, some hundred entries of storage for 10,000
    /// sessions.
    ///
    /// # Errors
    /// Storage's, if it does not answer.
    pub(super) async fn read(
        journal: &'a Journal,
        now: OffsetDateTime,
        mut keep: impl FnMut(&Entry) -> bool,
    ) -> Result<Self, Fault> {
        let mut known = Self::begin(journal, now);
        for bucket in living(journal.store().buckets().await?, now) {
            known.add(journal.store().segments(bucket, OnSilence::Fail).await?, &mut keep);
        }
        Ok(known.end(keep))
    }

    /// As [`Self::read`], as far as storage answers by `deadline`. The rest is in [`Self::unreadable`].
    pub(super) async fn read_by(
        journal: &'a Journal,
        now: OffsetDateTime,
        deadline: Instant,
        mut keep: impl FnMut(&Entry) -> bool,
    ) -> Self {
        let mut known = Self::begin(journal, now);
        let store = journal.store();
        let Ok(Ok(buckets)) = timeout_at(deadline, store.buckets()).await else {
            known.unreadable.push(SESSION_PREFIX.to_owned());
            return known.end(keep);
        };
        for bucket in living(buckets, now) {
            match timeout_at(deadline, store.segments(bucket, OnSilence::GoOn)).await {
                Ok(Ok(read)) => known.add(read, &mut keep),
                Ok(Err(_)) | Err(_) => known.unreadable.push(Store::bucket_key(bucket)),
            }
        }
        known.end(keep)
    }

    /// Begins to collect what is noted meanwhile.
    fn begin(journal: &'a Journal, now: OffsetDateTime) -> Self {
        KnownSessions { entries: HashMap::new(), watch: journal.watch(), now, unreadable: Vec::new() }
    }

    /// Adds what storage has of one bucket, and the keys of its parts that cannot be read.
    fn add(
        &mut self,
        (segments, unreadable): (Vec<EventSegment>, Vec<String>),
        keep: &mut impl FnMut(&Entry) -> bool,
    ) {
        self.unreadable.extend(unreadable);
        let (found, now) = (merged(segments).into_iter(), self.now);
        self.entries.extend(found.filter(|(_, entry)| entry.expiration() > now && keep(entry)));
    }

    /// Adds what was noted meanwhile.
    fn end(mut self, mut keep: impl FnMut(&Entry) -> bool) -> Self {
        self.absorb();
        self.entries.retain(|_, entry| keep(entry));
        self
    }
}

/// The buckets of which a session may live, each once.
fn living(buckets: Vec<ExpiryHour>, now: OffsetDateTime) -> impl Iterator<Item = ExpiryHour> {
    let buckets: BTreeSet<_> = buckets.into_iter().collect();
    buckets.into_iter().filter(move |bucket| journal::end(*bucket) > now)
}

impl SessionPage {
    /// Reads the living sessions behind the serial number `after` that `filter` takes, `limit` at most.
    ///
    /// # Errors
    /// Storage's, if it does not answer.
    pub(super) async fn read(
        journal: &Journal,
        now: OffsetDateTime,
        filter: &Filter,
        after: &str,
        limit: usize,
    ) -> Result<Self, Fault> {
        // the smallest serial numbers so far, so that a page needs no more memory than it has entries
        let mut smallest = BTreeSet::new();
        let is_taken = |entry: &Entry| {
            if entry.serial() <= after || !filter.takes(entry) {
                return false;
            }
            smallest.insert(entry.serial().to_owned());
            while smallest.len() > limit.saturating_add(1) {
                smallest.pop_last();
            }
            smallest.contains(entry.serial())
        };
        let known = KnownSessions::read(journal, now, is_taken).await?;
        let mut entries: Vec<Entry> = known.entries.into_values().collect();
        entries.sort_unstable_by(|one, other| one.serial().cmp(other.serial()));
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        Ok(Self { entries, has_more, unreadable: known.unreadable })
    }
}

/// The IAM roles and trust anchors of the living sessions, each pair once.
///
/// # Errors
/// Storage's, if it does not answer.
pub(super) async fn origins(
    journal: &Journal,
    now: OffsetDateTime,
) -> Result<Vec<(RoleArn, TrustAnchorArn)>, Fault> {
    let mut origins = BTreeMap::new();
    let note = |entry: &Entry| {
        let SessionRecord { role_arn, trust_anchor_arn, .. } = &entry.record;
        origins
            .entry((role_arn.to_string(), trust_anchor_arn.to_string()))
            .or_insert_with(|| (role_arn.clone(), trust_anchor_arn.clone()));
        false
    };
    drop(KnownSessions::read(journal, now, note).await?);
    Ok(origins.into_values().collect())
}

/// Deletes the buckets whose sessions are over.
///
/// # Errors
/// Storage's. The next call goes on.
pub(super) async fn expire(journal: &Journal, now: OffsetDateTime) -> Result<(), Fault> {
    let store = journal.store();
    for bucket in store.buckets().await? {
        if journal::end(bucket) + KEPT_AFTER < now {
            let segments = store.delete_bucket(bucket).await?;
            tracing::debug!(bucket, segments, "deleted the record of sessions that are over");
        }
    }
    Ok(())
}

/// The sessions of one bucket. Events of a session that the bucket does not have say nothing: the segment with it is unreadable.
fn merged(segments: Vec<EventSegment>) -> HashMap<String, Entry> {
    let (mut entries, mut others) = (HashMap::new(), Vec::new());
    for event in segments.into_iter().flat_map(|segment| segment.events) {
        match event {
            SessionEvent::Issued(record) => {
                entries.entry(record.serial.clone()).or_insert_with(|| Entry::new(*record));
            }
            other => others.push(other),
        }
    }
    for event in others {
        if let Some(entry) = entries.get_mut(event.serial()) {
            entry.note(event);
        }
    }
    entries
}

impl KnownSessions<'_> {
    /// Adds what was noted since the reading began.
    pub(super) fn absorb(&mut self) {
        for noted in self.watch.seen() {
            let (record, events) = noted.whole();
            if let Some(record) = record {
                self.entries.entry(record.serial.clone()).or_insert_with(|| Entry::new(record));
            }
            for event in events {
                if let Some(entry) = self.entries.get_mut(event.serial()) {
                    entry.note(event);
                }
            }
        }
        self.entries.retain(|_, entry| entry.expiration() > self.now);
    }

    /// The time at which the sessions of it lived.
    pub(super) fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// The sessions that `which` selects, of the engine's role `role` only if it is given.
    pub(crate) fn find(&self, which: &Selector, role: Option<&str>) -> Vec<Entry> {
        self.those(|entry| entry.is_meant(which, role))
    }

    /// The sessions that `is_meant` selects.
    pub(crate) fn those(&self, is_meant: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.entries.values().filter(|entry| is_meant(entry)).cloned().collect()
    }
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        let Self { role, entity_id, cluster, namespace, service_account } = self;
        let is = |wanted: &Option<String>, actual: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| actual == Some(wanted))
        };
        let is_of_pod = |holding: &Holding| {
            let pod = &holding.pod;
            is(cluster, pod.cluster.as_ref().or(entry.record.cluster.as_ref()))
                && is(namespace, pod.namespace.as_ref())
                && is(service_account, pod.service_account.as_ref())
                && is(entity_id, Some(&holding.holder).filter(|_| holding.is_entity))
        };
        let asks_for_holder =
            cluster.is_some() || namespace.is_some() || service_account.is_some() || entity_id.is_some();
        is(role, Some(&entry.record.role)) && (!asks_for_holder || entry.holdings.values().any(is_of_pod))
    }
}
