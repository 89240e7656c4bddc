//! The sessions that the files know, those that are asked for, and their parts from each log.
//!
//! A session of Roles Anywhere is an access key in `CloudTrail` and a serial number in Vault's logs. AWS names the session after the
//! serial number, so the name in any event leads from one to the other; where a role has a name of its own, the access key in Vault's
//! audit log does. A session that was made with another one by `AssumeRole` belongs to the caller of the first.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::AwsUse;
use crate::holders::{ReadsBy, SessionNames};
use crate::index::{CallTotals, FactIndex, TrailSession};
use crate::moment::Moment;
use crate::reasons;
use crate::report::{CallLine, CallSummary, FileSummary, MadeBy, Missing, TracedSession};
use crate::selection::{Selection, TimeSpan};
use crate::serial::HexSerial;

/// More hops than AWS needs; a longer chain is one that the events made a circle of.
const MAX_HOPS: usize = 8;

/// The selected sessions, and what was asked for and is nowhere.
pub(crate) fn sessions(
    selection: &Selection,
    index: &FactIndex,
    files: &[FileSummary],
) -> (Vec<TracedSession>, Vec<String>) {
    let reads = ReadsBy::new(index);
    let known = known(index, &reads);
    let not_found = not_found(selection, &known);
    let selected = known.iter().filter(|session| session.is_meant(selection));
    let mut traced: Vec<_> = selected
        .map(|session| session.traced(index, &reads, files))
        .filter(|session| is_active(session, &selection.span))
        .collect();
    traced.sort_by_key(began);
    (traced, not_found)
}

/// A session that at least one file names.
struct KnownSession<'a> {
    access_key: Option<&'a str>,
    serial: Option<HexSerial>,
    source_identity: Option<&'a str>,
    trail: Option<&'a TrailSession>,
    /// The access keys of the sessions by which it was made, the nearest first.
    ancestors: Vec<&'a str>,
    /// Roles Anywhere made it, or one of its ancestors.
    is_of_roles_anywhere: bool,
}

fn known<'a>(index: &'a FactIndex, reads: &ReadsBy<'a>) -> Vec<KnownSession<'a>> {
    let mut known: Vec<_> =
        index.sessions().values().map(|session| of_trail(session, index, reads)).collect();
    let of_trail: BTreeSet<HexSerial> = known.iter().filter_map(|session| session.serial.clone()).collect();
    known.extend(logged(index).into_iter().filter_map(|((serial, access_key), source_identity)| {
        let is_known = match (access_key, &serial) {
            (Some(key), _) => index.sessions().contains_key(key),
            (None, Some(serial)) => of_trail.contains(serial),
            (None, None) => true,
        };
        (!is_known).then_some(KnownSession {
            access_key,
            serial,
            source_identity,
            trail: None,
            ancestors: Vec::new(),
            is_of_roles_anywhere: true,
        })
    }));
    known
}

fn of_trail<'a>(session: &'a TrailSession, index: &'a FactIndex, reads: &ReadsBy<'a>) -> KnownSession<'a> {
    let access_key = session.identity.access_key.as_str();
    let ancestors = ancestors(session, index);
    let line = || ancestors.iter().filter_map(|key| index.sessions().get(*key));
    let audited = || reads.with_key(access_key).iter().find_map(|read| read.serial.clear().cloned());
    let serial = session.serial().or_else(audited).or_else(|| line().find_map(TrailSession::serial));
    let is_created =
        |session: &TrailSession| session.made.as_ref().is_some_and(|made| made.by == "CreateSession");
    KnownSession {
        access_key: Some(access_key),
        source_identity: session.identity.source_identity.as_deref(),
        trail: Some(session),
        is_of_roles_anywhere: serial.is_some() || is_created(session) || line().any(is_created),
        serial,
        ancestors,
    }
}

fn ancestors<'a>(session: &'a TrailSession, index: &'a FactIndex) -> Vec<&'a str> {
    let above = |key: &&'a str| index.sessions().get(*key).and_then(TrailSession::parent);
    std::iter::successors(session.parent(), above).take(MAX_HOPS).collect()
}

/// A session as Vault's logs name it, and its source identity.
type LoggedSessions<'a> = BTreeMap<(Option<HexSerial>, Option<&'a str>), Option<&'a str>>;

/// The sessions that Vault's logs name. Lines without the access key count where no other line has it.
fn logged(index: &FactIndex) -> LoggedSessions<'_> {
    let mut logged = LoggedSessions::new();
    for read in index.reads() {
        let name = (read.serial.clear().cloned(), read.access_key.clear().map(String::as_str));
        let identity = logged.entry(name).or_default();
        *identity = identity.or(read.source_identity.as_deref());
    }
    for line in index.hand_outs() {
        logged.entry((Some(line.serial.clone()), None)).or_insert(line.source_identity.as_deref());
    }
    let with_key: BTreeSet<HexSerial> =
        logged.keys().filter(|(_, key)| key.is_some()).filter_map(|(serial, _)| serial.clone()).collect();
    logged.retain(|(serial, key), _| {
        key.is_some() || serial.as_ref().is_some_and(|serial| !with_key.contains(serial))
    });
    logged
}

impl KnownSession<'_> {
    fn is_meant(&self, selection: &Selection) -> bool {
        let Selection { access_keys, serials, source_identities, .. } = selection;
        let is_named = access_keys.iter().any(|key| self.access_key == Some(key))
            || serials.iter().any(|serial| self.serial.as_ref() == Some(serial))
            || source_identities.iter().any(|identity| self.source_identity == Some(identity));
        is_named || (selection.names_nothing() && self.is_of_roles_anywhere)
    }

    fn traced(&self, index: &FactIndex, reads: &ReadsBy<'_>, files: &[FileSummary]) -> TracedSession {
        let identity = self.trail.map(|trail| &trail.identity);
        let names = SessionNames {
            access_key: self.access_key,
            ancestors: self.ancestors.clone(),
            serial: self.serial.as_ref(),
        };
        let mut session = TracedSession {
            access_key: self.access_key.map(str::to_owned),
            serial_number: self.serial.clone(),
            session_name: identity.and_then(|identity| identity.session_name.clone()),
            source_identity: self.source_identity.map(str::to_owned),
            role_arn: identity.and_then(|identity| identity.role_arn.clone()),
            made: self.trail.and_then(made),
            chained_to: self.access_key.map(|key| children(key, index)).unwrap_or_default(),
            calls: self.trail.and_then(|trail| trail.calls.as_ref()).map(summary),
            holders: reads.holders(&names),
            missing: Vec::new(),
        };
        session.missing = reasons::of_session(&session, index, files);
        if !self.is_of_roles_anywhere {
            let why = "its name is no serial number, and no CreateSession of Roles Anywhere answers with its access key";
            session.missing.insert(0, Missing::new("certificate", why));
        }
        session
    }
}

fn made(session: &TrailSession) -> Option<MadeBy> {
    let made = session.made.as_ref()?;
    Some(MadeBy {
        event: made.by,
        at: made.at,
        region: made.region.clone(),
        event_id: made.event_id.clone(),
        expires: made.expires.clone(),
        chained_from: made.parent.clone(),
    })
}

fn children(access_key: &str, index: &FactIndex) -> Vec<String> {
    let children = index.sessions().values().filter(|session| session.parent() == Some(access_key));
    children.map(|session| session.identity.access_key.clone()).collect()
}

fn summary(calls: &CallTotals) -> CallSummary {
    let line =
        |used: &AwsUse| CallLine { at: used.at, action: used.action.clone(), region: used.region.clone() };
    CallSummary {
        count: calls.count,
        refused: calls.refused,
        first: line(&calls.first),
        last: line(&calls.last),
        regions: calls.regions.iter().cloned().collect(),
        addresses: calls.addresses.iter().cloned().collect(),
    }
}

/// Whether the session was made, used or handed out in the span. Calls outside it were not kept.
fn is_active(session: &TracedSession, span: &TimeSpan) -> bool {
    let requests = || session.holders.iter().flat_map(|holder| &holder.requests);
    !span.is_bounded()
        || session.calls.is_some()
        || session.made.as_ref().is_some_and(|made| span.contains(made.at))
        || requests().any(|request| request.at.is_some_and(|at| span.contains(at)))
}

/// The first moment at which a file names the session.
fn began(session: &TracedSession) -> Option<Moment> {
    let made = session.made.as_ref().map(|made| made.at);
    let called = session.calls.as_ref().map(|calls| calls.first.at);
    let requested = session.holders.iter().flat_map(|holder| &holder.requests).find_map(|request| request.at);
    [made, called, requested].into_iter().flatten().min()
}

fn not_found(selection: &Selection, known: &[KnownSession<'_>]) -> Vec<String> {
    let is_there = |is: &dyn Fn(&KnownSession<'_>) -> bool| known.iter().any(is);
    let keys =
        selection.access_keys.iter().filter(|key| !is_there(&|session| session.access_key == Some(key)));
    let serials = selection
        .serials
        .iter()
        .filter(|serial| !is_there(&|session| session.serial.as_ref() == Some(serial)));
    let identities = selection
        .source_identities
        .iter()
        .filter(|identity| !is_there(&|session| session.source_identity == Some(identity)));
    keys.map(|key| format!("access key {key}"))
        .chain(serials.map(|serial| format!("serial number {serial}")))
        .chain(identities.map(|identity| format!("source identity {identity}")))
        .collect()
}
