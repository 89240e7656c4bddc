//! What the long-running application of the stories (`tests/cluster/watch`) prints: one line a call of AWS.

use serde_json::Value;

/// One line of the long-running application: one call of `GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it ended: RFC 3339 with milliseconds, `Z`.
    pub at: String,
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
        Some(Call { at: text("at"), key: text("key"), outcome })
    }
}

/// The calls from the first success on, for an application that asks its pod's listener: it starts together with the sidecar, and
/// what it asks in the moment before the sidecar has logged in is refused (k8s/README.md).
///
/// # Panics
/// When more than three calls failed before, each a second apart: that is no moment.
#[track_caller]
pub fn once_logged_in(mut calls: Vec<Call>) -> Vec<Call> {
    let early = calls.iter().take_while(|call| call.outcome.is_err()).count();
    assert!(early <= 3, "no success among the first calls: {:#?}", &calls[..early]);
    calls.split_off(early)
}

/// # Panics
/// With the calls that failed.
#[track_caller]
pub fn never_failed(calls: &[Call]) {
    let failed: Vec<&Call> = calls.iter().filter(|call| call.outcome.is_err()).collect();
    assert!(failed.is_empty(), "{} of {} calls failed: {failed:#?}", failed.len(), calls.len());
}

/// How many sessions some calls used: those signed with one key, one after another, count once.
pub fn sessions(calls: &[Call]) -> usize {
    let mut keys: Vec<&str> = calls.iter().map(|call| call.key.as_str()).collect();
    keys.dedup();
    keys.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_application_is_a_call() {
        let good =
            Call::parse(r#"{"n":1,"at":"2026-01-01T00:00:00.000Z","ok":true,"arn":"a","key":"ASIA1"}"#);
        let bad = Call::parse(r#"{"n":2,"at":"x","ok":false,"key":"ASIA1","error":"expired"}"#);

        assert_eq!(good.unwrap().outcome, Ok("a".to_owned()));
        assert_eq!(bad.unwrap().outcome, Err("expired".to_owned()));
        assert_eq!(Call::parse("panic: no JSON"), None);
    }

    #[test]
    fn calls_before_the_login_are_forgiven_and_later_ones_are_not() {
        let call = |outcome: Result<&str, &str>| Call {
            at: String::new(),
            key: String::new(),
            outcome: outcome.map(str::to_owned).map_err(str::to_owned),
        };

        let calls = once_logged_in(vec![call(Err("403")), call(Ok("a")), call(Err("later"))]);

        assert_eq!(calls, [call(Ok("a")), call(Err("later"))]);
    }

    #[test]
    fn calls_with_one_key_are_one_session() {
        let call = |key: &str| Call { at: String::new(), key: key.to_owned(), outcome: Ok(String::new()) };

        assert_eq!(sessions(&[call("a"), call("a"), call("b"), call("b")]), 2);
    }
}
