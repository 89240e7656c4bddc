//! One session as the ledger knows it.

use std::collections::BTreeMap;

use rolesanywhere::RoleArn;
use time::OffsetDateTime;

use super::selector::Selector;
use crate::records::session_event::{Holding, HopRecord, SessionEvent, SessionRecord};

/// A session that was handed out, and its holders.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: SessionRecord,
    /// By the holder. The only holder of an unshared session may be an empty text: a batch token without an entity.
    pub(crate) holdings: BTreeMap<String, Holding>,
    /// Others hold it who are not listed.
    pub(crate) has_more: bool,
    /// The sessions of further roles that it made, in no order.
    pub(crate) hops: Vec<HopRecord>,
    /// The policy that denies it was written to IAM.
    pub(crate) is_denied: bool,
}

impl Entry {
    /// A session without holders.
    pub(super) fn new(record: SessionRecord) -> Self {
        Self { record, holdings: BTreeMap::new(), has_more: false, hops: Vec::new(), is_denied: false }
    }

    /// Adds what `event` says of this session. An event that is known already changes nothing.
    pub(super) fn note(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Issued(_) => {}
            SessionEvent::Held(holding) => self.hold(*holding),
            SessionEvent::HeldByOthers { .. } => self.has_more = true,
            SessionEvent::Hopped(hop) => self.hopped(*hop),
            SessionEvent::Denied { .. } => self.is_denied = true,
        }
    }

    /// Adds a holder. Of two records of the same one, that which names the pod stays.
    pub(super) fn hold(&mut self, holding: Holding) {
        let known = self.holdings.get(&holding.holder);
        if known.is_none_or(|known| known.pod.cluster.is_none()) {
            self.holdings.insert(holding.holder.clone(), holding);
        }
    }

    fn hopped(&mut self, hop: HopRecord) {
        if self.hops.iter().all(|known| known.access_key != hop.access_key) {
            self.hops.push(hop);
        }
    }

    pub(crate) fn serial(&self) -> &str {
        &self.record.serial
    }

    /// The engine's role that made it, by name.
    pub(crate) fn role(&self) -> &str {
        &self.record.role
    }

    pub(crate) fn role_arn(&self) -> &RoleArn {
        &self.record.role_arn
    }

    /// When it expires, as AWS answered.
    pub(crate) fn expiration(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.record.expiration).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    pub(crate) fn source_identity(&self) -> Option<&str> {
        self.record.source_identity.as_deref()
    }

    /// The source identity by which it must be denied; none if its name suffices. A role that names its sessions itself gives the
    /// next one the same name, so a denial of the name would deny that one too.
    pub(crate) fn denied_by(&self) -> Option<&str> {
        self.source_identity().filter(|_| self.record.is_named)
    }

    /// Whether `which` means it, of the engine's role `role` only if that is given. A session with holders who are not listed may
    /// be any entity's.
    pub(crate) fn is_meant(&self, which: &Selector, role: Option<&str>) -> bool {
        role.is_none_or(|role| self.role() == role)
            && match which {
                Selector::Serial(serial) => serial.to_string() == self.serial(),
                Selector::Entity(entity) => self.has_more || self.holdings.contains_key(entity),
                Selector::Cluster(cluster) => self.record.cluster.as_ref() == Some(cluster),
            }
    }

    /// The number of other holders, at least, who would lose it with those that `which` selects; zero if nobody else holds it.
    pub(crate) fn others(&self, which: &Selector) -> usize {
        match which {
            Selector::Serial(_) => self.count() - 1,
            Selector::Entity(entity) => self.count() - usize::from(self.holdings.contains_key(entity)),
            // all its holders are callers of the cluster, which the key separates
            Selector::Cluster(_) => 0,
        }
    }

    /// The number of holders, or a lower bound of it if not all are listed. At least one.
    fn count(&self) -> usize {
        let listed = self.holdings.len().max(1);
        if self.has_more { listed + 1 } else { listed }
    }
}
