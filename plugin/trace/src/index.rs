//! The facts that are kept: one record for each AWS session and for each time one was handed out.

use std::collections::{BTreeMap, BTreeSet};

use time::Duration;

use crate::fact::{AwsIdentity, AwsSession, AwsUse, LogFact, PodAnswer, SessionLine, VaultRead};
use crate::moment::Moment;
use crate::selection::TimeSpan;
use crate::serial::HexSerial;

/// How long before the span a session that is used in it may have been made: AWS ends a session after 12 hours, and one that was
/// made with it an hour later at the latest.
const MAX_LIFE: Duration = Duration::hours(13);

/// The regions, and the addresses, of one session's calls that are kept.
const MAX_PLACES: usize = 32;

/// What the files said so far.
pub(crate) struct FactIndex {
    span: TimeSpan,
    /// By access key id.
    sessions: BTreeMap<String, TrailSession>,
    reads: Vec<VaultRead>,
    hand_outs: Vec<SessionLine>,
    pods: Vec<PodAnswer>,
    /// The first and last moment of the events, and of the reads.
    pub(crate) trail: Option<(Moment, Moment)>,
    pub(crate) audited: Option<(Moment, Moment)>,
}

/// An AWS session, as the events of `CloudTrail` say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrailSession {
    pub(crate) identity: AwsIdentity,
    pub(crate) made: Option<AwsSession>,
    pub(crate) calls: Option<CallTotals>,
}

/// The calls of a session within the span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallTotals {
    pub(crate) first: AwsUse,
    pub(crate) last: AwsUse,
    pub(crate) count: u64,
    pub(crate) refused: u64,
    pub(crate) regions: BTreeSet<String>,
    pub(crate) addresses: BTreeSet<String>,
}

impl FactIndex {
    /// An index of what may have to do with sessions of the span.
    pub(crate) fn new(span: TimeSpan) -> Self {
        let (reads, hand_outs, pods) = (Vec::new(), Vec::new(), Vec::new());
        Self { span, sessions: BTreeMap::new(), reads, hand_outs, pods, trail: None, audited: None }
    }

    /// Keeps what a line said, unless it is outside the span.
    pub(crate) fn add(&mut self, fact: LogFact) {
        match fact {
            LogFact::Used(used) => self.used(used),
            LogFact::Made(made) => self.made(made),
            LogFact::Read(read) => {
                widen(&mut self.audited, read.at);
                if self.may_matter(read.at) {
                    self.reads.push(read);
                }
            }
            LogFact::HandedOut(session) => {
                if session.at.is_none_or(|at| self.may_matter(at)) {
                    self.hand_outs.push(session);
                }
            }
            LogFact::Answered(pod) => {
                if self.may_matter(pod.at) {
                    self.pods.push(pod);
                }
            }
        }
    }

    pub(crate) fn sessions(&self) -> &BTreeMap<String, TrailSession> {
        &self.sessions
    }

    pub(crate) fn reads(&self) -> &[VaultRead] {
        &self.reads
    }

    pub(crate) fn hand_outs(&self) -> &[SessionLine] {
        &self.hand_outs
    }

    /// The pods that were answered with a session.
    pub(crate) fn pods_with<'a>(&'a self, access_key: &'a str) -> impl Iterator<Item = &'a PodAnswer> {
        self.pods.iter().filter(move |pod| pod.access_key == access_key)
    }

    /// Whether a session that was made, or handed out, at this moment can be used in the span.
    fn may_matter(&self, at: Moment) -> bool {
        let from = self.span.from.map(|from| from.before(MAX_LIFE));
        TimeSpan { from, ..self.span }.contains(at)
    }

    fn used(&mut self, used: AwsUse) {
        widen(&mut self.trail, used.at);
        if !self.span.contains(used.at) {
            return;
        }
        let session = self.sessions.entry(used.identity.access_key.clone()).or_default();
        session.learn(&used.identity);
        match &mut session.calls {
            Some(calls) => calls.add(used),
            None => session.calls = Some(CallTotals::of(used)),
        }
    }

    fn made(&mut self, made: AwsSession) {
        widen(&mut self.trail, made.at);
        if !self.may_matter(made.at) {
            return;
        }
        let session = self.sessions.entry(made.identity.access_key.clone()).or_default();
        session.learn(&made.identity);
        // Roles Anywhere calls AssumeRole itself, so both events may name one key: the one with the certificate counts
        if session.made.as_ref().is_none_or(|known| known.by != "CreateSession") {
            session.made = Some(made);
        }
    }
}

impl TrailSession {
    /// The serial number of the certificate, if AWS named the session after it.
    pub(crate) fn serial(&self) -> Option<HexSerial> {
        self.identity.session_name.as_deref().and_then(HexSerial::of_session_name)
    }

    /// The access key of the session by which this one was made.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.made.as_ref()?.parent.as_deref()
    }

    fn learn(&mut self, of: &AwsIdentity) {
        let own = &mut self.identity;
        own.access_key.clone_from(&of.access_key);
        for (own, of) in [
            (&mut own.session_name, &of.session_name),
            (&mut own.role_arn, &of.role_arn),
            (&mut own.source_identity, &of.source_identity),
        ] {
            if own.is_none() {
                own.clone_from(of);
            }
        }
    }
}

impl CallTotals {
    fn of(used: AwsUse) -> Self {
        let mut totals = Self {
            first: used.clone(),
            last: used.clone(),
            count: 0,
            refused: 0,
            regions: BTreeSet::new(),
            addresses: BTreeSet::new(),
        };
        totals.add(used);
        totals
    }

    fn add(&mut self, used: AwsUse) {
        self.count += 1;
        self.refused += u64::from(used.is_error);
        note(&mut self.regions, used.region.as_ref());
        note(&mut self.addresses, used.address.as_ref());
        if used.at < self.first.at {
            self.first = used.clone();
        }
        if used.at >= self.last.at {
            self.last = used;
        }
    }
}

/// Adds to a set that stays small: a session that leaked may be used from anywhere.
fn note(set: &mut BTreeSet<String>, value: Option<&String>) {
    if set.len() < MAX_PLACES {
        set.extend(value.cloned());
    }
}

fn widen(reach: &mut Option<(Moment, Moment)>, at: Moment) {
    let (first, last) = reach.unwrap_or((at, at));
    *reach = Some((first.min(at), last.max(at)));
}
