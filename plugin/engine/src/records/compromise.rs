//! The record of a compromised issuer key: when each trust anchor was first seen clear of the issuer, and when the sessions of
//! each IAM role were last ended. It decides when the incident is over; the workflow is in `incident/compromise.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::ground::clock::rfc3339;

/// How long AWS may go on accepting a CA after its trust anchor reads back without it. AWS documents neither a delay nor a bound.
/// The value is long, because a session that is made within the delay lives for up to twelve hours.
const LAG: Duration = Duration::minutes(15);
/// The pause after a failed step of Vault's tick.
const TRY_AGAIN: Duration = Duration::minutes(5);
/// How long after its due time a step is repeated. After that a person must act.
const GIVE_UP: Duration = Duration::days(1);

/// It is stored as `compromise/<issuer's id>` and outlives the issuer, because its key must not come back with another
/// certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compromise {
    /// When an operator first reported it, RFC 3339.
    since: String,
    /// The compromised key as [`ca::Issuer::key_sha256`] gives it. Empty in records of builds that did not store it.
    #[serde(default)]
    pub(crate) key_sha256: String,
    /// Always empty. It is stored because the first builds read no record without it.
    #[serde(default)]
    revoked: BTreeSet<String>,
    /// The ARNs of IAM roles whose sessions were ended while a trust anchor may still have held the issuer. AWS may have made
    /// more since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    early: BTreeSet<String>,
    /// By the ARN of each trust anchor that was last seen clear of the issuer: when it was first seen so, in seconds since 1970.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    clear_since: BTreeMap<String, i64>,
    /// By the ARN of each IAM role: when its sessions were last ended after its trust anchors had dropped the issuer, in seconds
    /// since 1970.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ended: BTreeMap<String, i64>,
    /// When Vault's tick ends sessions once more, in seconds since 1970; `None` where no step is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again_at: Option<i64>,
}

impl Compromise {
    /// A compromise that an operator reports at `now`, before any step was taken.
    pub(crate) fn reported_at(now: OffsetDateTime) -> Self {
        Self { since: rfc3339(now), ..Self::default() }
    }

    /// When an operator first reported it, RFC 3339.
    pub(crate) fn since(&self) -> &str {
        &self.since
    }

    /// Returns whether this key is the compromised one.
    pub(crate) fn is_of(&self, key_sha256: &str) -> bool {
        self.key_sha256 == key_sha256
    }

    /// Returns the SHA-256 sum of the compromised key.
    pub(crate) fn into_key_sha256(self) -> String {
        self.key_sha256
    }

    /// Returns when the engine ends sessions once more; `None` where nothing is planned.
    pub(crate) fn again_at(&self) -> Option<OffsetDateTime> {
        self.again_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok())
    }

    /// Notes that the engine inspected the trust anchor `arn` at `now`: whether it is clear of the issuer, and whether the engine
    /// has just removed the issuer from it.
    ///
    /// An anchor that holds the issuer again loses its time. One that was cleared anew starts again at `now`, because AWS may
    /// have accepted the issuer until then.
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

    /// Returns the time from which AWS accepts the issuer by none of these trust anchors: [`LAG`] after the last was seen clear.
    /// `None` while one is not clear, and for no anchors.
    pub(crate) fn settles_at(&self, anchors: &BTreeSet<String>) -> Option<OffsetDateTime> {
        let since: Option<Vec<i64>> = anchors.iter().map(|arn| self.clear_since.get(arn).copied()).collect();
        let last = since?.into_iter().max()?;
        OffsetDateTime::from_unix_timestamp(last).ok().map(|last| last + LAG)
    }

    /// Returns whether the sessions of the IAM role `role`, which come from `anchors`, were ended after AWS stopped accepting the
    /// issuer. Only then can AWS make no more of them.
    pub(crate) fn is_settled(&self, role: &str, anchors: &BTreeSet<String>) -> bool {
        let settles = self.settles_at(anchors).map(OffsetDateTime::unix_timestamp);
        self.ended.get(role).zip(settles).is_some_and(|(ended, settles)| *ended >= settles)
    }

    /// Returns whether the sessions of `role` were ended when the last of `anchors` was seen clear, or at most [`LAG`] before, and AWS
    /// may go on accepting the issuer at `now`. Ending them again before it settles would mostly hit callers.
    pub(crate) fn is_settling(&self, role: &str, anchors: &BTreeSet<String>, now: OffsetDateTime) -> bool {
        let Some(settles) = self.settles_at(anchors).filter(|settles| *settles > now) else { return false };
        // an ending has the date of the response that it belongs to, which begins before the anchors are looked at
        self.ended.get(role).is_some_and(|ended| *ended >= (settles - LAG - LAG).unix_timestamp())
    }

    /// Returns whether the sessions of `role` were ended while an anchor may still have held the issuer.
    pub(crate) fn was_ended_early(&self, role: &str) -> bool {
        self.early.contains(role)
    }

    /// Notes that the sessions of `role` were ended early. The note is never removed.
    pub(crate) fn note_ended_early(&mut self, role: &str) {
        self.early.insert(role.to_owned());
    }

    /// Notes that the sessions of `role` were ended at `now`. Call it only when its trust anchors have dropped the issuer.
    pub(crate) fn note_ended(&mut self, role: &str, now: OffsetDateTime) {
        self.ended.insert(role.to_owned(), now.unix_timestamp());
    }

    /// Plans when Vault's tick ends sessions once more. `roles` are the IAM roles, each with the trust anchors from which its
    /// sessions come.
    ///
    /// The time is when the last of the unsettled roles settles, or [`TRY_AGAIN`] after `now` where that time has passed. A role
    /// that is overdue by [`GIVE_UP`] is left to a person, and so is one of an anchor that was never seen clear. An anchor that
    /// could not be inspected now counts by the time at which it was first seen clear.
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

    /// Plans a look at the trust anchors that could not be looked at now, [`TRY_AGAIN`] after `now`, unless the next step comes before.
    /// A day after the report they are left to a person.
    pub(crate) fn look_again(&mut self, now: OffsetDateTime) {
        let since = OffsetDateTime::parse(&self.since, &Rfc3339).ok();
        let (next, planned) = (now + TRY_AGAIN, self.again_at());
        if since.is_some_and(|since| since + GIVE_UP > now) && planned.is_none_or(|planned| planned > next) {
            self.plan_for(Some(next));
        }
    }

    /// Plans the next try [`TRY_AGAIN`] after `now`, however the one that begins now ends.
    pub(crate) fn put_off(&mut self, now: OffsetDateTime) {
        self.plan_for(Some(now + TRY_AGAIN));
    }

    fn plan_for(&mut self, at: Option<OffsetDateTime>) {
        self.again_at = at.map(OffsetDateTime::unix_timestamp);
    }

    /// Returns whether the planned time has come.
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

    /// When the tick comes next for a role of the anchor `one`, if it is planned so many minutes after noon.
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
    fn an_anchor_that_could_not_be_looked_at_is_looked_at_again_for_a_day() {
        let mut known = Compromise::reported_at(NOON);
        let mut looks = Vec::new();
        for minutes in [0, 12, 24 * 60 - 1, 24 * 60] {
            known.plan_for(None);
            known.look_again(after(minutes));
            looks.push(known.again_at());
        }
        known.saw("one", true, false, NOON);
        let sooner = planned(&mut known, 12);
        known.look_again(after(12));

        assert_eq!(looks, [Some(after(5)), Some(after(17)), Some(after(24 * 60 + 4)), None]);
        assert_eq!((sooner, known.again_at()), (Some(after(15)), Some(after(15))), "what comes before stays");
    }

    #[test]
    fn a_role_is_settling_from_its_end_after_the_last_anchor_was_clear_until_it_settles() {
        let mut known = Compromise::default();
        known.saw("one", true, false, NOON);
        let unended = known.is_settling(ROLE, &anchors(&["one"]), after(1));
        known.note_ended(ROLE, NOON);
        let settling = [1, 14, 15].map(|minutes| known.is_settling(ROLE, &anchors(&["one"]), after(minutes)));
        known.saw("one", true, true, after(20));

        assert_eq!((unended, settling), (false, [true, true, false]));
        assert!(!known.is_settling(ROLE, &anchors(&["one"]), after(21)), "it was cleared anew");
    }

    #[test]
    fn the_first_builds_read_a_record_of_today() {
        #[derive(Deserialize)]
        struct First {
            #[serde(rename = "since")]
            _since: String,
            revoked: BTreeSet<String>,
        }

        let stored = serde_json::to_value(Compromise::reported_at(NOON)).unwrap();

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
