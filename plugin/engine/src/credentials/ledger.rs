//! The sessions that live, and their holders: the knowledge that a revocation of single sessions needs.
//!
//! It is in memory only. After a restart or a failover the earlier sessions are unknown, and the answer to a revocation says so.

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
use crate::records::role_options::SessionSharing;

/// The living sessions that are remembered, some hundred bytes each. Beyond this number those that expire first are forgotten.
const MAX_SESSIONS: usize = 100_000;
/// The holders of one session that are listed. A session with more counts as everybody's: a revocation of any entity then
/// includes it, and must be forced.
const MAX_HOLDERS: usize = 1024;

/// The sessions that were handed out and have not expired.
///
/// One lock guards the sessions and the cuts, so a read is either found by a revocation or ended by it. The lock is never held
/// across an await.
pub(crate) struct Ledger {
    /// When this process began to record sessions.
    began: OffsetDateTime,
    index: Mutex<Index>,
    /// The number of the cut that was closed last. It wakes the reads that wait for one.
    closed: watch::Sender<u64>,
}

/// The sessions in two orders, and the cuts.
#[derive(Default)]
struct Index {
    by_serial: HashMap<Arc<str>, Entry>,
    /// The serial numbers of `by_serial` in the order in which the sessions expire.
    by_end: BTreeSet<(OffsetDateTime, Arc<str>)>,
    /// Each belongs to many sessions, which share one value.
    origins: HashSet<Arc<SessionOrigin>>,
    /// The latest expiration of a session that was forgotten while it lived, for lack of room.
    forgotten: Option<OffsetDateTime>,
    cuts: Cuts,
}

/// One session that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The serial number of its certificate, lowercase hexadecimal with colons.
    pub(crate) serial: Arc<str>,
    pub(crate) origin: Arc<SessionOrigin>,
    /// The key under which it is cached for the next caller; none if it is not shared.
    pub(crate) cached_as: Option<SessionKey>,
    /// Its name at AWS, the last part of the assumed role's ARN.
    pub(crate) session_name: Box<str>,
    /// As AWS answered it; none if the session has none.
    pub(crate) source_identity: Option<Box<str>>,
    pub(crate) expiration: OffsetDateTime,
    /// The policy that denies it was written to IAM.
    pub(crate) is_denied: bool,
    /// A cut found it: nobody else may receive it, also if the revocation fails afterwards.
    is_ending: bool,
    holders: Holders,
}

/// The role, trust anchor and cluster that a session comes from.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionOrigin {
    /// The engine's role, by name.
    pub(crate) role: String,
    pub(crate) role_arn: RoleArn,
    pub(crate) trust_anchor: TrustAnchorArn,
    /// The cluster in which its caller logged in, if the role's templates need one.
    cluster: Option<String>,
    /// The role names its sessions itself (`role_session_name`): the next one has the same name.
    is_named: bool,
}

/// The holders of a session: ids of entities, or accessors of tokens without an entity. Most sessions have one.
#[derive(Clone, Debug)]
enum Holders {
    /// It is empty for an unshared session of a batch token without an entity.
    One(Box<str>),
    Listed(BTreeSet<Box<str>>),
    /// These, and others: more than [`MAX_HOLDERS`], or batch tokens without an entity, which have no accessor.
    AndMore(BTreeSet<Box<str>>),
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
    /// An empty ledger that records sessions from `began` on.
    pub(crate) fn new(began: OffsetDateTime) -> Self {
        Self { began, index: Mutex::default(), closed: watch::Sender::new(0) }
    }

    /// The time from which on sessions are known.
    pub(crate) fn began(&self) -> OffsetDateTime {
        self.began
    }

    /// Records that `reader` receives a session, which is cached under `key` for the next caller if callers share it.
    ///
    /// Call it before the session is handed out. Expired sessions leave here, and if the ledger is full those that expire first.
    ///
    /// # Errors
    /// [`CutOff`] if a revocation includes the read or the session: the caller must not hand it out.
    pub(crate) fn note(
        &self,
        now: OffsetDateTime,
        issued: &Issued,
        key: &SessionKey,
        sharing: SessionSharing,
        reader: &Reader<'_>,
    ) -> Result<(), CutOff> {
        let (mut index, holder) = (self.index(), reader.holder);
        let is_shared = sharing != SessionSharing::None;
        // under the same lock as the insertion: no cut can come between the two
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

    /// The living sessions that `which` selects, of the engine's role `role` only if it is given. It walks all sessions, except
    /// for a serial number.
    pub(crate) fn find(&self, now: OffsetDateTime, which: &Selector, role: Option<&str>) -> Vec<Entry> {
        self.index().find(now, which, role)
    }

    /// The living sessions of an IAM role, by whichever of the engine's roles they were made.
    pub(crate) fn of_iam_role(&self, now: OffsetDateTime, role: &RoleArn) -> Vec<Entry> {
        self.index().of_iam_role(now, role)
    }

    /// Records that these are denied at AWS. Those that expired meanwhile are skipped.
    pub(crate) fn mark_denied(&self, entries: &[Entry]) {
        let mut index = self.index();
        for entry in entries {
            if let Some(known) = index.by_serial.get_mut(&entry.serial) {
                known.is_denied = true;
            }
        }
    }

    /// The origins of the remembered sessions, each once, in no order.
    pub(crate) fn origins(&self) -> Vec<Arc<SessionOrigin>> {
        self.index().origins.iter().map(Arc::clone).collect()
    }

    /// Whether a session that was handed out here and forgotten for lack of room may still live.
    pub(crate) fn has_forgotten(&self, now: OffsetDateTime) -> bool {
        self.index().forgotten.is_some_and(|end| end > now)
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
    /// `check` gets the sessions, and a function for all living sessions of an IAM role. It must not use the ledger.
    ///
    /// # Errors
    /// Those of `check`. Nothing is cut then.
    pub(crate) fn cut<E>(
        &self,
        now: OffsetDateTime,
        which: &Selector,
        role: Option<&str>,
        check: impl FnOnce(&[Entry], &dyn Fn(&RoleArn) -> Vec<Entry>) -> Result<(), E>,
    ) -> Result<Vec<Entry>, E> {
        // one lock for search, check and cut: a read hands out its session before them and is found, or is cut off
        let mut index = self.index();
        let found = index.find(now, which, role);
        check(&found, &|role| index.of_iam_role(now, role))?;
        index.cuts.make(RevocationScope::Asked(which.clone(), role.map(str::to_owned)), false);
        for entry in &found {
            if let Some(known) = index.by_serial.get_mut(&entry.serial) {
                known.is_ending = true;
            }
        }
        Ok(found)
    }

    /// Opens a cut: reads under way that it includes get no session, and reads that begin later wait until the returned value is
    /// dropped.
    pub(crate) fn hold(&self, meant: RevocationScope) -> Hold<'_> {
        Hold { ledger: self, number: self.index().cuts.make(meant, true) }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The source identity by which it must be denied; none if its name suffices. A role that names its sessions itself gives the
    /// next one the same name, so a denial of the name would deny that one too.
    pub(crate) fn denied_by(&self) -> Option<&str> {
        self.source_identity.as_deref().filter(|_| self.origin.is_named)
    }

    /// The number of other holders, at least, who would lose it with those that `which` selects; zero if nobody else holds it.
    pub(crate) fn others(&self, which: &Selector) -> usize {
        match which {
            Selector::Serial(_) => self.holders.count() - 1,
            Selector::Entity(entity) => self.holders.count() - usize::from(self.holders.has(entity)),
            // all its holders are callers of the cluster, which the key separates
            Selector::Cluster(_) => 0,
        }
    }
}

impl Holders {
    /// The first holder. A shared session of a holder without a name may be anybody's, because the next such holder looks the
    /// same.
    fn first(holder: &str, is_shared: bool) -> Self {
        if holder.is_empty() && is_shared { Self::AndMore(BTreeSet::new()) } else { Self::One(holder.into()) }
    }

    /// Adds a holder; an empty one cannot be listed and makes the session everybody's.
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

    /// Whether `holder` is listed, or may be one of those who are not.
    fn may_be(&self, holder: &str) -> bool {
        matches!(self, Self::AndMore(_)) || self.has(holder)
    }

    /// The number of holders, or a lower bound of it if not all are listed. At least one.
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

    fn of_iam_role(&self, now: OffsetDateTime, role: &RoleArn) -> Vec<Entry> {
        let is_of = |entry: &&Entry| entry.expiration > now && entry.origin.role_arn == *role;
        self.by_serial.values().filter(is_of).cloned().collect()
    }

    /// Makes room for one session: forgets the expired ones, and those that expire first if that is not enough. Records the
    /// latest expiration of the living ones among them.
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

    /// Forgets an origin whose last session leaves.
    fn let_go(&mut self, origin: &Arc<SessionOrigin>) {
        // two: the set's own reference, and that of the leaving entry
        if Arc::strong_count(origin) <= 2 {
            self.origins.remove(origin);
        }
    }

    /// The origin of the sessions of `key`: the known value if there is one.
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

/// Groups the entries by their IAM role. Roles with a session that is not denied yet come first: a call that ran out of time and
/// is repeated then continues with them.
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
