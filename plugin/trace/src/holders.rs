//! From a session to those whom Vault handed it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::fact::{PodAnswer, SessionLine, VaultCaller, VaultRead};
use crate::index::FactIndex;
use crate::reasons;
use crate::report::{HolderRequest, SessionHolder};
use crate::serial::HexSerial;

/// What a session is called in Vault's logs.
pub(crate) struct SessionNames<'a> {
    pub(crate) access_key: Option<&'a str>,
    /// The access keys of the sessions by which it was made.
    pub(crate) ancestors: Vec<&'a str>,
    pub(crate) serial: Option<&'a HexSerial>,
}

/// The reads of credentials, by each value that may lead to them.
pub(crate) struct ReadsBy<'a> {
    index: &'a FactIndex,
    access_key: HashMap<&'a str, Vec<&'a VaultRead>>,
    serial: HashMap<&'a HexSerial, Vec<&'a VaultRead>>,
    request: HashMap<&'a str, &'a VaultRead>,
    handed_out: HashMap<&'a HexSerial, Vec<&'a SessionLine>>,
}

/// The value that led to a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum JoinedBy {
    AccessKey,
    SerialNumber,
    LogLine,
}

/// Reads of one caller for one path from one address are one holder.
type HolderKey<'a> = (&'a VaultCaller, &'a str, &'a str, Option<&'a str>);

impl<'a> ReadsBy<'a> {
    pub(crate) fn new(index: &'a FactIndex) -> Self {
        let (mut access_key, mut serial) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        let mut handed_out = HashMap::<_, Vec<_>>::new();
        for read in index.reads() {
            if let Some(key) = read.access_key.clear() {
                access_key.entry(key.as_str()).or_default().push(read);
            }
            if let Some(number) = read.serial.clear() {
                serial.entry(number).or_default().push(read);
            }
        }
        for session in index.hand_outs() {
            handed_out.entry(&session.serial).or_default().push(session);
        }
        let request = index.reads().iter().map(|read| (read.request_id.as_str(), read)).collect();
        Self { index, access_key, serial, request, handed_out }
    }

    /// The reads that answered with this access key, in clear.
    pub(crate) fn with_key(&self, access_key: &str) -> &[&'a VaultRead] {
        self.access_key.get(access_key).map_or(&[], Vec::as_slice)
    }

    /// What the plugin's log says of the session of this certificate.
    pub(crate) fn handed_out(&self, serial: &HexSerial) -> &[&'a SessionLine] {
        self.handed_out.get(serial).map_or(&[], Vec::as_slice)
    }

    /// Who was handed the session.
    pub(crate) fn holders(&self, names: &SessionNames<'_>) -> Vec<SessionHolder> {
        let mut found: BTreeMap<HolderKey<'a>, (BTreeSet<JoinedBy>, Vec<&'a VaultRead>)> = BTreeMap::new();
        for (read, joined_by) in self.joined(names) {
            let key = (&read.caller, read.mount.as_str(), read.path.as_str(), host(read.address.as_deref()));
            let (by, reads) = found.entry(key).or_default();
            by.insert(joined_by);
            reads.push(read);
        }
        let audited: Vec<_> = found.into_values().map(|(by, reads)| holder(&by, &reads)).collect();
        let mut holders = self.with_pods(audited, names.access_key);
        holders.extend(self.unaudited(names));
        for holder in &mut holders {
            holder.missing = reasons::of_holder(holder, self.index);
        }
        holders.sort_by_key(|holder| holder.requests.first().and_then(|request| request.at));
        holders
    }

    /// Each read that answered with the session, once.
    fn joined(&self, names: &SessionNames<'_>) -> Vec<(&'a VaultRead, JoinedBy)> {
        let keys = self.keys(names);
        let of_keys = keys.iter().flat_map(|key| self.with_key(key)).map(|read| (*read, JoinedBy::AccessKey));
        let of_serial = names.serial.and_then(|serial| self.serial.get(serial)).into_iter().flatten();
        let of_serial = of_serial.map(|read| (*read, JoinedBy::SerialNumber));
        let lines = names.serial.map_or(&[][..], |serial| self.handed_out(serial));
        let of_lines = lines.iter().filter_map(|line| self.request.get(line.request_id.as_deref()?));
        let of_lines = of_lines.map(|read| (*read, JoinedBy::LogLine));
        let mut seen = BTreeSet::new();
        of_keys
            .chain(of_serial)
            .chain(of_lines)
            // two sessions may have one serial, if one was made with the other: a key in clear says which one a read had
            .filter(|(read, _)| {
                read.access_key.clear().is_none_or(|key| keys.is_empty() || keys.contains(&key.as_str()))
            })
            .filter(|(read, _)| seen.insert(read.request_id.as_str()))
            .collect()
    }

    /// The access keys whose readers had the session: its own if Vault handed that out, else also those of the sessions that made it.
    fn keys<'n>(&self, names: &SessionNames<'n>) -> Vec<&'n str> {
        let own = names.access_key.into_iter();
        match names.access_key.is_some_and(|key| !self.with_key(key).is_empty()) {
            true => own.collect(),
            false => own.chain(names.ancestors.iter().copied()).collect(),
        }
    }

    /// Adds the pods that the node agent answered with the session, as holders of their own where no read is theirs.
    fn with_pods(&self, mut holders: Vec<SessionHolder>, access_key: Option<&str>) -> Vec<SessionHolder> {
        for answer in access_key.into_iter().flat_map(|key| self.index.pods_with(key)) {
            let is_theirs = |holder: &SessionHolder| {
                holder.namespace == answer.namespace && holder.service_account == answer.service_account
            };
            let at = holders.iter().position(is_theirs).unwrap_or_else(|| {
                holders.push(of_pod(answer));
                holders.len() - 1
            });
            let holder = &mut holders[at];
            holder.pods.extend(answer.pod.clone().filter(|pod| !holder.pods.contains(pod)));
        }
        holders
    }

    /// The requests that the plugin's log names and no audit entry has.
    fn unaudited(&self, names: &SessionNames<'_>) -> Vec<SessionHolder> {
        let lines = names.serial.map_or(&[][..], |serial| self.handed_out(serial));
        let mut seen = BTreeSet::new();
        let holders = lines.iter().filter_map(|line| {
            let id = line.request_id.as_deref().filter(|id| !self.request.contains_key(id))?;
            seen.insert(id).then(|| SessionHolder {
                role: line.role.clone(),
                path: line.path.clone(),
                requests: vec![HolderRequest { id: id.to_owned(), at: line.at }],
                joined_by: "the serial number in the plugin's log".to_owned(),
                ..SessionHolder::default()
            })
        });
        holders.collect()
    }
}

/// Somebody of whom only the node agent's log tells.
fn of_pod(answer: &PodAnswer) -> SessionHolder {
    SessionHolder {
        namespace: answer.namespace.clone(),
        service_account: answer.service_account.clone(),
        role: answer.role.clone(),
        joined_by: "the access key in the node agent's log".to_owned(),
        ..SessionHolder::default()
    }
}

fn holder(joined_by: &BTreeSet<JoinedBy>, reads: &[&VaultRead]) -> SessionHolder {
    let words: Vec<_> = joined_by.iter().map(|by| by.words()).collect();
    let mut requests: Vec<_> =
        reads.iter().map(|read| HolderRequest { id: read.request_id.clone(), at: Some(read.at) }).collect();
    requests.sort_by_key(|request| request.at);
    let Some(read) = reads.first() else { return SessionHolder::default() };
    let VaultCaller { entity_id, display_name, namespace, service_account } = read.caller.clone();
    SessionHolder {
        namespace,
        service_account,
        entity_id,
        display_name,
        role: Some(read.role().to_owned()),
        path: Some(format!("{}{}", read.mount, read.path)),
        address: read.address.clone(),
        requests,
        joined_by: words.join(", "),
        ..SessionHolder::default()
    }
}

impl JoinedBy {
    fn words(self) -> &'static str {
        match self {
            Self::AccessKey => "the access key",
            Self::SerialNumber => "the serial number",
            Self::LogLine => "the request id in the plugin's log",
        }
    }
}

/// An address without its port.
fn host(address: Option<&str>) -> Option<&str> {
    address.map(|address| address.rsplit_once(':').map_or(address, |(host, _)| host))
}
