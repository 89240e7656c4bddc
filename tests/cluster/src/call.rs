//! The output of the stories' long-running application (`tests/cluster/watch`): one line for each call of AWS.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Calls, each a second apart, that an application may make before its sidecar has logged in: a slow machine needs less than a minute.
const EARLY: usize = 60;

/// One line of the long-running application: one call of `GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it began, to the millisecond.
    pub began: OffsetDateTime,
    /// When it ended, to the millisecond.
    pub at: OffsetDateTime,
    /// The key it was signed with.
    pub key: String,
    /// The caller's ARN, or the error.
    pub outcome: Result<String, String>,
}

impl Call {
    /// Reads one line of the application's output.
    pub fn parse(line: &str) -> Option<Call> {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let outcome = if line["ok"] == true { Ok(text("arn")) } else { Err(text("error")) };
        Some(Call { began: moment(&line["began"])?, at: moment(&line["at"])?, key: text("key"), outcome })
    }
}

/// The calls from the first success on, for an application that asks its pod's listener: it starts together with the sidecar, and
/// its requests before the sidecar has logged in are refused (docs/kubernetes.md).
///
/// # Panics
/// When it was refused for more than a minute.
#[track_caller]
pub fn once_logged_in(mut calls: Vec<Call>) -> Vec<Call> {
    let early = calls.iter().take_while(|call| call.outcome.is_err()).count();
    assert!(early <= EARLY, "no success among the first calls: {:#?}", &calls[..early]);
    calls.split_off(early)
}

/// The calls without those that were in flight when their session ended; `ends` says when that was, by key. An SDK that uses a
/// session to its last moment (Go, with `credential_process`) signs such a call in time, and AWS checks it too late.
pub fn without_brinks(mut calls: Vec<Call>, ends: &BTreeMap<String, OffsetDateTime>) -> Vec<Call> {
    calls.retain(|call| {
        let expired = call.outcome.as_ref().is_err_and(|error| error.contains("ExpiredToken"));
        let under_way = ends.get(&call.key).is_some_and(|end| call.began < *end && *end <= call.at);
        !(expired && under_way)
    });
    calls
}

/// When each session ends, by key, from the emulator's page of sessions.
pub(crate) fn ends(sessions: &Value) -> BTreeMap<String, OffsetDateTime> {
    let sessions = sessions.as_array().into_iter().flatten();
    sessions
        .filter_map(|session| {
            Some((session["access_key_id"].as_str()?.to_owned(), moment(&session["expiration"])?))
        })
        .collect()
}

fn moment(text: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.as_str()?, &Rfc3339).ok()
}

/// # Panics
/// With the calls that failed.
#[track_caller]
pub fn never_failed(calls: &[Call]) {
    let failed: Vec<&Call> = calls.iter().filter(|call| call.outcome.is_err()).collect();
    assert!(failed.is_empty(), "{} of {} calls failed: {failed:#?}", failed.len(), calls.len());
}

/// The number of sessions that the calls used: consecutive calls with one key count once.
pub fn sessions(calls: &[Call]) -> usize {
    let mut keys: Vec<&str> = calls.iter().map(|call| call.key.as_str()).collect();
    keys.dedup();
    keys.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::Duration;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    /// A call of ten milliseconds.
    fn call(milliseconds: i64, key: &str, outcome: Result<&str, &str>) -> Call {
        let began = START + Duration::milliseconds(milliseconds);
        Call {
            began,
            at: began + Duration::milliseconds(10),
            key: key.to_owned(),
            outcome: outcome.map(str::to_owned).map_err(str::to_owned),
        }
    }

    #[test]
    fn a_line_of_the_application_is_a_call() {
        let times = r#""began":"1970-01-01T00:00:00.000Z","at":"1970-01-01T00:00:00.010Z""#;
        let good = Call::parse(&format!(r#"{{"n":1,{times},"ok":true,"arn":"a","key":"ASIA1"}}"#));
        let bad = Call::parse(&format!(r#"{{"n":2,{times},"ok":false,"key":"ASIA1","error":"expired"}}"#));

        assert_eq!(good, Some(call(0, "ASIA1", Ok("a"))));
        assert_eq!(bad, Some(call(0, "ASIA1", Err("expired"))));
        assert_eq!(Call::parse("panic: no JSON"), None);
    }

    #[test]
    fn calls_before_the_login_are_forgiven_and_later_ones_are_not() {
        let late = [call(1, "", Ok("a")), call(2, "", Err("later"))];

        let calls = once_logged_in([&[call(0, "", Err("403"))], &late[..]].concat());

        assert_eq!(calls, late);
    }

    #[test]
    #[should_panic(expected = "no success")]
    fn an_application_that_is_refused_for_more_than_a_minute_is_not_forgiven() {
        once_logged_in(vec![call(0, "", Err("403")); EARLY + 1]);
    }

    #[test]
    fn calls_with_one_key_are_one_session() {
        let with = |key| call(0, key, Ok(""));

        assert_eq!(sessions(&[with("a"), with("a"), with("b"), with("b")]), 2);
    }

    #[test]
    fn a_call_under_way_when_its_session_ends_is_no_failure_and_one_that_begins_later_is() {
        let page = json!([{ "access_key_id": "a", "expiration": "1970-01-01T00:00:02Z" }]);
        let kept = |calls: Vec<Call>| without_brinks(calls, &ends(&page)).len();

        assert_eq!(kept(vec![call(1995, "a", Err("ExpiredToken: too late"))]), 0);
        assert_eq!(kept(vec![call(2001, "a", Err("ExpiredToken: too late"))]), 1);
        assert_eq!(kept(vec![call(1900, "a", Err("ExpiredToken: too early"))]), 1);
        assert_eq!(kept(vec![call(1995, "a", Err("AccessDenied"))]), 1);
        assert_eq!(kept(vec![call(1995, "b", Err("ExpiredToken: of another"))]), 1);
        assert_eq!(kept(vec![call(1995, "a", Ok("arn"))]), 1);
    }
}
