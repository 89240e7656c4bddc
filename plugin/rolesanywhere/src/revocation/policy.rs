//! The sessions of a role that are denied, and until when each denial matters.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime, UtcOffset};

use crate::create_session::is_session_name;

/// The size that all inline policies of one role share, in characters without white space. AWS does not raise it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const ROLE_LIMIT: usize = 10_240;

/// IAM's `MaxSessionDuration` goes up to 12 hours, so no session of a role is older.
pub(super) const MAX_SESSION: Duration = Duration::hours(12);
/// An allowance for clocks that differ, and for IAM's delay.
const SLACK: Duration = Duration::hours(1);

/// The sessions of a role that are denied every action. `Display` is the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The first word of each `Sid`: letters and digits.
    pub(super) sid_prefix: &'static str,
    /// To the second.
    pub(super) issued_before: Option<OffsetDateTime>,
    /// By session name, the full hour until which the denial matters.
    pub(super) sessions: BTreeMap<String, OffsetDateTime>,
    pub(super) sources: BTreeMap<String, SourceDenial>,
}

/// The denial of one source identity: its sessions that were issued before a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceDenial {
    /// A full hour.
    pub(super) until: OffsetDateTime,
    /// To the second.
    pub(super) issued_before: OffsetDateTime,
}

/// A name that no session can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not 2 to 64 letters, digits or characters of _+=,.@-, as session names and source identities must be"
)]
pub struct Unfit(String);

impl Policy {
    /// A policy that denies nothing. `sid_prefix` begins the `Sid` of each statement, so that a program knows its own
    /// documents. It must be letters and digits.
    pub fn new(sid_prefix: &'static str) -> Self {
        Self { sid_prefix, issued_before: None, sessions: BTreeMap::new(), sources: BTreeMap::new() }
    }

    /// Denies every session issued before `moment`, by AWS's clock and rounded up to the second. The latest moment
    /// counts.
    ///
    /// A session issued within that second is denied too, so request new ones after [`Policy::issued_before`] only.
    pub fn deny_issued_before(&mut self, moment: OffsetDateTime) {
        self.issued_before = self.issued_before.max(Some(rounded_up(moment, Duration::SECOND)));
    }

    /// Denies the sessions named `name` until `until`, when the last of them has expired, rounded up to the hour.
    pub fn deny_session(&mut self, name: &str, until: OffsetDateTime) -> Result<(), Unfit> {
        let (name, until) = (fit(name)?, rounded_up(until, Duration::HOUR));
        let kept = self.sessions.entry(name).or_insert(until);
        *kept = until.max(*kept);
        Ok(())
    }

    /// Denies the sessions of a source identity (as a rule `CN=<common name>`) that were issued before `moment`. The
    /// denial matters until `until`, when the last of them has expired, rounded up to the hour. Later sessions of the
    /// identity are not denied.
    pub fn deny_source_identity(
        &mut self,
        identity: &str,
        moment: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<(), Unfit> {
        let issued_before = rounded_up(moment, Duration::SECOND);
        self.keep_source(
            fit(identity)?,
            SourceDenial { until: rounded_up(until, Duration::HOUR), issued_before },
        );
        Ok(())
    }

    /// Adds the denials of `other`; of two moments for the same sessions, the later one counts.
    pub fn merge(&mut self, other: &Policy) {
        self.issued_before = self.issued_before.max(other.issued_before);
        for (name, until) in &other.sessions {
            let kept = self.sessions.entry(name.clone()).or_insert(*until);
            *kept = (*kept).max(*until);
        }
        for (identity, source) in &other.sources {
            self.keep_source(identity.clone(), *source);
        }
    }

    /// Removes entries that deny nothing any more at `now`, and returns their number.
    ///
    /// The moment of [`Policy::deny_issued_before`] is kept for 13 hours: a session lasts 12 at most.
    pub fn prune(&mut self, now: OffsetDateTime) -> usize {
        let before = self.len();
        self.issued_before = self.issued_before.filter(|moment| after_longest(*moment) > now);
        self.sessions.retain(|_, until| *until > now);
        self.sources.retain(|_, source| source.until > now);
        before - self.len()
    }

    /// Returns when the last entry stops mattering; none if nothing is denied.
    pub fn needed_until(&self) -> Option<OffsetDateTime> {
        let sources = self.sources.values().map(|source| source.until);
        let all = self.sessions.values().copied().chain(sources);
        all.chain(self.issued_before.map(after_longest)).max()
    }

    /// The moment before which every session is denied.
    pub fn issued_before(&self) -> Option<OffsetDateTime> {
        self.issued_before
    }

    /// The denied session names in order, with the hour until which each matters.
    pub fn sessions(&self) -> impl Iterator<Item = (&str, OffsetDateTime)> {
        self.sessions.iter().map(|(name, until)| (name.as_str(), *until))
    }

    /// The denied source identities in order, with the moment before which their sessions are denied.
    pub fn source_identities(&self) -> impl Iterator<Item = (&str, OffsetDateTime)> {
        self.sources.iter().map(|(identity, source)| (identity.as_str(), source.issued_before))
    }

    /// The number of entries: the moment, session names and source identities.
    pub fn len(&self) -> usize {
        usize::from(self.issued_before.is_some()) + self.sessions.len() + self.sources.len()
    }

    /// Whether nothing is denied. IAM accepts no document without a statement, so delete the policy then.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of the document against [`ROLE_LIMIT`].
    pub fn size(&self) -> usize {
        size_in_iam(&self.to_string())
    }

    /// Whether the document fits beside the role's other inline policies, which have `others` characters together.
    pub fn would_fit(&self, others: usize) -> bool {
        others.saturating_add(self.size()) <= ROLE_LIMIT
    }

    fn keep_source(&mut self, identity: String, source: SourceDenial) {
        let kept = self.sources.entry(identity).or_insert(source);
        kept.until = kept.until.max(source.until);
        kept.issued_before = kept.issued_before.max(source.issued_before);
    }
}

/// The size of a document against [`ROLE_LIMIT`]: IAM does not count white space.
pub fn size_in_iam(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

fn fit(name: &str) -> Result<String, Unfit> {
    if is_session_name(name) { Ok(name.to_owned()) } else { Err(Unfit(name.to_owned())) }
}

fn after_longest(moment: OffsetDateTime) -> OffsetDateTime {
    moment.saturating_add(MAX_SESSION + SLACK)
}

/// Rounds up to a full `step`, in UTC. No token is older than 1970, and a time after 9999 cannot be written.
fn rounded_up(moment: OffsetDateTime, step: Duration) -> OffsetDateTime {
    let moment = moment.to_offset(UtcOffset::UTC).max(OffsetDateTime::UNIX_EPOCH);
    let step = step.whole_nanoseconds();
    let over = moment.unix_timestamp_nanos() % step;
    let up = if over == 0 { 0 } else { step - over };
    let rounded = OffsetDateTime::from_unix_timestamp_nanos(moment.unix_timestamp_nanos() + up);
    rounded.unwrap_or(moment - Duration::nanoseconds_i128(over))
}
