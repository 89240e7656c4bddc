//! The outcome of a run of an SDK on a way.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use crate::call::Call;

/// Longer than a call to the emulator takes on two busy cores.
const A_CALL: time::Duration = time::Duration::milliseconds(1500);

/// The behaviour of an SDK on a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No call fails, although sessions end under it twice, one after the other.
    Refreshes,
    /// It uses one session, and every call fails from the moment that ends.
    ReadsOnce,
    /// No call succeeds.
    Never,
    /// Anything else, with the first line that does not fit.
    Odd(String),
}

impl Outcome {
    /// Judges the calls of one process; `ends` says when each session ends, by ARN.
    pub fn of(calls: &[Call], ends: &BTreeMap<String, OffsetDateTime>) -> Outcome {
        let calls = &without_brinks(calls, ends)[..];
        let used: BTreeSet<&String> = calls.iter().filter_map(|call| call.said.as_ref().ok()).collect();
        let survived = survived(calls, ends);
        match first_failure(calls) {
            None if survived >= 2 => Outcome::Refreshes,
            None => Outcome::Odd(format!("{} calls on {used:?} survived {survived} ends", calls.len())),
            Some(_) if used.is_empty() => Outcome::Never,
            Some(first) if used.len() == 1 => after_one_session(calls, first, ends),
            Some(first) => Outcome::Odd(line(calls, first)),
        }
    }
}

/// The calls without those that were in flight when their session ended. An SDK that uses a session to its last moment (Go, with
/// `credential_process`) signs such a call in time, AWS checks it too late, and the next call has the next session.
pub fn without_brinks(calls: &[Call], ends: &BTreeMap<String, OffsetDateTime>) -> Vec<Call> {
    let is_brink = |at: usize| {
        let [before, call, after] = [at.checked_sub(1), Some(at), Some(at + 1)].map(|at| calls.get(at?));
        let (Some(before), Some(call), Some(after)) = (before, call, after) else { return false };
        let expired = call.said.as_ref().is_err_and(|error| error.contains("ExpiredToken"));
        let end = before.said.as_ref().ok().and_then(|arn| ends.get(arn));
        expired && after.said.is_ok() && end.is_some_and(|end| *end <= call.at && call.at - *end < A_CALL)
    };
    (0..calls.len()).filter(|at| !is_brink(*at)).map(|at| calls[at].clone()).collect()
}

/// How often a session ends (`ends` says when, by ARN) and a later call has another, one end after the other.
pub fn survived(calls: &[Call], ends: &BTreeMap<String, OffsetDateTime>) -> usize {
    let mut current = None;
    let mut survived = 0;
    for call in calls {
        let Ok(arn) = &call.said else { continue };
        if current.is_none() {
            current = Some(arn);
        } else if current != Some(arn)
            && current.and_then(|held| ends.get(held)).is_some_and(|end| call.at > *end)
        {
            current = Some(arn);
            survived += 1;
        }
    }
    survived
}

/// The one session has ended: nothing failed before, and nothing succeeds after.
fn after_one_session(calls: &[Call], first: usize, ends: &BTreeMap<String, OffsetDateTime>) -> Outcome {
    let end = calls[0].said.as_ref().ok().and_then(|arn| ends.get(arn));
    if end.is_none_or(|end| calls[first].at < *end) {
        return Outcome::Odd(line(calls, first));
    }
    match calls[first..].iter().position(|call| call.said.is_ok()) {
        None => Outcome::ReadsOnce,
        Some(later) => Outcome::Odd(line(calls, first + later)),
    }
}

/// The error of the first call that failed, empty if none did.
pub fn first_error(calls: &[Call]) -> &str {
    first_failure(calls).and_then(|first| calls[first].said.as_ref().err()).map_or("", String::as_str)
}

fn first_failure(calls: &[Call]) -> Option<usize> {
    calls.iter().position(|call| call.said.is_err())
}

fn line(calls: &[Call], at: usize) -> String {
    format!("line {} of {}: {:?}", at + 1, calls.len(), calls[at].said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    /// One call a second: a letter is a session that ends at second 2, 4 … of the alphabet; a dot is a failure.
    fn judged(calls: &str) -> Outcome {
        let second = |second: usize| START + Duration::seconds(i64::try_from(second).unwrap());
        let calls: Vec<Call> = calls
            .chars()
            .enumerate()
            .map(|(at, character)| Call {
                at: second(at) + Duration::milliseconds(500),
                said: if character == '.' {
                    Err("ExpiredToken".to_owned())
                } else {
                    Ok(character.to_string())
                },
            })
            .collect();
        let ends = ('a'..='e')
            .enumerate()
            .map(|(at, character)| (character.to_string(), second(2 + 2 * at)))
            .collect();
        Outcome::of(&calls, &ends)
    }

    #[test]
    fn three_sessions_in_a_row_are_a_refresh() {
        assert_eq!(judged("aabbcc"), Outcome::Refreshes);
    }

    #[test]
    fn one_session_and_then_failures_are_one_read() {
        assert_eq!(judged("aa..."), Outcome::ReadsOnce);
    }

    #[test]
    fn failures_alone_are_never() {
        assert_eq!(judged("..."), Outcome::Never);
    }

    #[test]
    fn anything_else_is_odd() {
        for calls in ["", "aabb", "aa.bb", "aa.aa", "a..", "aabb.."] {
            assert!(matches!(judged(calls), Outcome::Odd(_)), "{calls:?} is {:?}", judged(calls));
        }
    }

    #[test]
    fn a_call_under_way_when_its_session_ends_is_no_failure_and_the_next_one_would_be() {
        let call = |milliseconds: i64, said: Result<&str, &str>| Call {
            at: START + Duration::milliseconds(milliseconds),
            said: said.map(str::to_owned).map_err(str::to_owned),
        };
        let ends = BTreeMap::from([("a".to_owned(), START + Duration::seconds(2))]);
        let run = |late| [call(1500, Ok("a")), call(late, Err("ExpiredToken")), call(3900, Ok("b"))];

        assert_eq!(without_brinks(&run(2010), &ends).len(), 2);
        assert_eq!(without_brinks(&run(3600), &ends).len(), 3);
        assert_eq!(without_brinks(&run(1990), &ends).len(), 3);
    }
}
