//! Which sessions of a role are denied, and for how long that matters.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime, UtcOffset};

use crate::create_session::is_session_name;

/// What all inline policies of one role may have together, in characters that are no white space. AWS does not raise it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const ROLE_LIMIT: usize = 10_240;

/// IAM's `MaxSessionDuration` goes up to 12 hours, so no session of a role is older.
pub(super) const LONGEST_SESSION: Duration = Duration::hours(12);
/// For clocks that differ, and for IAM's delay.
const SLACK: Duration = Duration::hours(1);

/// Which sessions of a role are denied everything. `Display` is the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// To the second.
    pub(super) issued_before: Option<OffsetDateTime>,
    /// Session name, and the full hour until when it matters.
    pub(super) sessions: BTreeMap<String, OffsetDateTime>,
    pub(super) sources: BTreeMap<String, Source>,
}

/// Of one source identity, the sessions issued before a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// A full hour.
    pub(super) until: OffsetDateTime,
    /// To the second.
    pub(super) issued_before: OffsetDateTime,
}

/// A name that no session has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not 2 to 64 letters, digits or characters of _+=,.@-, as names of sessions and source identities are"
)]
pub struct Unfit(String);

impl Policy {
    /// Denies every session issued before `moment`, by AWS's clock and rounded up to the second. The latest moment counts.
    ///
    /// A session that is issued within that second is denied too, so ask for new ones after [`Policy::issued_before`] only.
    pub fn deny_issued_before(&mut self, moment: OffsetDateTime) {
        self.issued_before = self.issued_before.max(Some(rounded_up(moment, Duration::SECOND)));
    }

    /// Denies the sessions named `name` until `until`, which is when the last of them is over, rounded up to the hour.
    pub fn deny_session(&mut self, name: &str, until: OffsetDateTime) -> Result<(), Unfit> {
        let (name, until) = (fit(name)?, rounded_up(until, Duration::HOUR));
        let kept = self.sessions.entry(name).or_insert(until);
        *kept = until.max(*kept);
        Ok(())
    }

    /// Denies the sessions of a source identity (`CN=<common name>` as a rule) that were issued before `moment`; it matters
    /// until `until`, when the last of them is over, rounded up to the hour. Later sessions of the same identity are let be.
    pub fn deny_source_identity(
        &mut self,
        identity: &str,
        moment: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<(), Unfit> {
        let issued_before = rounded_up(moment, Duration::SECOND);
        self.keep_source(fit(identity)?, Source { until: rounded_up(until, Duration::HOUR), issued_before });
        Ok(())
    }

    /// Takes over what `other` denies; of two moments for the same, the later.
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

    /// Forgets what can no longer deny anything at `now`, and says how many entries that were.
    ///
    /// The moment of [`Policy::deny_issued_before`] is kept for 13 hours: a session lasts 12 at most.
    pub fn prune(&mut self, now: OffsetDateTime) -> usize {
        let before = self.len();
        self.issued_before = self.issued_before.filter(|moment| after_longest(*moment) > now);
        self.sessions.retain(|_, until| *until > now);
        self.sources.retain(|_, source| source.until > now);
        before - self.len()
    }

    /// When the last entry has nothing left to deny; nothing where nothing is denied.
    pub fn needed_until(&self) -> Option<OffsetDateTime> {
        let sources = self.sources.values().map(|source| source.until);
        let all = self.sessions.values().copied().chain(sources);
        all.chain(self.issued_before.map(after_longest)).max()
    }

    /// The moment before which every session is denied.
    pub fn issued_before(&self) -> Option<OffsetDateTime> {
        self.issued_before
    }

    /// The denied session names in order, with the hour until when each matters.
    pub fn sessions(&self) -> impl Iterator<Item = (&str, OffsetDateTime)> {
        self.sessions.iter().map(|(name, until)| (name.as_str(), *until))
    }

    /// The denied source identities in order, with the moment before which their sessions are denied.
    pub fn source_identities(&self) -> impl Iterator<Item = (&str, OffsetDateTime)> {
        self.sources.iter().map(|(identity, source)| (identity.as_str(), source.issued_before))
    }

    /// How many entries there are: the moment, session names and source identities.
    pub fn len(&self) -> usize {
        usize::from(self.issued_before.is_some()) + self.sessions.len() + self.sources.len()
    }

    /// Whether nothing is denied. IAM takes no document without a statement: delete the policy then.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the document takes of [`ROLE_LIMIT`].
    pub fn size(&self) -> usize {
        size_in_iam(&self.to_string())
    }

    /// Whether the document fits beside the role's other inline policies, which take `others` characters together.
    pub fn would_fit(&self, others: usize) -> bool {
        others.saturating_add(self.size()) <= ROLE_LIMIT
    }

    fn keep_source(&mut self, identity: String, source: Source) {
        let kept = self.sources.entry(identity).or_insert(source);
        kept.until = kept.until.max(source.until);
        kept.issued_before = kept.issued_before.max(source.issued_before);
    }
}

/// What a document takes of [`ROLE_LIMIT`]: IAM does not count white space.
pub fn size_in_iam(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

fn fit(name: &str) -> Result<String, Unfit> {
    if is_session_name(name) { Ok(name.to_owned()) } else { Err(Unfit(name.to_owned())) }
}

fn after_longest(moment: OffsetDateTime) -> OffsetDateTime {
    moment.saturating_add(LONGEST_SESSION + SLACK)
}

/// The next full `step`, in UTC. No token is older than 1970; what lies after 9999 cannot be written.
fn rounded_up(moment: OffsetDateTime, step: Duration) -> OffsetDateTime {
    let moment = moment.to_offset(UtcOffset::UTC).max(OffsetDateTime::UNIX_EPOCH);
    let step = step.whole_nanoseconds();
    let over = moment.unix_timestamp_nanos() % step;
    let up = if over == 0 { 0 } else { step - over };
    let rounded = OffsetDateTime::from_unix_timestamp_nanos(moment.unix_timestamp_nanos() + up);
    rounded.unwrap_or(moment - Duration::nanoseconds_i128(over))
}
