//! Reads that are under way while a revocation runs.
//!
//! ```text
//! reads that began before the cut ─▶ handed out before it: found, and denied
//!                                 └▶ not yet: handed nothing, whatever AWS makes of them
//! reads that began after it       ─▶ a new session; while the cut is open they wait, since it would be denied as well
//! ```

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use rolesanywhere::RoleArn;
use tokio::time::Instant;

use super::selector::Selector;
use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;

/// No read lasts so long: what was cut earlier, and is not open, is forgotten at the next cut.
const MAX_READ: Duration = Duration::from_mins(1);

/// A read by `holder`, and what was cut when it began.
pub(crate) struct Reader<'a> {
    pub(super) holder: &'a str,
    pub(super) began: u64,
}

/// A revocation that means the read began while it was under way: it is handed nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CutOff;

/// Whose sessions a revocation ends.
#[derive(Clone, Debug)]
pub(crate) enum RevocationScope {
    /// Those that `revoke` was asked for, of one of the engine's roles if it was named.
    Asked(Selector, Option<String>),
    /// All of an IAM role.
    IamRole(RoleArn),
    /// Of an IAM role, those of these source identities.
    Identities(RoleArn, HashSet<Box<str>>),
}

impl RevocationScope {
    /// Whether it means a read, as far as that is known before AWS has answered.
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

    /// Whether it means what AWS has made for a read.
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

    /// Whether a read waits while the cut is open. AWS alone says which source identity a session gets.
    fn holds(&self, key: &SessionKey, holder: &str) -> bool {
        match self {
            Self::Identities(role, _) => key.parts().call.role == *role,
            _ => self.means(key, holder),
        }
    }
}

/// The last cuts, oldest first.
#[derive(Default)]
pub(super) struct Cuts {
    pub(super) made: u64,
    recent: VecDeque<Cut>,
}

struct Cut {
    number: u64,
    at: Instant,
    meant: RevocationScope,
    is_open: bool,
}

impl Cuts {
    pub(super) fn make(&mut self, meant: RevocationScope, is_open: bool) -> u64 {
        let now = Instant::now();
        self.recent.retain(|cut| cut.is_open || cut.at + MAX_READ > now);
        self.made += 1;
        self.recent.push_back(Cut { number: self.made, at: now, meant, is_open });
        self.made
    }

    pub(super) fn close(&mut self, number: u64) {
        self.recent.iter_mut().filter(|cut| cut.number == number).for_each(|cut| cut.is_open = false);
    }

    fn since<'a>(&'a self, reader: &Reader<'_>) -> impl Iterator<Item = &'a RevocationScope> {
        let began = reader.began;
        self.recent.iter().filter(move |cut| cut.number > began).map(|cut| &cut.meant)
    }

    /// Whether a read may go on, has to wait, or is cut off.
    pub(super) fn verdict(&self, reader: &Reader<'_>, key: &SessionKey) -> Result<bool, CutOff> {
        if self.since(reader).any(|meant| meant.means(key, reader.holder)) {
            return Err(CutOff);
        }
        Ok(!self.recent.iter().any(|cut| cut.is_open && cut.meant.holds(key, reader.holder)))
    }

    /// Whether what was made for a read may be handed out.
    pub(super) fn check(&self, reader: &Reader<'_>, key: &SessionKey, issued: &Issued) -> Result<(), CutOff> {
        let is_cut = self.since(reader).any(|meant| meant.means_made(key, reader.holder, issued));
        if is_cut { Err(CutOff) } else { Ok(()) }
    }
}
