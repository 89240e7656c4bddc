//! Reads that are under way while a revocation runs. A cut is the moment from which the revocation applies.
//!
//! ```text
//! read began before the cut ─▶ got its session before the cut: the revocation finds and denies that session
//!                           └▶ got none yet: it gets none, also if AWS makes one
//! read began after the cut  ─▶ gets a new session; it waits while the cut is open, because that session would be denied too
//! ```
//!
//! All of it is decided under the lock of the ledger's index.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use rolesanywhere::RoleArn;
use tokio::time::Instant;

use super::selector::Selector;
use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;

/// No read lasts as long as this: the longest deadline is that of `creds`, 15 s. The next cut therefore forgets closed cuts that
/// are older.
const MAX_READ: Duration = Duration::from_mins(1);

/// A read, and the cuts before it.
pub(crate) struct Reader<'a> {
    /// The entity's id or the token's accessor; empty if the caller has neither.
    pub(super) holder: &'a str,
    /// The number of the last cut before the read began.
    pub(super) began: u64,
}

/// A revocation that includes the read began after the read: the read gets no session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CutOff;

/// The sessions that a revocation ends.
#[derive(Clone, Debug)]
pub(crate) enum RevocationScope {
    /// The sessions that `revoke` was asked to end; of one of the engine's roles only, if the caller named it.
    Asked(Selector, Option<String>),
    /// All sessions of an IAM role.
    IamRole(RoleArn),
    /// The sessions of an IAM role that have one of these source identities.
    Identities(RoleArn, HashSet<Box<str>>),
}

impl RevocationScope {
    /// Whether it includes a read, as far as that is known before AWS answers: a serial number and a source identity are not.
    fn means(&self, key: &SessionKey, holder: &str) -> bool {
        match self {
            Self::Asked(which, role) => {
                role.as_ref().is_none_or(|role| role == key.role())
                    && match which {
                        Selector::Serial(_) => false,
                        Selector::Entity(entity) => entity == holder,
                        Selector::Cluster(cluster) => key.is_of_cluster(cluster),
                    }
            }
            Self::IamRole(role) => key.parts().call.role == *role,
            Self::Identities(..) => false,
        }
    }

    /// Whether it includes the session that AWS made for a read.
    fn means_made(&self, key: &SessionKey, holder: &str, issued: &Issued) -> bool {
        self.means(key, holder)
            || match self {
                Self::Asked(Selector::Serial(serial), _) => issued.serial == serial.to_string(),
                Self::Identities(role, identities) => {
                    let identity = issued.session.source_identity.as_deref();
                    key.parts().call.role == *role && identity.is_some_and(|own| identities.contains(own))
                }
                _ => false,
            }
    }

    /// Whether a read waits while the cut is open. With source identities every read of the IAM role waits, because only AWS's
    /// answer says which source identity a session has.
    fn holds(&self, key: &SessionKey, holder: &str) -> bool {
        match self {
            Self::Identities(role, _) => key.parts().call.role == *role,
            _ => self.means(key, holder),
        }
    }
}

/// The open cuts, and the closed ones that may be later than the beginning of a read under way.
#[derive(Default)]
pub(super) struct Cuts {
    /// The number of the last cut. Cuts are numbered from 1.
    pub(super) made: u64,
    /// Oldest first.
    recent: VecDeque<Cut>,
}

/// One revocation, from the moment from which it applies.
struct Cut {
    number: u64,
    at: Instant,
    meant: RevocationScope,
    /// Reads that it includes wait until it is closed.
    is_open: bool,
}

impl Cuts {
    /// Makes a cut and returns its number. An open one stays until [`Self::close`] is called with that number.
    pub(super) fn make(&mut self, meant: RevocationScope, is_open: bool) -> u64 {
        let now = Instant::now();
        self.recent.retain(|cut| cut.is_open || cut.at + MAX_READ > now);
        self.made += 1;
        self.recent.push_back(Cut { number: self.made, at: now, meant, is_open });
        self.made
    }

    /// Closes a cut. It still ends the reads that began before it.
    pub(super) fn close(&mut self, number: u64) {
        self.recent.iter_mut().filter(|cut| cut.number == number).for_each(|cut| cut.is_open = false);
    }

    /// The cuts that were made after the read began.
    fn since<'a>(&'a self, reader: &Reader<'_>) -> impl Iterator<Item = &'a RevocationScope> {
        let began = reader.began;
        self.recent.iter().filter(move |cut| cut.number > began).map(|cut| &cut.meant)
    }

    /// Decides before AWS is asked: true if the read may go on, false if it must wait for an open cut.
    ///
    /// # Errors
    /// [`CutOff`] if a cut since its beginning includes it.
    pub(super) fn verdict(&self, reader: &Reader<'_>, key: &SessionKey) -> Result<bool, CutOff> {
        if self.since(reader).any(|meant| meant.means(key, reader.holder)) {
            return Err(CutOff);
        }
        Ok(!self.recent.iter().any(|cut| cut.is_open && cut.meant.holds(key, reader.holder)))
    }

    /// Decides whether the session that was made for a read may be handed out.
    ///
    /// # Errors
    /// [`CutOff`] if a cut since the beginning of the read includes the read or the session.
    pub(super) fn check(&self, reader: &Reader<'_>, key: &SessionKey, issued: &Issued) -> Result<(), CutOff> {
        let is_cut = self.since(reader).any(|meant| meant.means_made(key, reader.holder, issued));
        if is_cut { Err(CutOff) } else { Ok(()) }
    }
}
