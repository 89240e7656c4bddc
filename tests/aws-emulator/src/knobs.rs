//! Knobs with which a test makes AWS slow, busy, broken or wrong about the time.

mod region;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use serde::{Deserialize, Serialize};

pub use region::RegionKnobs;
pub(crate) use region::Trouble;

/// Every fault that a test can cause. The faults hit Roles Anywhere (`/sessions` and the management API), never
/// STS or the admin pages, and IAM and ECR only if their text says so; `answer` and `max_tps` hit `CreateSession` only; `clock_offset_seconds` hits all, and
/// `latency_ms` Roles Anywhere, IAM, ECR and STS's `AssumeRole`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// The delay of every call before it is processed, in milliseconds.
    pub latency_ms: u64,
    /// How many of the next calls are answered `429 ThrottlingException`.
    pub throttle_next: u32,
    /// How many of the next calls fail with a 5xx, and which.
    pub fail_next: FailNext,
    /// How many of the next connections are closed after the request arrived, without a reply.
    pub drop_next: u32,
    /// The further share of calls that fail, in percent, spread evenly: a 503, a closed connection and a `429`, in turn.
    pub unwell_percent: u32,
    /// How far the emulator's clock is ahead of the machine's; negative is behind.
    pub clock_offset_seconds: i64,
    /// The least `durationSeconds` that `CreateProfile` and `UpdateProfile` take; AWS's is 900. A profile in the state
    /// may have any positive duration, and a `CreateSession` request still none under 900.
    pub min_duration_override_seconds: Option<u32>,
    /// The answer to a granted `CreateSession`.
    pub answer: AnswerKind,
    /// `CreateSession` calls per second in each region (with a burst of as many) before `429 ThrottlingException`; AWS's quota is 10.
    pub max_tps: Option<u32>,
    /// Sends `x-amzn-ErrorType` with the suffix AWS's front end adds: `AccessDeniedException:http://internal…/`.
    pub forwarded_error_type: bool,
    /// 0 answers the same way each time. Any other number varies the details that AWS leaves open (the order of members, unknown
    /// members, suffixed error types, a final period), the same way in each run.
    pub seed: u64,
    /// Calls per second of each group of the management API (anchors, profiles, CRLs, tagging) before
    /// `429 ThrottlingException`; AWS's quota is 1 for each group.
    pub management_tps: Option<u32>,
    /// IAM calls per second before `400 Throttling`.
    pub iam_tps: Option<u32>,
    /// How many of the next IAM calls are answered `400 Throttling`.
    pub iam_throttle_next: u32,
    /// How many of the next IAM calls fail with a 5xx, and which.
    pub iam_fail_next: FailNext,
    /// How many of the next calls of STS's `AssumeRole` are answered `400 Throttling`.
    pub sts_throttle_next: u32,
    /// How many of the next calls of STS's `AssumeRole` fail with a 5xx, and which.
    pub sts_fail_next: FailNext,
    /// How many of the next ECR calls are answered `400 ThrottlingException`.
    pub ecr_throttle_next: u32,
    /// How many of the next ECR calls fail with a 5xx, and which.
    pub ecr_fail_next: FailNext,
    /// The answer of ECR in place of an authorization token.
    pub ecr_answer: AnswerKind,
    /// How many of the next calls of the management API and IAM are done, and their connections then closed without a reply.
    pub lose_reply_next: u32,
    /// Milliseconds after which a change of a role's inline policies is in force: IAM's own delay.
    pub policy_delay_ms: u64,
    /// Whether reads of inline policies show the state that is in force, as IAM may for a while after a change.
    pub policy_reads_delayed: bool,
    /// What is wrong with single regions, by name.
    pub regions: BTreeMap<String, RegionKnobs>,
}

/// Where [`Knobs::unwell_percent`] stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unwell {
    hundredths: u32,
    faults: u32,
}

impl Unwell {
    fn next(&mut self, percent: u32) -> Option<Fault> {
        self.hundredths += percent.min(100);
        self.hundredths.checked_sub(100).map(|left| {
            self.hundredths = left;
            self.faults += 1;
            [Fault::Fail(503), Fault::Drop, Fault::Throttle][self.faults as usize % 3]
        })
    }
}

/// A burst of 5xx answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FailNext {
    /// How many calls still fail.
    pub count: u32,
    /// The HTTP status they fail with.
    pub status: u16,
}

impl Default for FailNext {
    fn default() -> Self {
        FailNext { count: 0, status: 503 }
    }
}

/// The answer instead of a session, or of an authorization token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// The session or token itself.
    #[default]
    Normal,
    /// A page of HTML with status 200, as a captive portal sends.
    Html,
    /// The status of a success and no body.
    Empty,
    /// The status of a success and the first half of the JSON, cut inside a secret.
    HalfJson,
    /// The status of a success and 10 MiB of JSON.
    Huge,
    /// Nothing, on a connection that stays open.
    Silent,
    /// A session or token that ended a minute ago.
    ExpiredSession,
}

/// A fault that hits one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Drop,
    Throttle,
    Fail(u16),
}

impl Knobs {
    /// The fault that hits the next call, if one is pending; it is then used up.
    pub(crate) fn take_fault(&mut self, unwell: &mut Unwell) -> Option<Fault> {
        if take_one(&mut self.drop_next) {
            Some(Fault::Drop)
        } else if take_one(&mut self.fail_next.count) {
            Some(Fault::Fail(self.fail_next.status))
        } else if take_one(&mut self.throttle_next) {
            Some(Fault::Throttle)
        } else {
            unwell.next(self.unwell_percent)
        }
    }
}

impl Knobs {
    /// The fault that hits the next IAM call, if one is pending; it is then used up.
    pub(crate) fn take_iam_fault(&mut self) -> Option<Fault> {
        take_failure(&mut self.iam_fail_next, &mut self.iam_throttle_next)
    }

    /// The fault that hits the next `AssumeRole`, if one is pending; it is then used up.
    pub(crate) fn take_sts_fault(&mut self) -> Option<Fault> {
        take_failure(&mut self.sts_fail_next, &mut self.sts_throttle_next)
    }

    /// The fault that hits the next ECR call, if one is pending; it is then used up.
    pub(crate) fn take_ecr_fault(&mut self) -> Option<Fault> {
        take_failure(&mut self.ecr_fail_next, &mut self.ecr_throttle_next)
    }

    /// Whether the reply of the call just done is to be lost.
    pub(crate) fn take_lost_reply(&mut self) -> bool {
        take_one(&mut self.lose_reply_next)
    }
}

fn take_failure(fail: &mut FailNext, throttle: &mut u32) -> Option<Fault> {
    if take_one(&mut fail.count) {
        Some(Fault::Fail(fail.status))
    } else {
        take_one(throttle).then_some(Fault::Throttle)
    }
}

fn take_one(count: &mut u32) -> bool {
    let pending = *count > 0;
    *count = count.saturating_sub(1);
    pending
}

/// The last second's calls of a group, for a quota such as [`Knobs::max_tps`].
#[derive(Debug, Default)]
pub(crate) struct Window(VecDeque<Instant>);

impl Window {
    /// Whether a call at `now` stays within `limit` calls in any one second; only calls within it are counted.
    pub(crate) fn admits(&mut self, limit: u32, now: Instant) -> bool {
        while self.0.front().is_some_and(|first| now.duration_since(*first).as_millis() >= 1000) {
            self.0.pop_front();
        }
        let admitted = self.0.len() < limit as usize;
        if admitted {
            self.0.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_eleventh_call_within_a_second_is_not_admitted_and_the_next_second_is_free() {
        let mut window = Window::default();
        let start = Instant::now();
        let admitted: Vec<bool> = (0..11).map(|_| window.admits(10, start)).collect();

        let later = window.admits(10, start + Duration::from_secs(1));

        assert_eq!(admitted.iter().filter(|one| **one).count(), 10);
        assert!(!admitted[10]);
        assert!(later);
    }

    #[test]
    fn faults_are_used_up_one_call_each() {
        let mut knobs =
            Knobs { drop_next: 1, fail_next: FailNext { count: 1, status: 500 }, ..Knobs::default() };

        let faults: Vec<_> = (0..3).map(|_| knobs.take_fault(&mut Unwell::default())).collect();

        assert_eq!(faults, [Some(Fault::Drop), Some(Fault::Fail(500)), None]);
    }

    #[test]
    fn an_aws_that_is_unwell_fails_evenly_and_in_each_of_its_ways() {
        let mut knobs = Knobs { unwell_percent: 30, ..Knobs::default() };

        let mut unwell = Unwell::default();
        let faults: Vec<_> = (0..100).map(|_| knobs.take_fault(&mut unwell)).collect();

        let of = |fault| faults.iter().filter(|taken| **taken == Some(fault)).count();
        assert_eq!([of(Fault::Drop), of(Fault::Throttle), of(Fault::Fail(503))], [10, 10, 10]);
        assert!(faults.chunks(10).all(|ten| ten.iter().flatten().count() == 3), "not evenly: {faults:?}");
    }

    #[test]
    fn a_misspelt_knob_is_refused() {
        let error = serde_json::from_str::<Knobs>(r#"{"latency": 3}"#).unwrap_err();

        assert!(error.to_string().contains("unknown field `latency`"), "{error}");
    }
}
