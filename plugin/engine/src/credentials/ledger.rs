//! The sessions that live, and their holders: the knowledge that a revocation of single sessions needs.
//!
//! ```text
//! note ─▶ cuts: may this read have it? ─▶ journal ─▶ storage
//! known ◀─ storage and what the journal has not stored yet
//! ```
//!
//! The record is in storage, so it outlives the process. A session is handed out before its record is stored, once; a second
//! holder waits for the Put. A process that is killed in between leaves a session that only AWS's own records show.

mod cuts;
mod entry;
mod journal;
mod known;
mod selector;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rolesanywhere::{RoleArn, TrustAnchorArn};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use vault_backend::Fault;

use cuts::Cuts;
pub(crate) use cuts::{CutOff, Reader, RevocationScope};
pub(crate) use entry::Entry;
pub(crate) use journal::{Backlog, PodLookup, pod_name};
use journal::{Fact, HandedOut, Journal};
pub(crate) use known::{Filter, KnownSessions, SessionPage};
pub(crate) use selector::Selector;

use crate::credentials::counters::Counters;
use crate::credentials::issued::{HopOf, Issued};
use crate::credentials::key::SessionKey;
use crate::ground::lifecycle::Lifecycle;
use crate::records::role_options::SessionSharing;
use crate::records::session_event::Holding;
use crate::store::Store;

/// How long a further holder of a session waits for the Put of the session's record. Storage that takes longer is in trouble, and
/// reads do not wait for that.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The sessions that were handed out and have not expired.
///
/// One lock guards the cuts and the order of what is noted, so a read is either found by a revocation or ended by it. The lock is
/// never held across an await.
pub(crate) struct Ledger {
    /// When this process began.
    began: OffsetDateTime,
    index: Mutex<Index>,
    journal: Journal,
    /// The number of the cut that was closed last. It wakes the reads that wait for one.
    closed: watch::Sender<u64>,
}

/// The cuts, and the sessions that they found.
#[derive(Default)]
struct Index {
    cuts: Cuts,
    /// By the serial number, when they expire. Nobody else may receive them, also if the revocation fails afterwards.
    ending: HashMap<String, OffsetDateTime>,
}

/// A session on its way to a caller.
pub(crate) struct HandOut<'a> {
    pub(crate) issued: &'a Arc<Issued>,
    pub(crate) key: &'a SessionKey,
    pub(crate) sharing: SessionSharing,
    /// Whether the reader is an entity.
    pub(crate) is_entity: bool,
    /// Vault's id of the request.
    pub(crate) request_id: &'a str,
    pub(crate) pod: PodLookup,
}

/// A session that may be handed to the caller after [`Ledger::recorded`].
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotedAs {
    /// The event to wait for; none for the session's first holder, who does not wait.
    event: Option<u64>,
}

/// An open cut. Dropping it closes the cut and wakes the reads that wait.
#[must_use]
pub(crate) struct Hold<'a> {
    ledger: &'a Ledger,
    number: u64,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        // before the notice: a read that wakes looks at the cuts again
        self.ledger.index().cuts.close(self.number);
        self.ledger.closed.send_replace(self.number);
    }
}

impl Ledger {
    /// The ledger of a process that began at `began`. It reads and writes nothing yet.
    pub(crate) fn new(
        began: OffsetDateTime,
        store: Store,
        metrics: Arc<Counters>,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        let journal = Journal::new(store, metrics, lifecycle);
        Self { began, index: Mutex::default(), journal, closed: watch::Sender::new(0) }
    }

    /// The time from which on sessions are known: that of the first one which was recorded, before this process began as a rule.
    ///
    /// # Errors
    /// Storage's.
    pub(crate) async fn began(&self) -> Result<OffsetDateTime, Fault> {
        let stored = self.journal.store().record_began().await?;
        let began = stored.and_then(|stored| OffsetDateTime::from_unix_timestamp(stored.began).ok());
        Ok(began.unwrap_or(self.began).min(self.began))
    }

    /// Records that `reader` receives a session.
    ///
    /// Call it before the session is handed out, and [`Self::recorded`] after it.
    ///
    /// # Errors
    /// [`CutOff`] if a revocation includes the read or the session: the caller must not hand it out.
    pub(crate) fn note(
        &self,
        now: OffsetDateTime,
        handout: HandOut<'_>,
        reader: &Reader<'_>,
    ) -> Result<NotedAs, CutOff> {
        let HandOut { issued, key, sharing, is_entity, request_id, pod } = handout;
        // one lock for both: no cut can come between the check and the record
        let index = self.index();
        // what a revocation denies is the session of Roles Anywhere, also if the caller receives a hop of it
        let made = issued.hop.as_ref().map_or(issued, |hop| &hop.hub);
        index.cuts.check(reader, key, made)?;
        if index.ending.contains_key(&made.serial) {
            return Err(CutOff);
        }
        let mut holders = made.handed.lock();
        let event = holders.recorded_as();
        if let Some(handing) = holders.add(reader.holder, sharing != SessionSharing::None) {
            let holding = Holding {
                serial: made.serial.clone(),
                holder: reader.holder.to_owned(),
                is_entity,
                request_id: request_id.to_owned(),
                since: now.unix_timestamp(),
                ..Holding::default()
            };
            let handed = HandedOut {
                issued: Arc::clone(made),
                key: key.clone(),
                is_first: event.is_none(),
                handing,
                holding,
                pod,
            };
            let number = self.journal.push(made.session.expiration, Fact::Handed(Box::new(handed)));
            if event.is_none() {
                holders.set_recorded_as(number);
            }
        }
        Ok(NotedAs { event: event.max(self.note_hop(issued)) })
    }

    /// Notes a hop when it is first handed out, beside its hub. Returns the number of its event if that was noted before.
    fn note_hop(&self, issued: &Arc<Issued>) -> Option<u64> {
        let HopOf { hub, .. } = issued.hop.as_ref()?;
        let mut own = issued.handed.lock();
        let event = own.recorded_as();
        if event.is_none() {
            let number = self.journal.push(hub.session.expiration, Fact::Hopped(Arc::clone(issued)));
            own.set_recorded_as(number);
        }
        event
    }

    /// Waits until the record of the session is stored, or storage has failed to; a second at most. The first holder of a session
    /// does not wait.
    pub(crate) async fn recorded(&self, noted: NotedAs) {
        if let Some(event) = noted.event {
            // late: storage is slow, and the session is handed out all the same
            let _ = timeout(MAX_WAIT, self.journal.settled(event)).await;
        }
    }

    /// Reads the living sessions that `keep` takes.
    ///
    /// # Errors
    /// Storage's, if it does not answer.
    pub(crate) async fn known(
        &self,
        now: OffsetDateTime,
        keep: impl Fn(&Entry) -> bool,
    ) -> Result<KnownSessions<'_>, Fault> {
        KnownSessions::read(&self.journal, now, keep).await
    }

    /// As [`Self::known`], as far as storage answers by `deadline`. `unreadable` of the result has the rest.
    pub(crate) async fn known_by(
        &self,
        now: OffsetDateTime,
        deadline: Instant,
        keep: impl Fn(&Entry) -> bool,
    ) -> KnownSessions<'_> {
        KnownSessions::read_by(&self.journal, now, deadline, keep).await
    }

    /// Reads the living sessions behind the serial number `after` that `filter` takes, `limit` at most.
    ///
    /// # Errors
    /// Storage's, if it does not answer.
    pub(crate) async fn page(
        &self,
        now: OffsetDateTime,
        filter: &Filter,
        after: &str,
        limit: usize,
    ) -> Result<SessionPage, Fault> {
        // storage has the pods' names, which the newest facts still lack
        let _ = timeout(MAX_WAIT, self.journal.all_settled()).await;
        SessionPage::read(&self.journal, now, filter, after, limit).await
    }

    /// The IAM roles and trust anchors of the living sessions, each pair once.
    ///
    /// # Errors
    /// Storage's, if it does not answer.
    pub(crate) async fn origins(&self, now: OffsetDateTime) -> Result<Vec<(RoleArn, TrustAnchorArn)>, Fault> {
        known::origins(&self.journal, now).await
    }

    /// Deletes the record of sessions that are over.
    ///
    /// # Errors
    /// Storage's. The next call goes on.
    pub(crate) async fn expire(&self, now: OffsetDateTime) -> Result<(), Fault> {
        known::expire(&self.journal, now).await
    }

    /// Records that these are denied at AWS.
    pub(crate) fn mark_denied(&self, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| !entry.is_denied) {
            let serial = entry.serial().to_owned();
            self.journal.push(entry.expiration(), Fact::Denied { serial });
        }
    }

    /// What is not stored yet, and why.
    pub(crate) fn backlog(&self, now: OffsetDateTime) -> Backlog {
        self.journal.backlog(now)
    }

    /// Begins a read by `holder`. Every cut from here on that includes the read ends it.
    pub(crate) fn reader<'a>(&self, holder: &'a str) -> Reader<'a> {
        Reader { holder, began: self.index().cuts.made }
    }

    /// Waits until no open cut holds up the read. The caller bounds the wait.
    ///
    /// # Errors
    /// [`CutOff`] if a cut since the beginning of the read includes it.
    pub(crate) async fn admit(&self, reader: &Reader<'_>, key: &SessionKey) -> Result<(), CutOff> {
        // before the first look: a cut that closes between the look and the wait must wake this read
        let mut closed = self.closed.subscribe();
        while !self.index().cuts.verdict(reader, key)? {
            // it cannot fail: the sender is the ledger's own
            let _ = closed.changed().await;
        }
        Ok(())
    }

    /// Makes a cut and returns the living sessions that it found, unless `check` refuses them. From here on nobody else receives
    /// them, and reads under way that the cut includes get no session. Reads that begin later do not wait.
    ///
    /// `known` must have been read for `which`. `check` gets the sessions and all that is known.
    ///
    /// # Errors
    /// Those of `check`. Nothing is cut then.
    pub(crate) fn cut<E>(
        &self,
        mut known: KnownSessions<'_>,
        which: &Selector,
        role: Option<&str>,
        check: impl FnOnce(&[Entry], &KnownSessions<'_>) -> Result<(), E>,
    ) -> Result<Vec<Entry>, E> {
        // one lock for search, check and cut: a read hands out its session before them and is found, or is cut off
        let mut index = self.index();
        known.absorb();
        let found = known.find(which, role);
        check(&found, &known)?;
        index.cuts.make(RevocationScope::Asked(which.clone(), role.map(str::to_owned)), false);
        index.ending.retain(|_, end| *end > known.now());
        index.ending.extend(found.iter().map(|entry| (entry.serial().to_owned(), entry.expiration())));
        Ok(found)
    }

    /// Opens a cut: reads under way that it includes get no session, and reads that begin later wait until the returned value is
    /// dropped.
    pub(crate) fn hold(&self, meant: RevocationScope) -> Hold<'_> {
        Hold { ledger: self, number: self.index().cuts.make(meant, true) }
    }

    /// As [`Self::hold`]. Also returns the sessions of `known`, and of all that was noted since, that `is_meant` takes.
    pub(crate) fn hold_known(
        &self,
        mut known: KnownSessions<'_>,
        meant: RevocationScope,
        is_meant: impl Fn(&Entry) -> bool,
    ) -> (Hold<'_>, Vec<Entry>) {
        // one lock for search and cut, as in `cut`
        let mut index = self.index();
        known.absorb();
        let number = index.cuts.make(meant, true);
        drop(index);
        (Hold { ledger: self, number }, known.those(is_meant))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Groups the entries by their IAM role. Roles with a session that is not denied yet come first: a call that ran out of time and
/// is repeated then continues with them.
pub(crate) fn by_iam_role(entries: Vec<Entry>) -> Vec<(RoleArn, Vec<Entry>)> {
    let mut found: BTreeMap<String, (RoleArn, Vec<Entry>)> = BTreeMap::new();
    for entry in entries {
        let role = entry.role_arn();
        found.entry(role.to_string()).or_insert_with(|| (role.clone(), Vec::new())).1.push(entry);
    }
    let mut roles: Vec<_> = found.into_values().collect();
    roles.sort_by_key(|(_, entries)| entries.iter().all(|entry| entry.is_denied));
    roles
}
