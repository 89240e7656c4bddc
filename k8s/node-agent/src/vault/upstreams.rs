//! Vault's addresses: which are tried first, and since when one has not answered as a Vault that can be used.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use url::Url;

use crate::clock::rfc3339;
use crate::reachability::Reachability;

/// The addresses in the operator's order, each with what is wrong with it now. They are tried in that order, but those that failed
/// last time come last: a node that is gone then costs nobody its time-out but the watch, which asks each of them again and again.
pub(super) struct Upstreams {
    urls: Vec<Url>,
    state: Mutex<State>,
}

struct State {
    outages: Vec<Option<Outage>>,
    has_ever_answered: bool,
}

#[derive(Clone)]
struct Outage {
    since: OffsetDateTime,
    fault: NodeFault,
}

/// Why one address is of no use now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NodeFault {
    /// No connection, or no answer in time.
    Unreachable(String),
    /// Its certificate is not trusted.
    Untrusted(String),
    /// It is sealed.
    Sealed,
    /// It is up, and there is no active node behind it.
    NotActive(String),
    /// Something answers, and it is no Vault.
    Foreign(String),
}

impl NodeFault {
    /// The `code` for an SDK.
    pub(super) fn code(&self) -> &'static str {
        match self {
            NodeFault::Unreachable(_) => "VaultUnreachable",
            NodeFault::Untrusted(_) => "VaultUntrusted",
            NodeFault::Sealed => "VaultSealed",
            NodeFault::NotActive(_) => "VaultNotActive",
            NodeFault::Foreign(_) => "VaultBadAnswer",
        }
    }
}

/// What is wrong, as it follows an address.
impl fmt::Display for NodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeFault::Unreachable(why) => write!(f, "cannot be reached: {why}"),
            NodeFault::Untrusted(why) => {
                write!(
                    f,
                    "has a certificate that is not trusted: {why}; VAULT_CACERT names the file of its CA"
                )
            }
            NodeFault::Sealed => f.write_str("is sealed: vault operator unseal"),
            NodeFault::NotActive(why) => write!(f, "has no active node: {why}"),
            NodeFault::Foreign(what) => write!(f, "answers {what}: is VAULT_ADDR the address of a Vault?"),
        }
    }
}

impl Upstreams {
    pub(super) fn new(urls: Vec<Url>) -> Upstreams {
        let outages = vec![None; urls.len()];
        Upstreams { urls, state: Mutex::new(State { outages, has_ever_answered: false }) }
    }

    /// The addresses in the order in which they are to be tried.
    pub(super) fn order(&self) -> Vec<usize> {
        let state = self.lock();
        let mut order: Vec<usize> = (0..self.urls.len()).collect();
        order.sort_by_key(|index| state.outages.get(*index).is_none_or(Option::is_some));
        order
    }

    pub(super) fn all(&self) -> impl Iterator<Item = usize> {
        0..self.urls.len()
    }

    pub(super) fn url(&self, index: usize) -> Option<&Url> {
        self.urls.get(index)
    }

    /// An address as it is named in texts: without a path, because that says nothing.
    pub(super) fn name(&self, index: usize) -> String {
        self.url(index).map(|url| url.as_str().trim_end_matches('/').to_owned()).unwrap_or_default()
    }

    /// Records that an address answered as Vault does.
    pub(super) fn answered(&self, index: usize) {
        let mut state = self.lock();
        state.has_ever_answered = true;
        let ended = state.outages.get_mut(index).and_then(Option::take);
        drop(state);
        if let Some(Outage { since, .. }) = ended {
            tracing::info!(address = self.name(index), since = rfc3339(since), "Vault answers again");
        }
    }

    /// Records that an address is of no use.
    pub(super) fn failed(&self, index: usize, fault: &NodeFault, wall: OffsetDateTime) {
        let mut state = self.lock();
        let Some(outage) = state.outages.get_mut(index) else { return };
        let is_new = outage.is_none();
        let since = outage.as_ref().map_or(wall, |known| known.since);
        *outage = Some(Outage { since, fault: fault.clone() });
        drop(state);
        if is_new {
            tracing::warn!(address = self.name(index), "Vault {fault}");
        }
    }

    pub(super) fn reachability(&self) -> Reachability {
        let state = self.lock();
        let outages = state
            .outages
            .iter()
            .map(|outage| outage.as_ref().map(|Outage { since, fault }| (*since, fault.to_string())));
        Reachability {
            addresses: self.all().map(|index| self.name(index)).zip(outages).collect(),
            has_ever_answered: state.has_ever_answered,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);

    fn three() -> Upstreams {
        Upstreams::new(
            ["https://a:8200", "https://b:8200", "https://c:8200"].map(|url| url.parse().unwrap()).to_vec(),
        )
    }

    #[test]
    fn an_address_that_failed_is_tried_last_until_it_answers() {
        let upstreams = three();

        upstreams.failed(0, &NodeFault::Sealed, NOON);
        assert_eq!(upstreams.order(), [1, 2, 0]);
        upstreams.failed(1, &NodeFault::Sealed, NOON);
        assert_eq!(upstreams.order(), [2, 0, 1]);
        upstreams.answered(0);
        assert_eq!(upstreams.order(), [0, 2, 1]);
    }

    #[test]
    fn vault_is_away_since_its_last_address_failed() {
        let upstreams = three();
        let later = |minutes| NOON + time::Duration::minutes(minutes);
        for (index, minutes) in [(0, 0), (1, 1), (2, 2), (0, 3)] {
            assert_eq!(upstreams.reachability().away_since(), (minutes == 3).then_some(later(2)));
            upstreams.failed(index, &NodeFault::Sealed, later(minutes));
        }

        assert_eq!(upstreams.reachability().away_since(), Some(later(2)));
        upstreams.answered(1);
        assert_eq!(upstreams.reachability().away_since(), None);
    }
}
