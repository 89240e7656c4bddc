//! What is known of a compromise: when each trust anchor was seen clear of the issuer, and when sessions were ended for the last time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::ground::clock::rfc3339;

/// For so long AWS may go on taking a CA after its trust anchor reads back without it. AWS documents neither a delay nor a bound of it; it is
/// chosen long, because a session that is made within the delay lives for up to twelve hours.
const LAG: Duration = Duration::minutes(15);
/// When a step of Vault's tick failed, it is tried again after this,
const TRY_AGAIN: Duration = Duration::minutes(5);
/// and for so long after the step was due: then it is left to a person.
const GIVE_UP: Duration = Duration::days(1);

/// Stored as `compromise/<issuer's id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compromise {
    /// When it was first told, RFC 3339.
    since: String,
    /// The key, as [`ca::Issuer::key_sha256`] has it: it outlives the issuer's record.
    #[serde(default)]
    pub(crate) key_sha256: String,
    /// Empty, and stored because the first builds read no record without it.
    #[serde(default)]
    revoked: BTreeSet<String>,
    /// The IAM roles whose sessions were ended while a trust anchor may still have held the issuer.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    early: BTreeSet<String>,
    /// The trust anchors that were seen clear of the issuer, each with the first time, in seconds since 1970.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    clear_since: BTreeMap<String, i64>,
    /// When sessions of each IAM role were ended last, after its trust anchors had dropped the issuer, in seconds since 1970.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ended: BTreeMap<String, i64>,
    /// When Vault's tick is to end sessions once more, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again_at: Option<i64>,
}

impl Compromise {
    /// One that was told at `now`.
    pub(crate) fn told_at(now: OffsetDateTime) -> Self {
        Self { since: rfc3339(now), ..Self::default() }
    }

    /// When it was first told, RFC 3339.
    pub(crate) fn since(&self) -> &str {
        &self.since
    }

    /// Whether it is of this key.
    pub(crate) fn is_of(&self, key_sha256: &str) -> bool {
        self.key_sha256 == key_sha256
    }

    /// Which key it is of.
    pub(crate) fn into_key_sha256(self) -> String {
        self.key_sha256
    }

    /// When the engine ends sessions once more; nothing where that is done.
    pub(crate) fn again_at(&self) -> Option<OffsetDateTime> {
        self.again_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok())
    }

    /// Notes that the trust anchor `arn` was looked at: whether it is clear of the issuer, and whether it was made so just now.
    pub(crate) fn saw(&mut self, arn: &str, is_clear: bool, was_changed: bool, now: OffsetDateTime) {
        let now = now.unix_timestamp();
        if !is_clear {
            self.clear_since.remove(arn);
        } else if was_changed {
            self.clear_since.insert(arn.to_owned(), now);
        } else {
            self.clear_since.entry(arn.to_owned()).or_insert(now);
        }
    }

    /// From when on AWS takes the issuer by none of these trust anchors; nothing while one is not clear.
    pub(crate) fn settles_at(&self, anchors: &BTreeSet<String>) -> Option<OffsetDateTime> {
        let since: Option<Vec<i64>> = anchors.iter().map(|arn| self.clear_since.get(arn).copied()).collect();
        let last = since?.into_iter().max()?;
        OffsetDateTime::from_unix_timestamp(last).ok().map(|last| last + LAG)
    }

    /// Whether the sessions of `role`, which come from `anchors`, were ended after AWS took the issuer no more.
    pub(crate) fn is_settled(&self, role: &str, anchors: &BTreeSet<String>) -> bool {
        let settles = self.settles_at(anchors).map(OffsetDateTime::unix_timestamp);
        self.ended.get(role).zip(settles).is_some_and(|(ended, settles)| *ended >= settles)
    }

    /// Whether they were ended while an anchor may still have held it.
    pub(crate) fn was_ended_early(&self, role: &str) -> bool {
        self.early.contains(role)
    }

    pub(crate) fn note_ended_early(&mut self, role: &str) {
        self.early.insert(role.to_owned());
    }

    pub(crate) fn note_ended(&mut self, role: &str, now: OffsetDateTime) {
        self.ended.insert(role.to_owned(), now.unix_timestamp());
    }

    /// Decides when Vault's tick ends sessions once more, of `roles` with the trust anchors by which theirs come: when the last of those
    /// settles whose sessions did not end since, and soon where that was due already. One of an anchor that could not be looked at today
    /// counts by when it was seen clear. One of an anchor that was never seen clear is left to a person.
    pub(crate) fn plan<'a>(
        &mut self,
        roles: impl IntoIterator<Item = (&'a str, &'a BTreeSet<String>)>,
        now: OffsetDateTime,
    ) {
        let unsettled = roles.into_iter().filter(|(role, anchors)| !self.is_settled(role, anchors));
        let settles = unsettled.filter_map(|(_, anchors)| self.settles_at(anchors));
        let last = settles.filter(|at| *at + GIVE_UP > now).max();
        self.plan_for(last.map(|at| if at > now { at } else { now + TRY_AGAIN }));
    }

    /// What is due is tried again later, however this try ends.
    pub(crate) fn put_off(&mut self, now: OffsetDateTime) {
        self.plan_for(Some(now + TRY_AGAIN));
    }

    fn plan_for(&mut self, at: Option<OffsetDateTime>) {
        self.again_at = at.map(OffsetDateTime::unix_timestamp);
    }

    /// Whether it is time for that.
    pub(crate) fn is_due(&self, now: OffsetDateTime) -> bool {
        self.again_at().is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
    const ROLE: &str = "arn:aws:iam::111122223333:role/app";

    fn anchors(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn after(minutes: i64) -> OffsetDateTime {
        NOON + Duration::minutes(minutes)
    }

    #[test]
    fn only_what_is_ended_a_quarter_of_an_hour_after_the_last_anchor_was_clear_is_ended_for_good() {
        for (ended, is_settled) in [(5, false), (16, false), (17, true), (60, true)] {
            let mut known = Compromise::default();
            known.saw("one", true, false, NOON);
            known.saw("two", true, false, after(2));
            known.saw("one", true, false, after(4));

            known.note_ended(ROLE, after(ended));

            assert_eq!(
                known.is_settled(ROLE, &anchors(&["one", "two"])),
                is_settled,
                "after {ended} minutes"
            );
        }
    }

    #[test]
    fn an_anchor_that_was_not_seen_clear_or_holds_it_again_settles_nothing() {
        let mut known = Compromise::default();
        known.saw("one", true, false, NOON);
        known.note_ended(ROLE, after(30));
        let unseen = known.is_settled(ROLE, &anchors(&["one", "two"]));

        known.saw("one", false, false, after(31));
        let again = known.is_settled(ROLE, &anchors(&["one"]));
        known.saw("one", true, false, after(32));

        assert_eq!((unseen, again), (false, false));
        assert_eq!(known.settles_at(&anchors(&["one"])), Some(after(47)));
    }

    #[test]
    fn an_anchor_that_is_cleared_once_more_counts_from_then_on() {
        let mut known = Compromise::default();
        known.saw("one", true, false, NOON);

        known.saw("one", true, true, after(20));

        assert_eq!(known.settles_at(&anchors(&["one"])), Some(after(35)));
    }

    /// When the tick comes next for a role of the anchor `one`, looked at so many minutes after noon.
    fn planned(known: &mut Compromise, minutes: i64) -> Option<OffsetDateTime> {
        known.plan([(ROLE, &anchors(&["one"]))], after(minutes));
        known.again_at()
    }

    #[test]
    fn what_is_due_and_not_done_comes_again_in_five_minutes_for_a_day() {
        let mut known = Compromise::default();
        known.saw("one", true, false, NOON);

        let planned = [0, 16, 21, 24 * 60, 24 * 60 + 15].map(|minutes| planned(&mut known, minutes));

        let due = [15, 21, 26, 24 * 60 + 5].map(|minutes| Some(after(minutes)));
        assert_eq!(planned[..4], due);
        assert_eq!(planned[4], None, "it is left to a person");
    }

    #[test]
    fn nothing_comes_again_of_what_ended_or_comes_by_an_anchor_that_was_never_seen_clear() {
        let mut known = Compromise::default();
        let unseen = planned(&mut known, 0);
        known.saw("one", true, false, NOON);
        known.note_ended(ROLE, after(16));
        let ended = planned(&mut known, 16);
        known.saw("one", false, false, after(17));
        let held_again = planned(&mut known, 17);

        assert_eq!([unseen, ended, held_again], [None; 3]);
    }

    #[test]
    fn the_first_builds_read_a_record_of_today() {
        #[derive(Deserialize)]
        struct First {
            #[serde(rename = "since")]
            _since: String,
            revoked: BTreeSet<String>,
        }

        let stored = serde_json::to_value(Compromise::told_at(NOON)).unwrap();

        assert!(serde_json::from_value::<First>(stored).unwrap().revoked.is_empty());
    }

    #[test]
    fn a_record_of_before_anchors_were_timed_is_read_and_is_not_settled() {
        let stored = serde_json::json!({ "since": "2026-11-24T11:00:00Z", "revoked": [ROLE] });

        let mut known: Compromise = serde_json::from_value(stored).unwrap();
        known.saw("one", true, false, NOON);

        assert!(!known.is_settled(ROLE, &anchors(&["one"])));
        assert_eq!(known.again_at(), None);
    }
}
