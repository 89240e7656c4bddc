//! Selector sessions live, and who has them: what a revocation of one session has to know.
//!
//! Kept in memory only. After a restart or a failover the earlier sessions are not known, and whoever revokes is told so.

mod cuts;
mod selector;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rolesanywhere::{RoleArn, TrustAnchorArn};
use time::OffsetDateTime;
use tokio::sync::watch;

use cuts::Cuts;
pub(crate) use cuts::{CutOff, Reader, RevocationScope};
pub(crate) use selector::Selector;

use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;

/// Living sessions that are remembered, some hundred bytes each; beyond so many, those that end first are forgotten.
const MAX_SESSIONS: usize = 100_000;
/// Holders of one session that are told apart. One with more counts as everybody's: a revocation of any entity then means it too, and has
/// to be forced.
const MAX_HOLDERS: usize = 1024;

/// The sessions that were handed out and have not ended.
pub(crate) struct Ledger {
    began: OffsetDateTime,
    index: Mutex<Index>,
    /// The number of the cut that was closed last.
    closed: watch::Sender<u64>,
}

#[derive(Default)]
struct Index {
    by_serial: HashMap<Arc<str>, Entry>,
    by_end: BTreeSet<(OffsetDateTime, Arc<str>)>,
    /// Each is many sessions'.
    origins: HashSet<Arc<SessionOrigin>>,
    /// The end of the last session that was forgotten while it lived, for want of room.
    forgotten: Option<OffsetDateTime>,
    cuts: Cuts,
}

/// One session that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Of its certificate, lowercase hexadecimal with colons.
    pub(crate) serial: Arc<str>,
    pub(crate) origin: Arc<SessionOrigin>,
    /// What is kept of it for the next caller; nothing of one that is not shared.
    pub(crate) cached_as: Option<SessionKey>,
    /// Its name at AWS.
    pub(crate) session_name: Box<str>,
    pub(crate) source_identity: Option<Box<str>>,
    pub(crate) expiration: OffsetDateTime,
    /// AWS was told to deny it.
    pub(crate) is_denied: bool,
    /// AWS is about to be told to: it is handed to nobody else.
    is_ending: bool,
    holders: Holders,
}

/// Where a session comes from.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionOrigin {
    /// The engine's role.
    pub(crate) role: String,
    pub(crate) role_arn: RoleArn,
    pub(crate) trust_anchor: TrustAnchorArn,
    /// Where its caller logged in, if the role names the cluster.
    cluster: Option<String>,
    /// The role names its sessions itself, so that the next one has the name too.
    is_named: bool,
}

/// The entities that were handed a session, or the accessors of tokens without one. Most sessions have one.
#[derive(Clone, Debug)]
enum Holders {
    One(Box<str>),
    Listed(BTreeSet<Box<str>>),
    /// There were more than are listed, or some of whom nothing is known: batch tokens have no accessor.
    AndMore(BTreeSet<Box<str>>),
}

/// An open cut; closed on drop.
#[must_use]
pub(crate) struct Hold<'a> {
    ledger: &'a Ledger,
    number: u64,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.ledger.index().cuts.close(self.number);
        self.ledger.closed.send_replace(self.number);
    }
}

impl Ledger {
    pub(crate) fn new(began: OffsetDateTime) -> Self {
        Self { began, index: Mutex::default(), closed: watch::Sender::new(0) }
    }

    /// Since when sessions are known.
    pub(crate) fn began(&self) -> OffsetDateTime {
        self.began
    }

    /// Notes that `reader` is handed a session, which is kept for the next caller if `is_shared`.
    ///
    /// # Errors
    /// Where a revocation cut it off: then it is handed to nobody.
    pub(crate) fn note(
        &self,
        now: OffsetDateTime,
        issued: &Issued,
        (key, is_shared): (&SessionKey, bool),
        reader: &Reader<'_>,
    ) -> Result<(), CutOff> {
        let (mut index, holder) = (self.index(), reader.holder);
        index.cuts.check(reader, key, issued)?;
        match index.by_serial.get_mut(issued.serial.as_str()) {
            Some(entry) if entry.is_ending => return Err(CutOff),
            Some(entry) => {
                entry.holders.add(holder);
                return Ok(());
            }
            None => {}
        }
        index.make_room(now);
        let session = &issued.session;
        let entry = Entry {
            serial: issued.serial.as_str().into(),
            origin: index.origin(key),
            cached_as: is_shared.then(|| key.clone()),
            session_name: session.role_session_name.as_str().into(),
            source_identity: session.source_identity.as_deref().map(Into::into),
            expiration: session.expiration,
            is_denied: false,
            is_ending: false,
            holders: Holders::first(holder, is_shared),
        };
        index.by_end.insert((entry.expiration, Arc::clone(&entry.serial)));
        index.by_serial.insert(Arc::clone(&entry.serial), entry);
        Ok(())
    }

    /// The living sessions that are meant, those of the engine's role `role` if it is given.
    pub(crate) fn find(&self, now: OffsetDateTime, which: &Selector, role: Option<&str>) -> Vec<Entry> {
        self.index().find(now, which, role)
    }

    /// The living sessions of an IAM role, whichever of the engine's roles led to it.
    pub(crate) fn of_iam_role(&self, now: OffsetDateTime, role: &RoleArn) -> Vec<Entry> {
        let index = self.index();
        let is_of = |entry: &&Entry| entry.expiration > now && entry.origin.role_arn == *role;
        index.by_serial.values().filter(is_of).cloned().collect()
    }

    /// Notes that AWS was told to deny these.
    pub(crate) fn mark_denied(&self, entries: &[Entry]) {
        let mut index = self.index();
        for entry in entries {
            if let Some(known) = index.by_serial.get_mut(&entry.serial) {
                known.is_denied = true;
            }
        }
    }

    /// Where the sessions that are remembered come from.
    pub(crate) fn origins(&self) -> Vec<Arc<SessionOrigin>> {
        self.index().origins.iter().map(Arc::clone).collect()
    }

    /// Whether a session may live that was handed out here and then forgotten for want of room.
    pub(crate) fn has_forgotten(&self, now: OffsetDateTime) -> bool {
        self.index().forgotten.is_some_and(|end| end > now)
    }

    /// A read by `holder` begins.
    pub(crate) fn reader<'a>(&self, holder: &'a str) -> Reader<'a> {
        Reader { holder, began: self.index().cuts.made }
    }

    /// Waits until no open cut holds a read up, and refuses one that was cut off.
    pub(crate) async fn admit(&self, reader: &Reader<'_>, key: &SessionKey) -> Result<(), CutOff> {
        let mut closed = self.closed.subscribe();
        while !self.index().cuts.verdict(reader, key)? {
            // the sender is the ledger's own
            let _ = closed.changed().await;
        }
        Ok(())
    }

    /// The living sessions that are meant. From here on they are handed to nobody else, and reads that are meant and under way get
    /// nothing.
    pub(crate) fn cut(&self, now: OffsetDateTime, which: &Selector, role: Option<&str>) -> Vec<Entry> {
        let mut index = self.index();
        index.cuts.make(RevocationScope::Asked(which.clone(), role.map(str::to_owned)), false);
        let found = index.find(now, which, role);
        for entry in &found {
            if let Some(known) = index.by_serial.get_mut(&entry.serial) {
                known.is_ending = true;
            }
        }
        found
    }

    /// Reads that are meant and under way get nothing, and those that begin wait until the answer is dropped.
    pub(crate) fn hold(&self, meant: RevocationScope) -> Hold<'_> {
        Hold { ledger: self, number: self.index().cuts.make(meant, true) }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The source identity by which it has to be denied: its role names its sessions itself, so that the next one has the name too.
    pub(crate) fn denied_by(&self) -> Option<&str> {
        self.source_identity.as_deref().filter(|_| self.origin.is_named)
    }

    /// How many others have it beside those that are meant, at least; none where it is theirs alone.
    pub(crate) fn others(&self, which: &Selector) -> usize {
        match which {
            Selector::Serial(_) => self.holders.count() - 1,
            Selector::Entity(entity) => self.holders.count() - usize::from(self.holders.has(entity)),
            // pods of one cluster are what is meant
            Selector::Cluster(_) => 0,
        }
    }
}

impl Holders {
    fn first(holder: &str, is_shared: bool) -> Self {
        if holder.is_empty() && is_shared { Self::AndMore(BTreeSet::new()) } else { Self::One(holder.into()) }
    }

    fn add(&mut self, holder: &str) {
        match self {
            Self::AndMore(_) => {}
            Self::One(one) if holder.is_empty() => *self = Self::AndMore([std::mem::take(one)].into()),
            Self::Listed(listed) if holder.is_empty() => *self = Self::AndMore(std::mem::take(listed)),
            Self::One(one) if **one == *holder => {}
            Self::One(one) => *self = Self::Listed([std::mem::take(one), holder.into()].into()),
            Self::Listed(listed) if listed.contains(holder) => {}
            Self::Listed(listed) if listed.len() < MAX_HOLDERS => {
                listed.insert(holder.into());
            }
            Self::Listed(listed) => *self = Self::AndMore(std::mem::take(listed)),
        }
    }

    fn has(&self, holder: &str) -> bool {
        match self {
            Self::One(one) => **one == *holder,
            Self::Listed(listed) | Self::AndMore(listed) => listed.contains(holder),
        }
    }

    /// Whether `holder` is one of them, or may be one of those that are not listed.
    fn may_be(&self, holder: &str) -> bool {
        matches!(self, Self::AndMore(_)) || self.has(holder)
    }

    /// At least so many, at least one.
    fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Listed(listed) => listed.len(),
            Self::AndMore(listed) => listed.len().max(1) + 1,
        }
    }
}

impl Index {
    fn find(&self, now: OffsetDateTime, which: &Selector, role: Option<&str>) -> Vec<Entry> {
        let is_meant = |entry: &&Entry| {
            entry.expiration > now
                && role.is_none_or(|role| entry.origin.role == role)
                && match which {
                    Selector::Serial(_) => true,
                    Selector::Entity(entity) => entry.holders.may_be(entity),
                    Selector::Cluster(cluster) => entry.origin.cluster.as_ref() == Some(cluster),
                }
        };
        match which {
            Selector::Serial(serial) => self
                .by_serial
                .get(serial.to_string().as_str())
                .filter(is_meant)
                .cloned()
                .into_iter()
                .collect(),
            _ => self.by_serial.values().filter(is_meant).cloned().collect(),
        }
    }

    /// Forgets what has ended, and what ends first where that is not enough.
    fn make_room(&mut self, now: OffsetDateTime) {
        while let Some((end, _)) = self.by_end.first() {
            if *end > now && self.by_serial.len() < MAX_SESSIONS {
                break;
            }
            if let Some((end, serial)) = self.by_end.pop_first() {
                self.forgotten = self.forgotten.max(Some(end).filter(|end| *end > now));
                self.by_serial.remove(&serial).inspect(|entry| self.let_go(&entry.origin));
            }
        }
    }

    /// Forgets a origin whose last session goes.
    fn let_go(&mut self, origin: &Arc<SessionOrigin>) {
        // the set's own, and the leaving entry's
        if Arc::strong_count(origin) <= 2 {
            self.origins.remove(origin);
        }
    }

    fn origin(&mut self, key: &SessionKey) -> Arc<SessionOrigin> {
        let parts = key.parts();
        let origin = Arc::new(SessionOrigin {
            role: parts.role.clone(),
            role_arn: parts.call.role.clone(),
            trust_anchor: parts.call.trust_anchor.clone(),
            cluster: parts.cluster.as_ref().map(|cluster| cluster.name.clone()),
            is_named: parts.call.role_session_name.is_some(),
        });
        let kept = self.origins.get(&origin).map(Arc::clone);
        kept.unwrap_or_else(|| {
            self.origins.insert(Arc::clone(&origin));
            origin
        })
    }
}

/// The entries by the IAM role that they are sessions of; first those of which some are not denied yet, so that a repeated call goes on.
pub(crate) fn by_iam_role(entries: Vec<Entry>) -> Vec<(RoleArn, Vec<Entry>)> {
    let mut found: BTreeMap<String, (RoleArn, Vec<Entry>)> = BTreeMap::new();
    for entry in entries {
        let role = &entry.origin.role_arn;
        found.entry(role.to_string()).or_insert_with(|| (role.clone(), Vec::new())).1.push(entry);
    }
    let mut roles: Vec<_> = found.into_values().collect();
    roles.sort_by_key(|(_, entries)| entries.iter().all(|entry| entry.is_denied));
    roles
}
