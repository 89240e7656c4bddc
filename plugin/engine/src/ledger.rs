//! Which sessions live, and who has them: what a revocation of one session has to know.
//!
//! Kept in memory only. After a restart or a failover the earlier sessions are not known, and whoever revokes is told so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ca::Serial;
use rolesanywhere::RoleArn;
use time::OffsetDateTime;

use crate::mint::Issued;
use crate::sharing::SessionKey;

/// Living sessions that are remembered, about 1 KB each; beyond so many, those that end first are forgotten.
const MOST_SESSIONS: usize = 100_000;
/// Holders of one session that are told apart. One with more counts as everybody's: a revocation of any entity then means it too, and has
/// to be forced.
const MOST_HOLDERS: usize = 1024;

/// The sessions that were handed out and have not ended.
pub(crate) struct Ledger {
    began: OffsetDateTime,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    by_serial: HashMap<String, Entry>,
    by_end: BTreeSet<(OffsetDateTime, String)>,
}

/// One session that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Of its certificate, lowercase hexadecimal with colons.
    pub(crate) serial: String,
    /// What its sharing depended on: role, cluster, ARNs.
    pub(crate) key: SessionKey,
    /// Its name at AWS.
    pub(crate) session_name: String,
    pub(crate) source_identity: Option<String>,
    pub(crate) expiration: OffsetDateTime,
    /// The entities that were handed it, or the accessors of tokens without one.
    holders: BTreeSet<String>,
    /// There were more than are listed.
    has_more: bool,
}

/// Which sessions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one whose certificate had this serial number.
    Serial(Serial),
    /// Those that this entity was handed.
    Entity(String),
    /// Those of callers from this cluster, of roles that name the cluster.
    Cluster(String),
}

impl Ledger {
    pub(crate) fn new(began: OffsetDateTime) -> Self {
        Self { began, pages: Mutex::default() }
    }

    /// Since when sessions are known.
    pub(crate) fn began(&self) -> OffsetDateTime {
        self.began
    }

    /// Notes that `holder` was handed a session.
    pub(crate) fn note(&self, now: OffsetDateTime, issued: &Issued, key: &SessionKey, holder: &str) {
        let mut pages = self.pages();
        if let Some(entry) = pages.by_serial.get_mut(&issued.serial) {
            return entry.hand_to(holder);
        }
        pages.make_room(now);
        let mut entry = Entry {
            serial: issued.serial.clone(),
            key: key.clone(),
            session_name: issued.session.role_session_name.clone(),
            source_identity: issued.session.source_identity.clone(),
            expiration: issued.session.expiration,
            holders: BTreeSet::new(),
            has_more: false,
        };
        entry.hand_to(holder);
        pages.by_end.insert((entry.expiration, entry.serial.clone()));
        pages.by_serial.insert(entry.serial.clone(), entry);
    }

    /// The living sessions that are meant, those of the engine's role `role` if it is given.
    pub(crate) fn find(&self, now: OffsetDateTime, which: &Which, role: Option<&str>) -> Vec<Entry> {
        let pages = self.pages();
        let is_meant = |entry: &&Entry| {
            entry.expiration > now
                && role.is_none_or(|role| entry.key.role() == role)
                && match which {
                    Which::Serial(_) => true,
                    Which::Entity(entity) => entry.has_more || entry.holders.contains(entity),
                    Which::Cluster(cluster) => entry.key.is_of_cluster(cluster),
                }
        };
        match which {
            Which::Serial(serial) => {
                pages.by_serial.get(&serial.to_string()).filter(is_meant).cloned().into_iter().collect()
            }
            _ => pages.by_serial.values().filter(is_meant).cloned().collect(),
        }
    }

    /// The living sessions of an IAM role, whichever of the engine's roles led to it.
    pub(crate) fn of_iam_role(&self, now: OffsetDateTime, role: &RoleArn) -> Vec<Entry> {
        let pages = self.pages();
        let is_of = |entry: &&Entry| entry.expiration > now && entry.key.parts().call.role == *role;
        pages.by_serial.values().filter(is_of).cloned().collect()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The source identity by which it has to be denied: its role names its sessions itself, so that the next one has the name too.
    pub(crate) fn denied_by(&self) -> Option<&str> {
        let is_named = self.key.parts().call.role_session_name.is_some();
        self.source_identity.as_deref().filter(|_| is_named)
    }

    /// How many others have it beside those that are meant, at least; none where it is theirs alone.
    pub(crate) fn others(&self, which: &Which) -> usize {
        let listed = match which {
            Which::Serial(_) => self.holders.len().saturating_sub(1),
            Which::Entity(entity) => self.holders.iter().filter(|holder| *holder != entity).count(),
            // pods of one cluster are what is meant
            Which::Cluster(_) => return 0,
        };
        listed + usize::from(self.has_more)
    }

    fn hand_to(&mut self, holder: &str) {
        if self.holders.contains(holder) {
            return;
        }
        match self.holders.len() {
            ..MOST_HOLDERS => {
                self.holders.insert(holder.to_owned());
            }
            _ => self.has_more = true,
        }
    }
}

impl Pages {
    /// Forgets what has ended, and what ends first where that is not enough.
    fn make_room(&mut self, now: OffsetDateTime) {
        while let Some((end, _)) = self.by_end.first() {
            if *end > now && self.by_serial.len() < MOST_SESSIONS {
                break;
            }
            if let Some((_, serial)) = self.by_end.pop_first() {
                self.by_serial.remove(&serial);
            }
        }
    }
}

/// The entries by the IAM role that they are sessions of.
pub(crate) fn by_iam_role(entries: Vec<Entry>) -> Vec<(RoleArn, Vec<Entry>)> {
    let mut found: BTreeMap<String, (RoleArn, Vec<Entry>)> = BTreeMap::new();
    for entry in entries {
        let role = &entry.key.parts().call.role;
        found.entry(role.to_string()).or_insert_with(|| (role.clone(), Vec::new())).1.push(entry);
    }
    found.into_values().collect()
}
